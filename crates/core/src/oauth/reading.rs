//! Finds the client in an answer whose form is odd but whose meaning is certain (INV-33): JSON in a JSON string, a list of one,
//! a wrapper with one member, names in camel case.

use super::clean::clean;
use super::http_answer::HttpAnswer;
use super::json::{bare_name, read_value};
use super::markup::{is_page, page_words};
use serde_json::{Map, Value};

/// How many layers of strings, lists and wrappers are opened.
const MAX_LAYERS: usize = 4;

/// The members that an answer may name in camel case.
const MEMBERS: [&str; 16] = [
    "client_id",
    "client_secret",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_client_uri",
    "registration_access_token",
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "application_type",
];

/// An answer as it was read.
pub(super) struct Reading {
    /// The object that holds the members; or why there is none, which completes "It answered 201 …".
    pub(super) members: Result<Map<String, Value>, String>,
    /// The whole value, if it is JSON.
    pub(super) value: Option<Value>,
    /// What was odd.
    pub(super) warnings: Vec<String>,
}

/// Reads the answer to a registration, a read or an update.
pub(super) fn read_members(answer: &HttpAnswer<'_>) -> Reading {
    let body = answer.text();
    let mut warnings: Vec<String> = body.warning.into_iter().collect();
    let text = body.text.trim();
    if text.is_empty() {
        return Reading { members: Err("without a body".to_owned()), value: None, warnings };
    }
    let value = match read_value(text) {
        Ok(value) => value,
        Err(error) => {
            let what = if is_page(text) {
                match page_words(text) {
                    Some(words) => format!("with a page (\"{}\") instead of JSON", clean(&words, 100)),
                    None => "with a page instead of JSON".to_owned(),
                }
            } else {
                format!("with a body that is not valid JSON ({})", clean(&error.to_string(), 120))
            };
            return Reading { members: Err(what), value: None, warnings };
        }
    };
    let members = opened(value.clone(), &mut warnings);
    Reading { members, value: Some(value), warnings }
}

fn opened(mut value: Value, warnings: &mut Vec<String>) -> Result<Map<String, Value>, String> {
    for _ in 0..MAX_LAYERS {
        value = match value {
            Value::String(text) => {
                let Ok(inner) = read_value(text.trim()) else {
                    return Err("with a text instead of a JSON object".to_owned());
                };
                warnings.push("The answer is JSON inside a JSON string; it was read from there.".to_owned());
                inner
            }
            Value::Array(items) if items.len() == 1 => {
                warnings.push("The answer is a list; its one item was read.".to_owned());
                items.into_iter().next().unwrap_or_default()
            }
            Value::Array(items) => {
                return Err(format!("with a list of {} items instead of one JSON object", items.len()));
            }
            Value::Object(mut members) => {
                if has_client_id(&members) {
                    return Ok(members);
                }
                if rename_camel_case(&mut members) {
                    warnings.push("The answer names its members in camel case, such as `clientId`; they were read all the same.".to_owned());
                    return Ok(members);
                }
                match wrapped(&members) {
                    Some((name, inner)) => {
                        warnings.push(format!(
                            "The client was answered inside `{}`; it was read from there.",
                            clean(&name, 60)
                        ));
                        inner
                    }
                    None => return Ok(members),
                }
            }
            other => return Err(format!("with {} instead of a JSON object", clean(&other.to_string(), 40))),
        };
    }
    Err("with JSON inside JSON too many times".to_owned())
}

fn has_client_id(members: &Map<String, Value>) -> bool {
    members.get("client_id").is_some_and(|id| !id.is_null())
}

/// The one member that holds the client.
fn wrapped(members: &Map<String, Value>) -> Option<(String, Value)> {
    let holds = |value: &Value| match value {
        Value::Object(inner) => inner.contains_key("client_id") || inner.contains_key("clientId"),
        Value::Array(items) => {
            items.len() == 1
                && items[0]
                    .as_object()
                    .is_some_and(|inner| inner.contains_key("client_id") || inner.contains_key("clientId"))
        }
        Value::String(text) => text.trim_start().starts_with('{') && text.contains("client_id"),
        _ => false,
    };
    let mut holding = members.iter().filter(|(_, value)| {
        holds(value) || value.as_object().is_some_and(|inner| inner.len() == 1 && inner.values().all(holds))
    });
    let (name, value) = holding.next()?;
    holding.next().is_none().then(|| (name.clone(), value.clone()))
}

/// Gives the members of RFC 7591 that are named in camel case their names; false if `client_id` is not among them.
fn rename_camel_case(members: &mut Map<String, Value>) -> bool {
    if !members.iter().any(|(name, value)| bare_name(name) == "clientid" && !value.is_null()) {
        return false;
    }
    for member in MEMBERS {
        if members.contains_key(member) {
            continue;
        }
        let wanted = bare_name(member);
        let found = members.keys().find(|name| bare_name(name) == wanted).cloned();
        if let Some(value) = found.and_then(|name| members.shift_remove(&name)) {
            members.insert(member.to_owned(), value);
        }
    }
    true
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn client_is_found_where_its_meaning_is_certain() {
        let client = json!({ "client_id": "c", "redirect_uris": [] });
        let text = client.to_string();
        for (answer, warnings) in [
            (client.clone(), 0),
            (json!(text), 1),
            (json!(json!(text).to_string()), 2),
            (json!([client]), 1),
            (json!({ "data": client }), 1),
            (json!({ "client": client, "status": "ok" }), 1),
            (json!({ "result": { "client": client } }), 2),
            (json!({ "data": [client] }), 2),
            (json!({ "body": text, "statusCode": 201 }), 2),
            (json!({ "clientId": "c", "redirectUris": [] }), 1),
            (json!({ "data": { "clientId": "c", "redirectUris": [] } }), 2),
            (json!([{ "Client_Id": "c", "redirectURIs": [] }]), 2),
        ] {
            let body = answer.to_string();
            let read = read_members(&HttpAnswer::new(201, body.as_bytes()));
            assert_eq!(Value::Object(read.members.unwrap()), client, "{answer}");
            assert_eq!(read.warnings.len(), warnings, "{answer}: {:?}", read.warnings);
        }
    }

    #[test]
    fn answers_without_one_client_say_why() {
        for (body, why) in [
            ("", "without a body"),
            (" \n", "without a body"),
            ("null", "null"),
            ("7", "with 7"),
            ("\"made\"", "a text"),
            ("[]", "a list of 0 items"),
            ("[{\"client_id\":\"a\"},{\"client_id\":\"b\"}]", "a list of 2 items"),
            ("<html><title>Sign in</title>", "Sign in"),
            ("{\"client_id\":\"a\",\"client_id\":\"b\"}", "`client_id` is there twice"),
            ("{\"client_id\":\"a\"", "not valid JSON"),
            ("{\"client_id\":\"a\"} x", "not valid JSON"),
            ("client_id=a", "not valid JSON"),
            ("{'client_id':'a'}", "not valid JSON"),
        ] {
            let read = read_members(&HttpAnswer::new(201, body.as_bytes()));
            let said = read.members.unwrap_err();
            assert!(said.contains(why), "{body}: {said}");
        }
        // Two clients in two members: which one is meant is not certain.
        let two = json!({ "a": { "client_id": "a" }, "b": { "client_id": "b" } }).to_string();
        assert!(
            !read_members(&HttpAnswer::new(201, two.as_bytes())).members.unwrap().contains_key("client_id")
        );
    }
}
