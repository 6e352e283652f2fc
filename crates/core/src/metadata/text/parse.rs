//! Parses the text as strict JSON, with the position of each value.

use crate::character::{character_name, plain_form};
use crate::finding::{Finding, Findings, Path, Severity, more};
use crate::metadata::rules::report::{Report, echo};
use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::ops::Range;

/// The longest name of a member, in characters; longer ones would make every pointer long.
const MAX_NAME: usize = 256;

/// A text that is one JSON object.
pub(crate) struct Parsed<'a> {
    /// The object; of a duplicate member the last value.
    pub(crate) value: Map<String, Value>,
    /// The same with places; absent for an empty text, which says "nothing is set".
    pub(crate) tree: Option<Object<'a>>,
}

/// Everything the parser tolerates beyond RFC 8259, switched off.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads `text` (without byte order mark), or says why not: `too_large`, `invalid_json` or `not_an_object`.
pub(crate) fn parse(text: &str) -> Result<Parsed<'_>, Finding> {
    if text.len() > crate::metadata::fields::names::MAX_CONFIGURATION_BYTES {
        return Err(whole("too_large", "The Advanced Configuration may have at most 256 KiB."));
    }
    if text.trim_ascii().is_empty() {
        return Ok(Parsed { value: Map::new(), tree: None });
    }
    // serde_json decides what is JSON and limits the depth; jsonc-parser knows the places and explains better.
    let tree = match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => parsed.value,
        Err(error) => {
            let why = error.kind().to_string();
            return Err(invalid_json(text, &why, error.line_display(), error.column_display()));
        }
    };
    match (serde_json::from_str::<Value>(text), tree) {
        (Ok(Value::Object(value)), Some(Node::Object(tree))) => Ok(Parsed { value, tree: Some(tree) }),
        (Ok(_), _) => Err(whole(
            "not_an_object",
            "The Advanced Configuration must be one JSON object. Write { and } around its members.",
        )),
        (Err(error), _) => {
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
            let bytes = error.column().saturating_sub(1).min(line.len());
            let column = line.char_indices().take_while(|(index, _)| *index < bytes).count() + 1;
            Err(invalid_json(text, why, error.line(), column))
        }
    }
}

/// A finding about the whole text.
fn whole(code: &'static str, message: &'static str) -> Finding {
    let mut finding = Finding::error("", code, message);
    finding.line = Some(1);
    finding.column = Some(1);
    finding
}

/// What is wrong, and where. A character that came from a word processor or a web page is named instead: it is the cause.
fn invalid_json(text: &str, why: &str, line: usize, column: usize) -> Finding {
    let (message, line, column) = match foreign_character(text) {
        Some((found, line, column)) => {
            let repair = match plain_form(found) {
                Some("") => "Remove it.".to_owned(),
                Some(" ") => "Write a plain space.".to_owned(),
                Some(plain) => format!("Write {plain}"),
                None => "Write it inside a string, or remove it.".to_owned(),
            };
            let repair = if repair.ends_with('.') { repair } else { format!("{repair} there.") };
            let name = character_name(found);
            (
                format!("This is not JSON: it contains {name} (line {line}, column {column}). {repair}"),
                line,
                column,
            )
        }
        None => (
            format!("This is not JSON: {} (line {line}, column {column}).", echo(why.trim_end_matches('.'))),
            line,
            column,
        ),
    };
    let mut finding = Finding::error("", "invalid_json", message);
    finding.line = u32::try_from(line).ok();
    finding.column = u32::try_from(column).ok();
    finding
}

/// The first character outside of strings that JSON allows only inside, with line and column; else the first curly
/// quotation mark inside of one, which may have been meant to end it.
fn foreign_character(text: &str) -> Option<(char, usize, usize)> {
    let (mut line, mut column) = (1, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    let mut inside = None;
    for character in text.chars() {
        column += 1;
        match character {
            '\n' => {
                (line, column) = (line + 1, 0);
                // Strings end with their line at the latest: what follows is judged by itself.
                in_string = false;
            }
            _ if is_escaped => is_escaped = false,
            '\\' if in_string => is_escaped = true,
            '"' => in_string = !in_string,
            _ if !in_string && !character.is_ascii() => return Some((character, line, column)),
            '\u{201c}'..='\u{201f}' if inside.is_none() => inside = Some((character, line, column)),
            _ => {}
        }
    }
    inside
}

impl Parsed<'_> {
    /// Finds duplicate members and names too long to be handled; `false` if there are such names.
    pub(crate) fn check_names(&self, report: &mut Report) -> bool {
        self.tree.as_ref().is_none_or(|tree| check_names(tree, &Path::at(""), report))
    }

    /// The bytes of the value at `pointer`.
    pub(crate) fn value_range(&self, pointer: &str) -> Option<Range<usize>> {
        self.locate(pointer).map(|place| place.value)
    }

    /// `report` in the order of the text, each finding with line and column where its pointer leads somewhere.
    pub(crate) fn place(&self, text: &str, report: Report) -> Findings {
        let (kept, dropped) = report.into_parts();
        let mut placed: Vec<(usize, Finding)> = kept
            .into_iter()
            .map(|found| {
                let offset = found.offset.or_else(|| {
                    let place = self.locate(&found.finding.pointer)?;
                    Some(if is_about_the_name(&found.finding.code) { place.name } else { place.value.start })
                });
                (offset.unwrap_or(0), found.finding)
            })
            .collect();
        placed.sort_by_key(|(offset, _)| *offset);
        let mut cursor = Cursor { line: 1, column: 1, offset: 0 };
        let mut findings: Vec<Finding> = placed
            .into_iter()
            .map(|(offset, mut finding)| {
                cursor.advance(text, offset);
                finding.line = Some(cursor.line);
                finding.column = Some(cursor.column);
                finding
            })
            .collect();
        findings.extend(more(dropped));
        Findings(findings)
    }

    fn locate(&self, pointer: &str) -> Option<Position> {
        let tree = self.tree.as_ref()?;
        let mut place = Position { name: tree.range.start, value: tree.range.start..tree.range.end };
        let mut node: Option<&Node<'_>> = None;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let object = match node {
                None => Some(tree),
                Some(Node::Object(object)) => Some(object),
                Some(_) => None,
            };
            let (name, next) = match (object, node) {
                // Of duplicates the last, as in the parsed value.
                (Some(object), _) => {
                    let property =
                        object.properties.iter().rev().find(|property| property.name.as_str() == token)?;
                    (property.range.start, &property.value)
                }
                (None, Some(Node::Array(array))) => {
                    let element = array.elements.get(token.parse::<usize>().ok()?)?;
                    (element.range().start, element)
                }
                _ => return None,
            };
            place = Position { name, value: next.range().start..next.range().end };
            node = Some(next);
        }
        Some(place)
    }
}

/// Byte offsets of a member.
struct Position {
    name: usize,
    value: Range<usize>,
}

fn is_about_the_name(code: &str) -> bool {
    matches!(
        code,
        "unknown_member"
            | "unknown_top_level_member"
            | "ignored_member"
            | "duplicate_member"
            | "both_spellings"
            | "missing_wrapper"
            | "doubled_wrapper"
            | "misplaced_secret"
            | "invalid_language_tag"
            | "invalid_header_name"
            | "reserved_parameter"
            | "incomplete_override"
    )
}

fn check_names(object: &Object<'_>, path: &Path<'_>, report: &mut Report) -> bool {
    let mut seen = HashSet::new();
    let mut short = true;
    for property in &object.properties {
        let name = property.name.as_str();
        let is_long = name.len() > MAX_NAME && name.chars().nth(MAX_NAME).is_some();
        let is_twin = !is_long && !seen.insert(name);
        if (is_long || is_twin) && report.is_full(Severity::Error) {
            report.drop_one();
        } else if is_long {
            report.push_at(
                Finding::error(
                    path.pointer(),
                    "too_long",
                    format!("The name of a member may have at most {MAX_NAME} characters."),
                ),
                property.range.start,
            );
        } else if is_twin {
            report.push_at(
                Finding::error(
                    path.member(name).pointer(),
                    "duplicate_member",
                    format!("`{}` occurs twice in the same object. Keep one of them.", echo(name)),
                ),
                property.range.start,
            );
        }
        short &= !is_long;
        if !is_long {
            short &= check_node(&property.value, &path.member(name), report);
        }
    }
    short
}

/// As deep as the text is: `serde_json` has refused more than 128 levels.
fn check_node(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> bool {
    match node {
        Node::Object(object) => check_names(object, path, report),
        Node::Array(array) => {
            let mut short = true;
            for (index, element) in array.elements.iter().enumerate() {
                short &= check_node(element, &path.element(index), report);
            }
            short
        }
        _ => true,
    }
}

/// `text` with each range replaced; the ranges do not overlap.
pub(crate) fn apply(text: &str, edits: &[(Range<usize>, String)]) -> String {
    let mut sorted: Vec<&(Range<usize>, String)> = edits.iter().collect();
    sorted.sort_by_key(|(range, _)| range.start);
    let mut changed = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, replacement) in sorted {
        changed.push_str(&text[copied..range.start]);
        changed.push_str(replacement);
        copied = range.end;
    }
    changed.push_str(&text[copied..]);
    changed
}

/// Walks the text once, counting lines and characters.
struct Cursor {
    line: u32,
    column: u32,
    offset: usize,
}

impl Cursor {
    fn advance(&mut self, text: &str, offset: usize) {
        for character in text[self.offset..offset].chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset = offset;
    }
}
