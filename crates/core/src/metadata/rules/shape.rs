//! JSON types in words.

use super::report::{Report, echo, label};
use crate::finding::Finding;
use crate::metadata::fields::field::{Field, Kind, Rule};
use serde_json::Value;

/// Reports that the value at `pointer` is not what `expected` says.
pub(crate) fn wrong_type(pointer: &str, expected: &str, found: &Value, hint: &str, report: &mut Report) {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    report.push(Finding::error(
        pointer,
        "wrong_type",
        format!("`{}` must be {expected}, not {found}.{hint}", label(pointer)),
    ));
}

/// What the member must be, in words.
pub(crate) fn expected(field: &Field) -> &'static str {
    match field.kind {
        Kind::String if field.rule == Rule::Scope => "one string of space-separated scopes",
        Kind::String => "a string",
        Kind::StringList => "a list of strings",
        Kind::StringOrList => "a string or a list of strings",
        Kind::StringMap => "an object whose values are strings",
        Kind::HeaderList => "a list of headers",
        Kind::ForwardHeaders => "a list of headers, or an object with `mode` and `headers`",
        Kind::Nested(_) | Kind::MapOf(_) | Kind::Object | Kind::Any => "an object",
        Kind::Boolean => "true or false",
        Kind::Integer(..) => "a whole number",
    }
}

/// What to write instead, where the value says so. Never holds a secret.
pub(crate) fn hint(field: &Field, value: &Value) -> String {
    if field.secret {
        return String::new();
    }
    match (field.kind, value) {
        (Kind::String, Value::Array(list)) if field.rule == Rule::Scope => {
            let scopes: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            scopes.filter(|scopes| !scopes.is_empty()).map(|s| format!(" Write \"{}\".", echo(&s.join(" "))))
        }
        (Kind::String, Value::Array(list)) => match list.as_slice() {
            [Value::String(text)] => Some(format!(" Write \"{}\".", echo(text))),
            _ => None,
        },
        (Kind::StringList, Value::String(text)) => Some(format!(" Write [\"{}\"].", echo(text))),
        _ => None,
    }
    .unwrap_or_else(|| format!(" For example: {}.", field.example))
}
