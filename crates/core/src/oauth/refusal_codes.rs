//! The codes in a refusal: the error code of OAuth wherever it stands, and the status that a body names.

use serde_json::{Map, Value};

/// The error codes of OAuth, of registrations first (RFC 7591 §3.2.2, RFC 6749 §5.2, RFC 6750 §3.1).
const CODES: [&str; 14] = [
    "invalid_redirect_uri",
    "invalid_client_metadata",
    "invalid_software_statement",
    "unapproved_software_statement",
    "invalid_token",
    "insufficient_scope",
    "access_denied",
    "invalid_scope",
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "temporarily_unavailable",
    "server_error",
];

/// A member's name without case and separators.
pub(super) fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-', ' ', '.', '@'], "")
}

/// The error code: one of OAuth wherever it stands, else what `error` says, else another code.
pub(super) fn error_code(value: &Value) -> Option<String> {
    let mut texts = Vec::new();
    codes(value, 0, &mut texts);
    let known = texts.iter().find_map(|text| known_code(text)).map(str::to_owned);
    let stated = || value.get("error").and_then(Value::as_str).map(str::to_owned);
    known.or_else(stated).or_else(|| texts.into_iter().next()).filter(|code| !code.trim().is_empty())
}

/// The code of OAuth that `text` is, or that the address `text` ends with.
pub(super) fn known_code(text: &str) -> Option<&'static str> {
    let word = text.rsplit([':', '/', '#']).next().unwrap_or(text).to_ascii_lowercase();
    CODES.iter().find(|code| **code == word).copied()
}

/// Whether the text of a member so named is a code. A type is often an address, and a status a number.
fn is_code(member: &str, text: &str, depth: usize) -> bool {
    match member {
        "error" | "errorcode" | "code" => text.parse::<f64>().is_err(),
        "status" => depth > 0 && text.parse::<f64>().is_err(),
        "type" => known_code(text).is_some(),
        _ => false,
    }
}

fn codes(value: &Value, depth: usize, texts: &mut Vec<String>) {
    if depth > 3 || texts.len() > 20 {
        return;
    }
    match value {
        Value::Object(members) => {
            for wanted in [
                "error",
                "errorcode",
                "code",
                "status",
                "type",
                "extensions",
                "errors",
                "errorcauses",
                "fault",
                "detail",
            ] {
                for (_, member) in members.iter().filter(|(name, _)| plain(name) == wanted) {
                    match member {
                        Value::String(text) if is_code(wanted, text, depth) => texts.push(text.clone()),
                        Value::Object(_) | Value::Array(_)
                            if !matches!(wanted, "status" | "type" | "code") =>
                        {
                            codes(member, depth + 1, texts);
                        }
                        _ => {}
                    }
                }
            }
        }
        Value::Array(items) => items.iter().take(3).for_each(|item| {
            if item.is_object() {
                codes(item, depth + 1, texts);
            }
        }),
        _ => {}
    }
}

/// The status of a failure that the body names.
pub(super) fn status_of(value: &Value) -> Option<u16> {
    let number = |value: &Value| {
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
        u16::try_from(number).ok().filter(|status| (400..600).contains(status))
    };
    let members = value.as_object()?;
    let named = |members: &Map<String, Value>| {
        let is_status =
            |name: &str| matches!(plain(name).as_str(), "status" | "statuscode" | "code" | "httpstatus");
        members.iter().filter(|(name, _)| is_status(name)).find_map(|(_, value)| number(value))
    };
    named(members).or_else(|| named(members.get("error")?.as_object()?))
}
