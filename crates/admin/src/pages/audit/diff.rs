//! What an event changed, member by member. Text that is a JSON object, such as a configuration, is compared by its members.

use registry_core::metadata::read_members;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A member that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Where it is: `oauth_client_metadata.client_name`; empty: the value is no object.
    pub(super) path: String,
    /// Its value before; `None`: it was not there.
    pub(super) before: Option<String>,
    /// Its value after; `None`: it is not there.
    pub(super) after: Option<String>,
}

impl Change {
    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or(self.path.as_str(), |(_, name)| name)
    }
}

/// The members in which `before` and `after` differ, in the order of their paths.
pub(super) fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let (before, after) = (members(before), members(after));
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let differing = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differing
        .map(|path| Change {
            path: path.clone(),
            before: before.get(path).cloned(),
            after: after.get(path).cloned(),
        })
        .collect()
}

/// The members of a value, with their paths. Null is a member that is not there.
fn members(value: Option<&Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Some(value) = value {
        collect(String::new(), value, &mut found);
    }
    found
}

fn collect(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    if let Some(object) = as_object(value) {
        for (name, member) in &*object {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(path, member, found);
        }
    } else if !value.is_null() {
        found.insert(path, shown(value));
    }
}

/// The value as an object: as it is, or the text of one.
fn as_object(value: &Value) -> Option<Cow<'_, Map<String, Value>>> {
    match value {
        Value::Object(object) => Some(Cow::Borrowed(object)),
        Value::String(text) if text.trim_start().starts_with('{') => read_members(text).map(Cow::Owned),
        _ => None,
    }
}

/// Text as it is, everything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_and_texts_of_objects_are_compared_by_members() {
        let change = |path: &str, before: Option<&str>, after: Option<&str>| Change {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let old = r#"{"oauth_client_metadata": {"client_name": "A", "contacts": ["a@x.test", "b@x.test"]}, "tools": {}}"#;
        let new = r#"{"oauth_client_metadata": {"client_name": "B", "contacts": ["a@x.test", "b@x.test"], "scope": "mcp"}}"#;
        let name = change("oauth_client_metadata.client_name", Some("A"), Some("B"));
        let scope = change("oauth_client_metadata.scope", None, Some("mcp"));
        for (before, after, expected) in [
            (json!(old), json!(new), vec![name, scope]),
            (
                json!({ "name": "A", "url": "u" }),
                json!({ "name": "B", "url": "u" }),
                vec![change("name", Some("A"), Some("B"))],
            ),
            (
                json!({ "n": 1, "list": [1, 2] }),
                json!({ "n": 2, "list": [1] }),
                vec![change("list", Some("[1,2]"), Some("[1]")), change("n", Some("1"), Some("2"))],
            ),
            (json!("{ not json"), json!(null), vec![change("", Some("{ not json"), None)]),
            (json!(false), json!(true), vec![change("", Some("false"), Some("true"))]),
            (json!({ "a": null }), json!({}), vec![]),
        ] {
            assert_eq!(changes(Some(&before), Some(&after)), expected, "{before} {after}");
        }
        assert_eq!(changes(None, Some(&json!({ "role": "viewer" }))), [change("role", None, Some("viewer"))]);
        assert_eq!(change("a.b", None, None).name(), "b");
    }
}
