//! The callbacks (`redirect_uris`) of an answer, compared with those that were asked for (RFC 7591 §3.2.1).

use super::clean::clean;
use super::failure::{Failure, FailureClass};
use serde_json::{Map, Value, json};
use url::Url;

/// Our callbacks must be among the registered ones; exactly ours are kept, in our order. An answer without any callback
/// does not repeat them: a server that registered none could not answer authorization requests of any kind.
pub(super) fn check_callbacks(
    answer: &mut Map<String, Value>,
    request: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let answered = answer.shift_remove("redirect_uris");
    let wanted: Vec<String> = request.get("redirect_uris").map(|uris| texts(uris, &[])).unwrap_or_default();
    let registered = answered.as_ref().map(|answered| texts(answered, &wanted)).unwrap_or_default();
    if registered.is_empty() {
        let how = answered
            .map_or_else(String::new, |value| format!(" (it says {})", clean(&value.to_string(), 100)));
        warnings.push(format!(
            "The answer does not repeat `redirect_uris`{how}; it is believed that they were registered."
        ));
        return Ok(());
    }
    if let Some(shape) = answered.as_ref().and_then(odd_shape) {
        warnings.push(format!("`redirect_uris` was answered as {shape} instead of a list."));
    }
    let mut rewritten = None;
    for uri in &wanted {
        if registered.contains(uri) {
            continue;
        }
        match registered.iter().find(|other| same_address(uri, other)) {
            Some(other) => rewritten = Some((uri.clone(), other.clone())),
            None => return Err(not_honoured(&registered)),
        }
    }
    if let Some((uri, other)) = rewritten {
        warnings.push(format!(
            "The authorization server registered the callback {} as {}, which is the same address in another writing. If it refuses authorization requests because of the callback, ask its owner.",
            clean(&uri, 200),
            clean(&other, 200)
        ));
    }
    let others: Vec<&String> = registered
        .iter()
        .filter(|uri| !wanted.iter().any(|one| one == *uri || same_address(one, uri)))
        .collect();
    if let Some(first) = others.first() {
        warnings.push(format!(
            "The authorization server registered callbacks that were not requested: {} of them, first {}. Gateways get only the requested ones. Ask its owner to remove the others.",
            others.len(),
            clean(first, 200)
        ));
    }
    if !wanted.is_empty() {
        answer.insert("redirect_uris".to_owned(), json!(wanted));
    }
    Ok(())
}

/// Whether `value` names any callback.
pub(super) fn names_callbacks(value: &Value) -> bool {
    !texts(value, &[]).is_empty()
}

fn not_honoured(registered: &[String]) -> Failure {
    let named: Vec<String> = registered.iter().take(3).map(|uri| clean(uri, 200)).collect();
    Failure::new(
        FailureClass::NeedsAdmin,
        "redirect_uris_not_honoured",
        format!(
            "The authorization server registered other callbacks than the gateway's ({}), so users could not return from it. Ask its owner to allow the callback URL shown here.",
            named.join(", ")
        ),
    )
}

/// Every text in `value`: callbacks come as a list, as one text, as several in one text, or inside objects. A value that is
/// no text counts as one that nobody asked for.
fn texts(value: &Value, wanted: &[String]) -> Vec<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::String(text) => {
            if let Ok(inner @ Value::Array(_)) = serde_json::from_str(text) {
                return texts(&inner, wanted);
            }
            let several: Vec<String> = text
                .split([' ', ',', '\n', '\t'])
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            let each_is_url = several.len() > 1 && several.iter().all(|part| part.contains("://"));
            if each_is_url && wanted.iter().all(|uri| several.contains(uri)) {
                return several;
            }
            vec![text.clone()]
        }
        Value::Array(items) => items.iter().flat_map(|item| texts(item, wanted)).collect(),
        Value::Object(members) => members.values().flat_map(|item| texts(item, wanted)).collect(),
        Value::Number(number) => vec![format!("{number} (a number)")],
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

fn odd_shape(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) => Some("one string"),
        Value::Object(_) => Some("an object"),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            Some("a nested list")
        }
        _ => None,
    }
}

/// Whether two callbacks are one address in two writings: case of scheme and host, default port, the slash of an empty path,
/// case of percent-encoding (RFC 3986 §6.2.2, §6.2.3). A slash at the end of a path is a difference.
fn same_address(one: &str, other: &str) -> bool {
    // A parser would pass over blanks, which are a difference.
    let has_blank = |uri: &str| uri.contains(|c: char| c.is_whitespace() || c.is_control());
    let written =
        |uri: &str| Url::parse(uri).ok().filter(|_| !has_blank(uri)).map(|url| upper_escapes(url.as_str()));
    written(one).is_some_and(|one| Some(one) == written(other))
}

fn upper_escapes(uri: &str) -> String {
    let mut left = 0;
    uri.chars()
        .map(|c| {
            if c == '%' {
                left = 2;
                return c;
            }
            let in_escape = left > 0;
            left = i32::max(left - 1, 0);
            if in_escape { c.to_ascii_uppercase() } else { c }
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(answered: &Value, wanted: &str) -> (Result<(), &'static str>, Value, Vec<String>) {
        let mut answer = json!({ "redirect_uris": answered }).as_object().unwrap().clone();
        let request = json!({ "redirect_uris": [wanted] }).as_object().unwrap().clone();
        let mut warnings = Vec::new();
        let result = check_callbacks(&mut answer, &request, &mut warnings).map_err(|failure| failure.code);
        (result, answer.get("redirect_uris").cloned().unwrap_or_default(), warnings)
    }

    #[test]
    fn answers_without_callbacks_do_not_repeat_them() {
        for empty in [
            json!([]),
            json!(null),
            json!(""),
            json!(" "),
            json!([""]),
            json!([null]),
            json!({}),
            json!([[]]),
            json!([{}]),
            json!({ "uris": [] }),
            json!(false),
            json!(true),
            json!("[]"),
            json!([" ", null]),
            json!({ "0": "" }),
        ] {
            let (result, kept, warnings) = check(&empty, "https://g/cb");
            assert_eq!((result, kept), (Ok(()), Value::Null), "{empty}");
            assert!(warnings.len() == 1 && warnings[0].contains("does not repeat"), "{empty}: {warnings:?}");
        }
    }

    #[test]
    fn callbacks_are_found_in_every_shape() {
        for (shape, warned) in [
            (json!(["https://g/cb"]), false),
            (json!("https://g/cb"), true),
            (json!("https://g/cb https://g/other"), true),
            (json!("https://x/y,https://g/cb"), true),
            (json!("[\"https://g/cb\"]"), true),
            (json!({ "0": "https://g/cb" }), true),
            (json!([{ "uri": "https://g/cb" }]), true),
            (json!([["https://g/cb"]]), true),
            (json!(["https://g/cb", null, ""]), false),
            (json!(["https://g/cb", "https://other/cb"]), true),
            (json!(["https://g/cb", 7]), true),
            (json!(["HTTPS://G/cb"]), true),
            (json!(["https://g:443/cb"]), true),
        ] {
            let (result, kept, warnings) = check(&shape, "https://g/cb");
            assert_eq!((result, kept), (Ok(()), json!(["https://g/cb"])), "{shape}");
            assert_eq!(!warnings.is_empty(), warned, "{shape}: {warnings:?}");
        }
        assert_eq!(check(&json!(["https://g/a%2fb"]), "https://g/a%2Fb").0, Ok(()));
        assert_eq!(check(&json!(["https://g/"]), "https://g").0, Ok(()));
    }

    #[test]
    fn other_callbacks_are_refused() {
        for other in [
            json!(["https://other/cb"]),
            json!("https://other/cb"),
            json!(["https://g/cb/"]),
            json!(["https://g/CB"]),
            json!(["http://g/cb"]),
            json!(["https://g:8443/cb"]),
            json!(["https://g/cb?x=1"]),
            json!(["https://g/cb#x"]),
            json!(["https://g.evil/cb"]),
            json!([7]),
            json!(["https://g/cb "]),
            json!(["https://g/cb*"]),
            json!(["*"]),
        ] {
            let (result, ..) = check(&other, "https://g/cb");
            assert_eq!(result, Err("redirect_uris_not_honoured"), "{other}");
        }
        assert_eq!(check(&json!(["https://g/a/b"]), "https://g/a%2Fb").0, Err("redirect_uris_not_honoured"));
    }
}
