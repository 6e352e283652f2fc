//! The character NUL (U+0000): PostgreSQL cannot store it in text, SQLite can. It is refused wherever input arrives, so
//! that both databases answer alike.

use crate::finding::{Finding, Path, echo};
use serde_json::{Map, Value};

/// The stable code of every finding about it.
pub const CODE: &str = "nul_character";
/// How JSON writes it. Also the end of the harmless text that a backslash before it makes.
pub const ESCAPE: &str = "\\u0000";
/// More findings than this are not made; one is enough to refuse.
const MAX_FINDINGS: usize = 100;

/// A finding for each string and each member name below `value` that contains NUL, with its JSON Pointer. `text` is what
/// `value` was read from: JSON writes NUL only as the escape `\u0000`, so most texts need no second look.
pub fn findings(text: &str, value: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    if text.contains(ESCAPE) {
        look(value, Path::at(""), &mut found);
    }
    found
}

/// The same below an object.
pub fn findings_in_object(text: &str, members: &Map<String, Value>) -> Vec<Finding> {
    let mut found = Vec::new();
    if text.contains(ESCAPE) {
        look_into(members, Path::at(""), &mut found);
    }
    found
}

/// Whether a string or a member name anywhere below `value` contains NUL.
pub fn is_within(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(is_within),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || is_within(value)),
        _ => false,
    }
}

fn look(value: &Value, place: Path<'_>, found: &mut Vec<Finding>) {
    match value {
        Value::String(text) if text.contains('\0') => {
            add(
                found,
                place,
                "This text contains the character NUL (`\\u0000`), which cannot be stored. Remove it.",
            );
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                look(item, place.element(index), found);
            }
        }
        Value::Object(members) => look_into(members, place, found),
        _ => {}
    }
}

fn look_into(members: &Map<String, Value>, place: Path<'_>, found: &mut Vec<Finding>) {
    for (name, member) in members {
        let below = place.member(name);
        if name.contains('\0') {
            add(
                found,
                below,
                "The name of this member contains the character NUL (`\\u0000`), which cannot be stored. Remove it.",
            );
            continue;
        }
        look(member, below, found);
    }
}

fn add(found: &mut Vec<Finding>, place: Path<'_>, message: &'static str) {
    if found.len() < MAX_FINDINGS {
        found.push(Finding::error(place.pointer(), CODE, message));
    }
}

/// A part of an address or form that contains NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NulLocation {
    /// The segment of the path with this index, 0 for the first.
    Segment(usize),
    /// The value of the parameter or field of this name.
    Value(String),
    /// The name of a parameter or field.
    Name,
}

/// The first segment of `path` (percent-encoded) that contains NUL.
pub fn in_path(path: &str) -> Option<NulLocation> {
    if !path.contains("%00") {
        return None;
    }
    path.split('/').skip(1).position(|segment| segment.contains("%00")).map(NulLocation::Segment)
}

/// The first pair of `text`, which is a query or a form in `application/x-www-form-urlencoded`, that contains NUL.
pub fn in_pairs(text: &str) -> Option<NulLocation> {
    // A form may hold the byte itself; an address cannot.
    if !text.contains("%00") && !text.contains('\0') {
        return None;
    }
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.find_map(|(name, value)| {
        if name.contains('\0') {
            return Some(NulLocation::Name);
        }
        value.contains('\0').then(|| NulLocation::Value(echo(&name)))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_in_values_and_names_at_any_depth() {
        let text = r#"{"a": "x\u0000", "b": [1, {"c/d": "\u0000"}], "e\u0000": 1, "literal": "\\u0000", "fine": "x"}"#;
        let found = findings(text, &serde_json::from_str(text).unwrap());
        let pointers: Vec<_> = found.iter().map(|finding| finding.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a", "/b/1/c~1d", "/e\0"]);
        assert!(found.iter().all(|finding| finding.code == CODE && !finding.message.contains('\0')));
    }

    #[test]
    fn findings_about_nul_are_bounded() {
        let text = format!("[{}0]", "\"\\u0000\",".repeat(5_000));
        assert_eq!(findings(&text, &serde_json::from_str(&text).unwrap()).len(), MAX_FINDINGS);
    }

    #[test]
    fn nul_in_urls_and_forms_has_a_position() {
        assert_eq!(in_path("/v1/workspaces/a%00"), Some(NulLocation::Segment(2)));
        assert_eq!(in_path("/v1/workspaces/%2500"), None, "this is the text `%00`");
        assert_eq!(in_pairs("a=b&search=x%00y"), Some(NulLocation::Value("search".to_owned())));
        assert_eq!(in_pairs("a=b&sea%00rch=x"), Some(NulLocation::Name));
        assert_eq!(in_pairs("a=x\0"), Some(NulLocation::Value("a".to_owned())));
        assert_eq!(in_pairs("a=%2500"), None);
    }
}
