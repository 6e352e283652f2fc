//! The whole Advanced Configuration: verified as a user wrote it, and read back as it was stored.

use super::parse::{self, Parsed};
use super::secret::{KnownSecrets, NewSecret, Slot, slots};
use crate::finding::{Finding, Findings, Path};
use crate::id::SealedId;
use crate::metadata::fields::field::{Section, Usage};
use crate::metadata::fields::marker::{MARKER_PREFIX, marker, parse_marker};
use crate::metadata::fields::table::find;
use crate::metadata::rules::document::check_document;
use crate::metadata::rules::language::variant;
use crate::metadata::rules::pasted::{Repair, repair};
use crate::metadata::rules::report::{Report, label};
use crate::nul;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;

/// The most members and list entries of one Advanced Configuration, at all depths together. Judging one costs more than
/// reading it.
const MAX_VALUES: usize = 10_000;

/// Checks the text of an Advanced Configuration as a user wrote it: strict JSON (RFC 8259), one object, at most
/// 256 KiB. An empty text sets nothing. `known` holds the markers that may occur in it.
///
/// Values that were certainly pasted with something that is not meant (blanks at the ends, quotation marks around) are
/// repaired, with a warning each; [`Verified::sealed_text`] then holds the repaired ones.
pub fn verify(text: &str, known: &KnownSecrets) -> Verified {
    let (text, has_mark) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut parsed = match parse::parse(text) {
        Ok(parsed) => parsed,
        Err(finding) => {
            return Verified {
                findings: finding.into(),
                text: String::new(),
                new: Vec::new(),
                ranges: Vec::new(),
                repairs: Vec::new(),
                kept: BTreeMap::new(),
            };
        }
    };
    let mut report = Report::default();
    let mut kept = BTreeMap::new();
    let mut typed = Vec::new();
    let mut repairs = Vec::new();
    if has_mark {
        report.push(Finding::warning(
            "",
            "trimmed",
            "The text begins with U+FEFF byte order mark. It was removed.",
        ));
    }
    let nul = nul::findings_in_object(text, &parsed.value);
    if count_values(&parsed.value) > MAX_VALUES {
        report.push(Finding::error(
            "",
            "too_many",
            format!(
                "The Advanced Configuration may contain at most {MAX_VALUES} members and list entries in total."
            ),
        ));
    } else if !nul.is_empty() {
        for finding in nul {
            report.push(finding);
        }
    } else if parsed.check_names(&mut report) {
        repairs = repair(&mut parsed.value);
        for Repair { pointer, what, .. } in &repairs {
            report.push(Finding::warning(
                pointer,
                "trimmed",
                format!("`{}` was entered {what}", label(pointer)),
            ));
        }
        check_document(&parsed.value, &mut report);
        let slots = slots(&parsed.value);
        check_stray_markers(&parsed.value, &slots, known, &mut report);
        for slot in slots {
            if report.is_closed() {
                break;
            }
            if !slot.value.starts_with(MARKER_PREFIX) {
                typed.push((NewSecret::new(slot.canonical, slot.value.to_owned()), slot.pointer));
            } else if let Some(id) = accepted(&slot, known) {
                kept.insert(slot.canonical, id);
            } else {
                report.push(refused_marker(&slot.pointer, slot.value, known));
            }
        }
    }
    let findings = parsed.place(text, report);
    // Looking for a place costs; refused texts are never rewritten.
    let ranges: Option<Vec<Range<usize>>> = if findings.has_errors() {
        None
    } else {
        typed.iter().map(|(_, pointer)| parsed.value_range(pointer)).collect()
    };
    // A secret that was entered gets a marker, whatever its text was.
    let mut rewritten: Vec<(Range<usize>, String)> = Vec::new();
    if !findings.has_errors() {
        repairs.retain(|repair| typed.iter().all(|(_, pointer)| *pointer != repair.pointer));
        for Repair { pointer, value, .. } in repairs {
            rewritten
                .extend(parsed.value_range(&pointer).map(|range| (range, Value::from(value).to_string())));
        }
    }
    Verified {
        findings,
        text: text.to_owned(),
        repairs: rewritten,
        new: typed.into_iter().map(|(secret, _)| secret).collect(),
        ranges: ranges.unwrap_or_default(),
        kept,
    }
}

fn accepted(slot: &Slot<'_>, known: &KnownSecrets) -> Option<SealedId> {
    let id = parse_marker(slot.value)?;
    (known.0.get(&slot.canonical) == Some(&id)).then_some(id)
}

fn refused_marker(pointer: &str, text: &str, known: &KnownSecrets) -> Finding {
    let member = label(pointer);
    match parse_marker(text) {
        Some(id) if known.0.values().any(|known| *known == id) => Finding::error(
            pointer,
            "marker_moved",
            format!(
                "`{member}` contains the marker of a secret of another member. Enter the secret itself here."
            ),
        ),
        _ => Finding::error(
            pointer,
            "unknown_marker",
            format!(
                "`{member}` contains a marker that belongs to no secret of this configuration. Enter the secret itself."
            ),
        ),
    }
}

/// Markers at places where strings are no secrets.
fn check_stray_markers(
    document: &Map<String, Value>,
    slots: &[Slot<'_>],
    known: &KnownSecrets,
    report: &mut Report,
) {
    let places: HashSet<&str> = slots.iter().map(|slot| slot.pointer.as_str()).collect();
    let root = Path::at("");
    for (name, value) in document {
        find_markers(value, &root.member(name), &mut |pointer, text| {
            if !places.contains(pointer.as_str()) {
                report.push(refused_marker(&pointer, text, known));
            }
            !report.is_closed()
        });
    }
}

/// Gives each string that looks like a marker to `found`, as long as that wants more.
fn find_markers(value: &Value, path: &Path<'_>, found: &mut impl FnMut(String, &str) -> bool) -> bool {
    match value {
        Value::String(text) if text.starts_with(MARKER_PREFIX) => found(path.pointer(), text),
        Value::Array(list) => {
            list.iter().enumerate().all(|(index, value)| find_markers(value, &path.element(index), found))
        }
        Value::Object(object) => {
            object.iter().all(|(name, value)| find_markers(value, &path.member(name), found))
        }
        _ => true,
    }
}

/// How many members and elements a document has.
fn count_values(document: &Map<String, Value>) -> usize {
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(list) => list.len() + list.iter().map(count).sum::<usize>(),
            Value::Object(object) => count_values(object),
            _ => 0,
        }
    }
    document.len() + document.values().map(count).sum::<usize>()
}

/// What [`verify`] found. Its `Debug` shows neither the text nor a secret.
pub struct Verified {
    /// Everything found, in the order of the text, with line and column.
    pub findings: Findings,
    text: String,
    new: Vec<NewSecret>,
    ranges: Vec<Range<usize>>,
    repairs: Vec<(Range<usize>, String)>,
    kept: BTreeMap<String, SealedId>,
}

impl Verified {
    /// Whether anything prevents saving.
    pub fn has_errors(&self) -> bool {
        self.findings.has_errors()
    }

    /// Secrets that a user entered, in the order of the text. To be sealed only if there are no errors.
    pub fn new_secrets(&self) -> &[NewSecret] {
        &self.new
    }

    /// Markers that were sent back at their place, by pointer: their secrets stay.
    pub fn kept_secrets(&self) -> BTreeMap<String, SealedId> {
        self.kept.clone()
    }

    /// The text with the repaired values, its secrets as they were sent. As it was sent, if there are errors.
    pub fn repaired_text(&self) -> String {
        parse::apply(&self.text, &self.repairs)
    }

    /// The text with every new secret replaced by its marker and every repaired value, every other byte unchanged; `ids` in the order of
    /// [`Verified::new_secrets`]. `None` if there are errors, or not as many ids as secrets.
    pub fn sealed_text(&self, ids: &[SealedId]) -> Option<String> {
        if self.has_errors() || ids.len() != self.new.len() || self.ranges.len() != self.new.len() {
            return None;
        }
        Some(self.with_secrets(ids.iter().map(|id| marker(*id))))
    }

    /// The text with every new secret replaced by `word`, to be shown and not to be kept. `None` if there are errors: then
    /// the positions of secrets are not known.
    pub fn shown_text(&self, word: &str) -> Option<String> {
        (!self.has_errors()).then(|| self.with_secrets(std::iter::repeat(word.to_owned())))
    }

    /// The text with these strings in place of its new secrets.
    fn with_secrets(&self, strings: impl Iterator<Item = String>) -> String {
        let edits: Vec<(Range<usize>, String)> = self
            .ranges
            .iter()
            .zip(strings)
            .map(|(range, string)| (range.clone(), format!("\"{string}\"")))
            .chain(self.repairs.iter().cloned())
            .collect();
        parse::apply(&self.text, &edits)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verified")
            .field("findings", &self.findings)
            .field("new_secrets", &self.new)
            .field("kept_secrets", &self.kept)
            .finish_non_exhaustive()
    }
}

/// The stored object: markers, no secrets; other spellings of keys replaced by the canonical ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdvancedConfiguration {
    value: Map<String, Value>,
}

impl AdvancedConfiguration {
    /// Reads what [`Verified::sealed_text`] gave. Judges only that it is one JSON object: rules may have become
    /// stricter since it was kept, and what they refuse is left out when it is resolved.
    pub fn from_stored(text: &str) -> Result<Self, Findings> {
        let Parsed { value, .. } = parse::parse(text)?;
        let mut canonical = Map::new();
        for (name, member) in &value {
            let name = match find(Section::TopLevel, name) {
                Some(field) => field.canonical(),
                None => name.as_str(),
            };
            // Both spellings cannot be saved; were they there, what is not null wins.
            if member.is_null() && canonical.contains_key(name) {
                continue;
            }
            canonical.insert(name.to_owned(), member.clone());
        }
        Ok(Self { value: canonical })
    }

    /// One that sets nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same with these members, in canonical spelling, which win.
    pub fn with_members<'a>(&'a self, members: &Map<String, Value>) -> Cow<'a, Self> {
        if members.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut value = self.value.clone();
        value.extend(members.iter().map(|(name, member)| (name.clone(), member.clone())));
        Cow::Owned(Self { value })
    }

    /// The object.
    pub fn value(&self) -> &Map<String, Value> {
        &self.value
    }

    /// Whether it sets nothing at all.
    pub fn is_empty(&self) -> bool {
        self.value.values().all(|value| match value {
            Value::Null => true,
            Value::Object(object) => object.values().all(Value::is_null),
            _ => false,
        })
    }

    /// The sealed values it names, by JSON Pointer.
    pub fn sealed_ids(&self) -> BTreeMap<String, SealedId> {
        slots(&self.value)
            .into_iter()
            .filter_map(|slot| parse_marker(slot.value).map(|id| (slot.canonical, id)))
            .collect()
    }

    /// How many members of the client metadata it sets that are sent (language variants count).
    pub fn client_metadata_field_count(&self) -> usize {
        self.section(crate::metadata::fields::names::CANONICAL_WRAPPER).map_or(0, |metadata| {
            metadata
                .iter()
                .filter(|(name, value)| {
                    let sent =
                        find(Section::ClientMetadata, name).is_some_and(|field| field.usage == Usage::Sent);
                    !value.is_null() && (sent || variant(Section::ClientMetadata, name).is_some())
                })
                .count()
        })
    }

    /// The object under the canonical key `name`.
    pub(crate) fn section(&self, name: &str) -> Option<&Map<String, Value>> {
        self.value.get(name).and_then(Value::as_object)
    }
}
