//! Edits of a text: what they change, and what they leave alone.

use super::properties::configurations;
use crate::finding::pointer_push;
use crate::metadata::{
    formatted, read_members, remove_member, rename_member, secret_places, set_member, unwrap_member,
    wrap_client_metadata,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const TALL: &str = "{\n    \"oauth_metadata\" : {\n        \"client_name\": \"Acme\",\n        \"x_own\":   [ 1.0, 2e3 ],\n        \"contacts\": [\"a@acme.com\"]\n    },\n\t\"tools\": {}\n}\n";

#[test]
fn member_is_set_in_place_or_appended() {
    for (text, pointer, value, expected) in [
        ("", "/a/b", json!("x"), "{\n  \"a\": {\n    \"b\": \"x\"\n  }\n}"),
        (" \n", "/a", json!(["x"]), "{\n  \"a\": [\"x\"]\n}"),
        ("{}", "/a/b", json!("x"), "{\n  \"a\": {\n    \"b\": \"x\"\n  }\n}"),
        (r#"{"a":{"b":"x","c":1}}"#, "/a/b", json!("y"), r#"{"a":{"b":"y","c":1}}"#),
        (r#"{"a":{"b":"x"}}"#, "/a/c", json!(["y", "z"]), r#"{"a":{"b":"x","c":["y","z"]}}"#),
        (r#"{ "a": {"b": "x"} }"#, "/a/c", json!("y"), r#"{ "a": {"b": "x", "c": "y"} }"#),
        (r#"{ "a": {} }"#, "/a/b", json!({"c": 1}), r#"{ "a": {"b": {"c": 1}} }"#),
        (r#"{"a": null}"#, "/a/b", json!("y"), r#"{"a": {"b": "y"}}"#),
        (r#"{"a/b": 1, "a/b": 2}"#, "/a~1b", json!(3), r#"{"a/b": 1, "a/b": 3}"#),
        ("{\r\n \"a\": {}\r\n}", "/a/b", json!(1), "{\r\n \"a\": {\r\n  \"b\": 1\r\n }\r\n}"),
        ("{\n  \"a\": [\n    1\n  ]\n}", "/a", json!([2, 3]), "{\n  \"a\": [\n    2,\n    3\n  ]\n}"),
        (
            "{\n  \"a\": {\"b\": 1}\n}",
            "/c",
            json!({"d": 1}),
            "{\n  \"a\": {\"b\": 1},\n  \"c\": {\n    \"d\": 1\n  }\n}",
        ),
    ] {
        assert_eq!(set_member(text, pointer, &value).as_deref(), Some(expected), "{text}");
    }
    for (text, pointer) in
        [("[]", "/a"), ("{", "/a"), (r#"{"a": "x"}"#, "/a/b"), (r#"{"a": []}"#, "/a/0"), ("{}", "")]
    {
        assert_eq!(set_member(text, pointer, &json!(1)), None, "{text}");
    }
}

#[test]
fn edit_changes_only_the_lines_of_the_member() {
    let set = set_member(TALL, "/oauth_metadata/client_name", &json!("Other \"name\"")).unwrap();
    assert_eq!(set, TALL.replace("\"Acme\"", "\"Other \\\"name\\\"\""));
    let added = set_member(TALL, "/oauth_metadata/scope", &json!("a b")).unwrap();
    let line = "\"contacts\": [\"a@acme.com\"]";
    assert_eq!(added, TALL.replace(line, &format!("{line},\n        \"scope\": \"a b\"")));
    let nested = set_member(TALL, "/tools/allowed", &json!(["x"])).unwrap();
    assert_eq!(nested, TALL.replace("{}", "{\n\t    \"allowed\": [\"x\"]\n\t}"));
    assert_eq!(remove_member(&added, "/oauth_metadata/scope").as_deref(), Some(TALL));
    let first = remove_member(TALL, "/oauth_metadata/client_name").unwrap();
    assert_eq!(first, TALL.replace("\"client_name\": \"Acme\",\n        ", ""));
}

#[test]
fn member_is_removed_with_its_comma() {
    for (text, pointer, expected) in [
        (r#"{"a": 1}"#, "/a", "{}"),
        (r#"{ "a": 1, "b": 2, "c": 3 }"#, "/b", r#"{ "a": 1, "c": 3 }"#),
        (r#"{ "a": 1, "b": 2 }"#, "/b", r#"{ "a": 1 }"#),
        (r#"{"a": 1, "b": 2, "a": 3}"#, "/a", r#"{"b": 2}"#),
        (r#"{"a": {"b": 2}}"#, "/a/b", r#"{"a": {}}"#),
        (r#"{"a": [1]}"#, "/b", r#"{"a": [1]}"#),
        ("", "/b", ""),
    ] {
        assert_eq!(remove_member(text, pointer).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(remove_member("{", "/a"), None);
}

#[test]
fn member_name_is_fixed_in_place() {
    let text = r#"{"oauth_client_metadata":{ "clientname" : "A" }}"#;
    let mended = rename_member(text, "/oauth_client_metadata/clientname", "client_name").unwrap();
    assert_eq!(mended, text.replace("clientname", "client_name"));
    assert_eq!(rename_member(r#"{"a":1,"b":2}"#, "/a", "b"), None, "it would be there twice");
    assert_eq!(rename_member("{}", "/a", "b"), None);
}

#[test]
fn layout_keeps_the_meaning_of_a_text() {
    assert_eq!(
        formatted(r#"{"a":{"b":1.0,"c":[ "x","\u00e9" ],"d":[{"e":{}}],"f":[]}}"#).as_deref(),
        Some(
            "{\n  \"a\": {\n    \"b\": 1.0,\n    \"c\": [\"x\", \"\\u00e9\"],\n    \"d\": [\n      {\n        \"e\": {}\n      }\n    ],\n    \"f\": []\n  }\n}"
        )
    );
    let long = json!({ "list": vec!["a long entry of a list"; 6] }).to_string();
    assert_eq!(formatted(&long).unwrap().lines().count(), 10);
    assert_eq!(formatted("{\n}\n").as_deref(), Some("{}\n"));
    assert_eq!(formatted("{,}"), None);
}

#[test]
fn wrappers_are_fixed() {
    let inner = "{\n  \"oauth_client_metadata\": {\n    \"client_name\": \"A\"\n  }\n}";
    for (text, pointer) in [
        (
            r#"{"oauth_client_metadata":{"oauth_client_metadata":{"client_name":"A"}}}"#,
            "/oauth_client_metadata/oauth_client_metadata",
        ),
        (
            r#"{"oauth_client_metadata":{"oauth_metadata":{"client_name":"A"}}}"#,
            "/oauth_client_metadata/oauth_metadata",
        ),
        (r#"{"configurations":{"oauth_client_metadata":{"client_name":"A"}}}"#, "/configurations"),
    ] {
        assert_eq!(unwrap_member(text, pointer).as_deref(), Some(inner));
    }
    let both = r#"{"oauth_client_metadata":{"client_name":"B","oauth_metadata":{"client_name":"A"}}}"#;
    assert_eq!(
        unwrap_member(both, "/oauth_client_metadata/oauth_metadata"),
        None,
        "nobody can say which is meant"
    );
    assert_eq!(unwrap_member(r#"{"configurations":1}"#, "/configurations"), None);

    assert_eq!(wrap_client_metadata(r#"{"client_name":"A"}"#).as_deref(), Some(inner));
    let mixed = wrap_client_metadata(r#"{"headers":{},"scope":"a","clientname":"x","tools":{}}"#).unwrap();
    assert_eq!(
        read_members(&mixed).unwrap(),
        *json!({"headers":{},"oauth_client_metadata":{"scope":"a","clientname":"x"},"tools":{}})
            .as_object()
            .unwrap()
    );
    let beside = wrap_client_metadata(r#"{"oauth_metadata":{"scope":"a"},"client_name":"A"}"#).unwrap();
    assert_eq!(
        Value::from(read_members(&beside).unwrap()),
        json!({"oauth_metadata":{"scope":"a","client_name":"A"}})
    );
    assert_eq!(wrap_client_metadata(r#"{"oauth_metadata":{"scope":"a"},"scope":"b"}"#), None);
    assert_eq!(wrap_client_metadata(inner), None, "nothing to move");
}

#[test]
fn secret_positions_are_known_without_values() {
    let text = r#"{"custom_headers":{"X-Key":"$sealed:0190f2a4-0000-7000-8000-000000000000"},"oauth_metadata":{"client_secret":"typed"}}"#;
    let places: Vec<(String, bool)> =
        secret_places(text).into_iter().map(|place| (place.pointer, place.is_sealed)).collect();
    assert_eq!(
        places,
        [("/custom_headers/X-Key".to_owned(), true), ("/oauth_metadata/client_secret".to_owned(), false)]
    );
    assert!(secret_places("{").is_empty());
}

/// `document` with the member at `path` set, or removed.
fn changed(document: &Map<String, Value>, path: &[&str], value: Option<&Value>) -> Value {
    let mut changed = document.clone();
    match (path, value) {
        ([name], Some(value)) => {
            changed.insert((*name).to_owned(), value.clone());
        }
        ([name], None) => {
            changed.shift_remove(*name);
        }
        ([name, rest @ ..], value) => {
            let inner = match document.get(*name) {
                Some(Value::Object(inner)) => inner.clone(),
                _ if value.is_none() => return Value::Object(changed),
                _ => Map::new(),
            };
            changed.insert((*name).to_owned(), self::changed(&inner, rest, value));
        }
        ([], _) => {}
    }
    Value::Object(changed)
}

proptest! {
    #[test]
    fn edit_changes_only_its_member(
        text in configurations(),
        name in prop_oneof![Just("client_name".to_owned()), Just("scope".to_owned()), ".{1,6}"],
        value in prop_oneof![Just(json!(["a", "b"])), ".{0,9}".prop_map(Value::from)],
    ) {
        let document = read_members(&text).unwrap();
        let path = ["oauth_client_metadata", name.as_str()];
        let pointer = pointer_push("/oauth_client_metadata", &name);
        let is_open = matches!(document["oauth_client_metadata"], Value::Object(_) | Value::Null);
        let set = set_member(&text, &pointer, &value);
        prop_assert_eq!(set.is_some(), is_open);
        if let Some(set) = set {
            prop_assert_eq!(Value::from(read_members(&set).unwrap()), changed(&document, &path, Some(&value)));
            prop_assert_eq!(set_member(&set, &pointer, &value), Some(set.clone()), "setting it again changes no byte");
            let removed = remove_member(&set, &pointer).unwrap();
            let mut without = read_members(&set).unwrap();
            without["oauth_client_metadata"].as_object_mut().unwrap().shift_remove(&name);
            prop_assert_eq!(read_members(&removed).unwrap(), without);
            // Every line that does not hold the member is there as before.
            let old: Vec<&str> = text.lines().collect();
            let new: Vec<&str> = set.lines().collect();
            let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
            let was = document["oauth_client_metadata"].get(&name).map_or(1, |old| {
                serde_json::to_string_pretty(old).unwrap().lines().count()
            });
            prop_assert!(old.len().saturating_sub(start + end) <= was.max(1), "{text}\n{set}");
        }
        let removed = remove_member(&text, &pointer).unwrap();
        prop_assert_eq!(Value::from(read_members(&removed).unwrap()), changed(&document, &path, None));
        let laid_out = formatted(&text).unwrap();
        prop_assert_eq!(read_members(&laid_out).unwrap(), document);
        prop_assert_eq!(formatted(&laid_out).unwrap(), laid_out);
    }
}
