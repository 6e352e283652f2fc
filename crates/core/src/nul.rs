//! Finds the character NUL (U+0000) in input. PostgreSQL cannot store NUL in text, SQLite can. Every entry point refuses
//! input with NUL, so that the product behaves the same with both databases.

use crate::finding::{Finding, Path, echo};
use serde_json::{Map, Value};

/// The stable code of every finding about NUL.
pub const CODE: &str = "nul_character";
/// The escape of NUL in JSON. A JSON text with these characters need not contain NUL: `\\u0000` is an escaped backslash
/// and the text `u0000`.
pub const ESCAPE: &str = "\\u0000";
/// The most findings about one text; a single finding is enough to refuse it.
const MAX_FINDINGS: usize = 100;

/// One finding, with its JSON Pointer, for each string and each member name in `value` that contains NUL; at most 100.
/// `text` is the JSON text of `value`: without [`ESCAPE`] in it, `value` cannot contain NUL and is not searched.
pub fn findings(text: &str, value: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    if text.contains(ESCAPE) {
        search_value(value, Path::at(""), &mut found);
    }
    found
}

/// As [`findings`], for the members of an object.
pub fn findings_in_object(text: &str, members: &Map<String, Value>) -> Vec<Finding> {
    let mut found = Vec::new();
    if text.contains(ESCAPE) {
        search_members(members, Path::at(""), &mut found);
    }
    found
}

/// Whether any string or member name in `value`, at any depth, contains NUL.
pub fn is_within(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(is_within),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || is_within(value)),
        _ => false,
    }
}

fn search_value(value: &Value, path: Path<'_>, found: &mut Vec<Finding>) {
    match value {
        Value::String(text) if text.contains('\0') => {
            add(
                found,
                path,
                "This text contains the character NUL (`\\u0000`), which cannot be stored. Remove it.",
            );
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search_value(item, path.element(index), found);
            }
        }
        Value::Object(members) => search_members(members, path, found),
        _ => {}
    }
}

fn search_members(members: &Map<String, Value>, path: Path<'_>, found: &mut Vec<Finding>) {
    for (name, member) in members {
        let member_path = path.member(name);
        if name.contains('\0') {
            add(
                found,
                member_path,
                "The name of this member contains the character NUL (`\\u0000`), which cannot be stored. Remove it.",
            );
            // The finding about the name is enough: the value of this member is not searched.
            continue;
        }
        search_value(member, member_path, found);
    }
}

fn add(found: &mut Vec<Finding>, path: Path<'_>, message: &'static str) {
    if found.len() < MAX_FINDINGS {
        found.push(Finding::error(path.pointer(), CODE, message));
    }
}

/// Which part of a URL or form contains NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NulLocation {
    /// The path segment with this index; 0: the first segment after the leading `/`.
    Segment(usize),
    /// The value of the query parameter or form field with this name.
    Value(String),
    /// The name of a query parameter or form field.
    Name,
}

/// The first segment that contains NUL in `path`, a percent-encoded path with a leading `/`.
pub fn in_path(path: &str) -> Option<NulLocation> {
    if !path.contains("%00") {
        return None;
    }
    path.split('/').skip(1).position(|segment| segment.contains("%00")).map(NulLocation::Segment)
}

/// The first name or value that contains NUL in `text`, a query or a form in `application/x-www-form-urlencoded`.
pub fn in_pairs(text: &str) -> Option<NulLocation> {
    // A form may contain NUL unencoded; a query cannot.
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
