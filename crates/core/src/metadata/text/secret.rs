//! Secrets in an Advanced Configuration: where they are, and the marker that replaces a sealed secret.
//!
//! Pointers of secrets are those of the canonical spelling (`/headers/X`, also where the text says `custom_headers`),
//! so that respelling a key loses no secret.

use super::parse;
use crate::finding::pointer_push;
use crate::id::SealedId;
use crate::metadata::fields::field::{Kind, Section};
use crate::metadata::fields::marker::{marker, parse_marker};
use crate::metadata::fields::table::find;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// The markers that may be sent back, by the JSON Pointer (canonical spelling) of their positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownSecrets(pub BTreeMap<String, SealedId>);

impl KnownSecrets {
    /// The markers in a stored text; none if it is not the text of an object.
    pub fn of(stored_text: &str) -> Self {
        let Ok(parsed) = parse::parse(stored_text) else {
            return Self::default();
        };
        Self(
            slots(&parsed.value)
                .into_iter()
                .filter_map(|slot| parse_marker(slot.value).map(|id| (slot.canonical, id)))
                .collect(),
        )
    }
}

/// A secret that a user entered: to be sealed, never to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// JSON Pointer of the secret (RFC 6901, canonical spelling).
    pub pointer: String,
    value: String,
}

impl NewSecret {
    pub(crate) fn new(pointer: String, value: String) -> Self {
        Self { pointer, value }
    }

    /// The secret itself, for sealing.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewSecret").field("pointer", &self.pointer).finish_non_exhaustive()
    }
}

/// Where a secret is in a text, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    /// Where (RFC 6901), as the text spells its keys.
    pub pointer: String,
    /// Whether a marker is there; otherwise the secret itself, as a user entered it.
    pub is_sealed: bool,
}

/// All places of secrets in `text`, in its order; none if it is not the text of an object.
pub fn secret_places(text: &str) -> Vec<SecretPlace> {
    let Ok(parsed) = parse::parse(text) else {
        return Vec::new();
    };
    slots(&parsed.value)
        .into_iter()
        .map(|slot| SecretPlace { is_sealed: parse_marker(slot.value).is_some(), pointer: slot.pointer })
        .collect()
}

/// A string at a place where strings are secrets.
pub(crate) struct Slot<'a> {
    /// As the text spells it.
    pub(crate) pointer: String,
    /// As the canonical spelling has it.
    pub(crate) canonical: String,
    /// The secret, or its marker.
    pub(crate) value: &'a str,
}

/// All secrets of a document, in its order.
pub(crate) fn slots(document: &Map<String, Value>) -> Vec<Slot<'_>> {
    let mut found = Vec::new();
    collect(Section::TopLevel, document, "", "", &mut found);
    found
}

fn collect<'a>(
    section: Section,
    object: &'a Map<String, Value>,
    pointer: &str,
    canonical: &str,
    found: &mut Vec<Slot<'a>>,
) {
    for (name, value) in object {
        let Some(field) = find(section, name) else {
            continue;
        };
        let pointer = pointer_push(pointer, name);
        let canonical = pointer_push(canonical, field.canonical());
        match (field.kind, value) {
            (Kind::String, Value::String(value)) if field.secret => {
                found.push(Slot { pointer, canonical, value });
            }
            (Kind::StringMap, Value::Object(map)) if field.secret => {
                for (name, value) in map {
                    if let Value::String(value) = value {
                        found.push(Slot {
                            pointer: pointer_push(&pointer, name),
                            canonical: pointer_push(&canonical, name),
                            value,
                        });
                    }
                }
            }
            (Kind::Nested(section), Value::Object(object)) => {
                collect(section, object, &pointer, &canonical, found);
            }
            _ => {}
        }
    }
}

/// `stored_text` with each marker changed as `change` says (given its pointer in canonical spelling and its id):
/// another id, or `None` for `null`, which means "not set". Every other byte stays. `None` if the text is not that of an object.
///
/// For a revert (ids that are gone) and for a changed address (secrets that must be entered again).
pub fn map_markers(
    stored_text: &str,
    mut change: impl FnMut(&str, SealedId) -> Option<SealedId>,
) -> Option<String> {
    let parsed = parse::parse(stored_text).ok()?;
    let mut edits = Vec::new();
    for slot in slots(&parsed.value) {
        if let Some(id) = parse_marker(slot.value) {
            let changed = change(&slot.canonical, id);
            if changed != Some(id) {
                let replacement =
                    changed.map_or_else(|| "null".to_owned(), |id| format!("\"{}\"", marker(id)));
                edits.push((parsed.value_range(&slot.pointer)?, replacement));
            }
        }
    }
    Some(parse::apply(stored_text, &edits))
}
