//! Changes one member of a text that a user wrote; every other byte stays.

use super::parse::{self, apply};
use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::common::Ranged;
use serde_json::{Map, Value};
use std::ops::Range;

/// The members of the object `text` is (none of an empty one); `None` if it is not the text of an object.
pub fn read_members(text: &str) -> Option<Map<String, Value>> {
    parse::parse(text).ok().map(|parsed| parsed.value)
}

/// `text` with the member at `pointer` (RFC 6901, through objects only) set to `value`; objects on the way to it that
/// are not there are made. Of duplicates the last is meant. `None` if `text` is not the text of an object, or if
/// a parent on the way is not an object.
pub fn set_member(text: &str, pointer: &str, value: &Value) -> Option<String> {
    let parsed = parse::parse(text).ok()?;
    let path = tokens(pointer)?;
    let Some(tree) = &parsed.tree else {
        return Some(Style::PLAIN.write(&nested(&path, value.clone()), ""));
    };
    let style = Style::of(text, tree);
    let mut object = tree;
    for (depth, token) in path.iter().enumerate() {
        let rest = &path[depth + 1..];
        let found = object.properties.iter().rev().find(|property| property.name.as_str() == token);
        match found.map(|property| &property.value) {
            Some(old) if rest.is_empty() => {
                let range = range(old);
                let new = style.at(text, old).write(value, indent(text, range.start));
                return Some(apply(text, &[(range, new)]));
            }
            Some(Node::Object(next)) => object = next,
            Some(null @ Node::NullKeyword(_)) => {
                let range = range(null);
                let new = style.write(&nested(rest, value.clone()), indent(text, range.start));
                return Some(apply(text, &[(range, new)]));
            }
            Some(_) => return None,
            None => return Some(append(text, object, &style, token, &nested(rest, value.clone()))),
        }
    }
    None
}

/// `text` without the member at `pointer` (every one of duplicates). The text as it is if there is none; `None` if it
/// is not the text of an object.
pub fn remove_member(text: &str, pointer: &str) -> Option<String> {
    let path = tokens(pointer)?;
    let mut text = text.to_owned();
    loop {
        let parsed = parse::parse(&text).ok()?;
        let Some((object, index)) = parsed.tree.as_ref().and_then(|tree| find(tree, &path)) else {
            return Some(text);
        };
        let members = &object.properties;
        let gone = match (index.checked_sub(1), members.get(index + 1)) {
            (_, Some(next)) => members[index].range.start..next.range.start,
            (Some(previous), None) => members[previous].range.end..members[index].range.end,
            (None, None) => object.range.start + 1..object.range.end - 1,
        };
        text = apply(&text, &[(gone, String::new())]);
    }
}

/// `text` with the member at `pointer` called `name`. `None` if there is no such member, or one of that name beside it.
pub fn rename_member(text: &str, pointer: &str, name: &str) -> Option<String> {
    let path = tokens(pointer)?;
    let parsed = parse::parse(text).ok()?;
    let (object, index) = find(parsed.tree.as_ref()?, &path)?;
    if object.properties.iter().any(|property| property.name.as_str() == name) {
        return None;
    }
    let old = object.properties[index].name.range();
    Some(apply(text, &[(old.start..old.end, Value::from(name).to_string())]))
}

/// The names a pointer goes through; `None` of a pointer to the whole document.
fn tokens(pointer: &str) -> Option<Vec<String>> {
    let path = pointer.strip_prefix('/')?;
    Some(path.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect())
}

/// The object that holds the member at `path`, and which of its members it is.
fn find<'a, 'b>(tree: &'b Object<'a>, path: &[String]) -> Option<(&'b Object<'a>, usize)> {
    let (last, way) = path.split_last()?;
    let mut object = tree;
    for token in way {
        let next = object.properties.iter().rev().find(|property| property.name.as_str() == token)?;
        object = next.value.as_object()?;
    }
    Some((object, object.properties.iter().rposition(|property| property.name.as_str() == last)?))
}

/// `value` inside as many objects as `path` has names.
fn nested(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, name| Value::Object(Map::from_iter([(name.clone(), value)])))
}

/// A new member behind the last one of `object`, laid out like it.
fn append(text: &str, object: &Object<'_>, style: &Style, name: &str, value: &Value) -> String {
    let name = Value::from(name).to_string();
    let Some((last, others)) = object.properties.split_last() else {
        let base = indent(text, object.range.start);
        let whole = if style.is_tall || object.range.start == 0 {
            let (end, inner) = (style.line_end, format!("{base}{}", style.unit));
            format!("{{{end}{inner}{name}: {}{end}{base}}}", style.tall().write(value, &inner))
        } else {
            format!("{{{name}{}{}}}", style.colon(), style.write(value, base))
        };
        return apply(text, &[(object.range.start..object.range.end, whole)]);
    };
    let before = others.last().map_or(object.range.start + 1, |previous| previous.range.end);
    let gap = &text[before..last.range.start];
    let member = if let Some((_, inner)) = gap.rsplit_once('\n') {
        let (end, colon) = (style.line_end, style.colon());
        format!(",{end}{inner}{name}{colon}{}", style.tall().write(value, inner))
    } else {
        let space = if style.is_spaced { " " } else { "" };
        format!(",{space}{name}{}{}", style.colon(), style.wide().write(value, ""))
    };
    apply(text, &[(last.range.end..last.range.end, member)])
}

fn range(node: &Node<'_>) -> Range<usize> {
    node.range().start..node.range().end
}

/// The white space that the line of `offset` begins with.
fn indent(text: &str, offset: usize) -> &str {
    let line = text[..offset].rfind('\n').map_or(0, |end| end + 1);
    let length = text[line..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[line..line + length]
}

/// How a text is laid out.
#[derive(Clone, Copy)]
struct Style<'a> {
    /// One step of indentation.
    unit: &'a str,
    line_end: &'static str,
    /// Whether each member is on its own line.
    is_tall: bool,
    /// Whether a list has a line for each entry.
    lists_are_tall: bool,
    /// Whether there is a space behind `:` and `,`.
    is_spaced: bool,
}

impl<'a> Style<'a> {
    /// Of a text that does not exist yet.
    const PLAIN: Self =
        Self { unit: "  ", line_end: "\n", is_tall: true, lists_are_tall: false, is_spaced: true };

    fn of(text: &'a str, tree: &Object<'_>) -> Self {
        let Some(first) = tree.properties.first() else {
            return Self::PLAIN;
        };
        let lead = &text[tree.range.start + 1..first.range.start];
        let outer = indent(text, tree.range.start);
        let unit = lead.rsplit_once('\n').and_then(|(_, inner)| inner.strip_prefix(outer));
        let colon = &text[first.name.range().end..first.value.range().start];
        Self {
            unit: unit.filter(|unit| !unit.is_empty()).unwrap_or("  "),
            line_end: if text.contains("\r\n") { "\r\n" } else { "\n" },
            is_tall: lead.contains('\n'),
            lists_are_tall: false,
            is_spaced: colon != ":",
        }
    }

    /// As the value that is replaced is laid out.
    fn at(self, text: &str, old: &Node<'_>) -> Self {
        let has_lines = text[range(old)].contains('\n');
        Self { is_tall: self.is_tall && has_lines, lists_are_tall: has_lines, ..self }
    }

    fn tall(self) -> Self {
        Self { is_tall: true, ..self }
    }

    fn wide(self) -> Self {
        Self { is_tall: false, ..self }
    }

    fn colon(self) -> &'static str {
        if self.is_spaced { ": " } else { ":" }
    }

    /// `value` as text, its first line beginning at `indent`.
    fn write(self, value: &Value, indent: &str) -> String {
        let inner = format!("{indent}{}", self.unit);
        let (open, items, close, is_tall): (_, Vec<String>, _, _) = match value {
            Value::Object(members) if !members.is_empty() => {
                let inside = if self.is_tall { &inner } else { indent };
                let member = |(name, value): (&String, &Value)| {
                    format!("{}{}{}", Value::from(name.as_str()), self.colon(), self.write(value, inside))
                };
                ('{', members.iter().map(member).collect(), '}', self.is_tall)
            }
            Value::Array(list) if !list.is_empty() => {
                let inside = if self.lists_are_tall { &inner } else { indent };
                ('[', list.iter().map(|item| self.write(item, inside)).collect(), ']', self.lists_are_tall)
            }
            other => return other.to_string(),
        };
        if is_tall {
            let end = self.line_end;
            format!("{open}{end}{inner}{}{end}{indent}{close}", items.join(&format!(",{end}{inner}")))
        } else {
            format!("{open}{}{close}", items.join(if self.is_spaced { ", " } else { "," }))
        }
    }
}
