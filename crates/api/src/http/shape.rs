//! The validation of a body against its documented schema: types, enum values, lengths, ranges, missing and unknown
//! members, each with its JSON Pointer, all in one pass. The OpenAPI document and the validation use the same
//! numbers, so that they agree.

use crate::http::per_type::PerType;
use registry_core::finding::{Finding, Findings, Report, Severity, echo, pointer_push};
use registry_core::metadata::MAX_CONFIGURATION_BYTES;
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::{PartialSchema, ToSchema};

/// Minimum similarity of two names to suggest one for the other.
const MIN_SIMILARITY: f64 = 0.8;
/// Maximum length, in bytes, of a name that is compared with known names: comparing takes time.
const MAX_COMPARED: usize = 64;
/// Maximum length, in bytes, of a member name that a pointer repeats.
const MAX_NAME: usize = 256;
/// Maximum length, in characters, of a text without a length in its schema: ids, slugs, words.
const MAX_TEXT: usize = 2048;

/// The schema of a body, computed once.
struct Compiled {
    whole: Value,
    named: HashMap<String, Value>,
}

static NULL: Value = Value::Null;

static SCHEMAS: PerType<Compiled> = PerType::new();

fn compiled<T: ToSchema + 'static>() -> &'static Compiled {
    SCHEMAS.get::<T>(|| {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let named =
            named.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)));
        Compiled {
            named: named.collect(),
            whole: serde_json::to_value(<T as PartialSchema>::schema()).unwrap_or_default(),
        }
    })
}

/// Validates `value` against the schema of `T`; with `changes` it must contain at least one member.
pub(crate) fn check<T: ToSchema + 'static>(value: &Value, changes: bool) -> Findings {
    let schema = compiled::<T>();
    let mut shape = SchemaCheck { schema, report: Report::default(), listed: false };
    shape.check_value(value, &schema.whole, "", "");
    if changes && !shape.report.has_errors() && value.as_object().is_some_and(Map::is_empty) {
        shape.report.push(nothing_to_change(&schema.whole));
    }
    shape.report.into_findings()
}

struct SchemaCheck {
    schema: &'static Compiled,
    report: Report,
    /// Whether the known members were listed already: once is enough.
    listed: bool,
}

impl SchemaCheck {
    /// `name` is the name of the value in messages; empty for the whole body.
    fn check_value(&mut self, value: &Value, schema: &'static Value, pointer: &str, name: &str) {
        let schema = self.resolved(schema, value);
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|kind| fits(value, kind)) {
            self.report.push(wrong_type(pointer, name, &types));
            return;
        }
        match value {
            Value::String(text) => self.check_text(text, value, schema, pointer, name),
            Value::Number(_) => self.check_number(value, schema, pointer, name),
            Value::Object(members) => self.check_members(members, schema, pointer),
            Value::Array(items) if schema["items"].is_object() => {
                if let Some(most) = schema["maxItems"].as_u64()
                    && items.len() as u64 > most
                {
                    let message = format!("`{name}` has {} items; it may have at most {most}.", items.len());
                    self.report.push(Finding::error(pointer, "too_many", message));
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    self.check_value(item, &schema["items"], &format!("{pointer}/{index}"), name);
                }
            }
            _ => {}
        }
    }

    fn check_text(&mut self, text: &str, value: &Value, schema: &Value, pointer: &str, name: &str) {
        if let Some(words) = schema["enum"].as_array() {
            if !words.contains(value) {
                self.report.push(unknown_word(pointer, name, text, words));
            }
            return;
        }
        let number = |bound: &str| schema[bound].as_u64().and_then(|number| usize::try_from(number).ok());
        let (min, max) = (number("minLength"), number("maxLength").unwrap_or(MAX_TEXT));
        // The application validates texts with a pattern and configurations, with more precise messages.
        if schema["pattern"].is_string() || max == MAX_CONFIGURATION_BYTES {
            return;
        }
        // A character has at most four bytes, so most texts need not be counted.
        let fits = text.len() <= max || text.chars().count() <= max;
        let finding = match min {
            Some(min) if min > 0 && text.is_empty() => {
                Finding::error(pointer, "empty_value", format!("`{name}` must not be empty."))
            }
            Some(min) if !fits || text.chars().count() < min => Finding::error(
                pointer,
                "invalid_length",
                format!("`{name}` must have {min} to {max} characters."),
            ),
            None if !fits => {
                Finding::error(pointer, "too_long", format!("`{name}` must have at most {max} characters."))
            }
            _ => return,
        };
        self.report.push(finding);
    }

    /// The codes are those of lengths.
    fn check_number(&mut self, value: &Value, schema: &Value, pointer: &str, name: &str) {
        let Some(number) = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)) else {
            return;
        };
        // utoipa writes bounds as integers.
        let whole = |bound: &Value| bound.as_i64().map(i128::from).or_else(|| bound.as_u64().map(i128::from));
        let bound = |name: &str| whole(&schema[name]);
        let (min, max) = (bound("minimum"), bound("maximum"));
        let (low, high) = (min.is_some_and(|min| number < min), max.is_some_and(|max| number > max));
        if !low && !high {
            return;
        }
        let (code, allowed) = match (min, max) {
            (Some(min), Some(max)) => ("invalid_length", format!("between {min} and {max}")),
            (Some(min), None) => ("too_short", format!("at least {min}")),
            (None, Some(max)) => ("too_long", format!("at most {max}")),
            (None, None) => return,
        };
        self.report.push(Finding::error(pointer, code, format!("`{name}` must be {allowed}.")));
    }

    fn check_members(&mut self, members: &Map<String, Value>, schema: &'static Value, pointer: &str) {
        // An object without listed members accepts any member; the application validates it.
        let Some(known) = schema["properties"].as_object() else { return };
        for (name, value) in members {
            match known.get(name) {
                Some(schema) => self.check_value(value, schema, &pointer_push(pointer, name), name),
                None => self.unknown_member(pointer, name, known),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.report.push(Finding::error(
                    pointer_push(pointer, name),
                    "missing_member",
                    format!("`{name}` is missing. Add it."),
                ));
            }
        }
    }

    fn unknown_member(&mut self, above: &str, name: &str, known: &Map<String, Value>) {
        if self.report.is_full(Severity::Error) {
            self.report.drop_one();
            return;
        }
        let pointer = if name.len() > MAX_NAME { above.to_owned() } else { pointer_push(above, name) };
        let mut message = format!("There is no member `{}` here. Remove it.", echo(name));
        if !std::mem::replace(&mut self.listed, true) {
            let listed = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            message = format!("{message} The members are {listed}.");
        }
        let finding = Finding::error(pointer, "unknown_member", message);
        self.report.push(suggest(finding, name, known.keys().map(String::as_str)));
    }

    /// Resolves a reference; of alternatives it takes the one that is not null, unless the value is null.
    fn resolved(&self, schema: &'static Value, value: &Value) -> &'static Value {
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let alternative = alternatives.iter().find(|one| (one["type"] == "null") == value.is_null());
            return alternative.map_or(&NULL, |one| self.resolved(one, value));
        }
        match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => self.schema.named.get(name).unwrap_or(&NULL),
            None => schema,
        }
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn wrong_type(pointer: &str, name: &str, types: &[&str]) -> Finding {
    if pointer.is_empty() {
        return Finding::error(
            "",
            "not_an_object",
            "The body must be a JSON object. Put { and } around its members.",
        );
    }
    let names: Vec<_> = types
        .iter()
        .map(|kind| match *kind {
            "null" => "null",
            "boolean" => "true or false",
            "string" => "a string",
            "integer" => "a whole number",
            "number" => "a number",
            "array" => "a list",
            _ => "an object",
        })
        .collect();
    Finding::error(pointer, "wrong_type", format!("`{name}` must be {}.", names.join(" or ")))
}

fn unknown_word(pointer: &str, name: &str, word: &str, words: &[Value]) -> Finding {
    let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
    let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let finding = Finding::error(pointer, "invalid_value", format!("`{name}` must be one of {listed}."));
    suggest(finding, word, words.into_iter())
}

fn suggest<'a>(finding: Finding, meant: &str, known: impl Iterator<Item = &'a str>) -> Finding {
    if meant.len() > MAX_COMPARED {
        return finding;
    }
    let alike = known
        .map(|name| (strsim::jaro_winkler(&meant.to_ascii_lowercase(), name), name))
        .filter(|(score, _)| *score >= MIN_SIMILARITY)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match alike {
        Some((_, name)) => finding.suggest(name),
        None => finding,
    }
}

fn nothing_to_change(schema: &Value) -> Finding {
    let names = schema["properties"].as_object().into_iter().flat_map(Map::keys);
    let listed = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Finding::error(
        "",
        "nothing_to_change",
        format!("The request body is empty. Send at least one of {listed}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Example {
        #[schema(min_length = 2, max_length = 3)]
        name: String,
        #[schema(max_length = 3)]
        note: Option<String>,
        #[schema(minimum = 1, maximum = 30)]
        wait: Option<i64>,
        #[schema(minimum = 1)]
        generation: Option<i64>,
        #[schema(min_length = 3, max_length = 50, pattern = "^[a-z]+$")]
        slug: Option<String>,
    }

    #[test]
    fn lengths_and_ranges_equal_the_schema() {
        let codes = |body: Value| -> Vec<(String, String)> {
            let findings = check::<Example>(&body, false);
            findings.iter().map(|one| (one.pointer.clone(), one.code.to_string())).collect()
        };
        for (body, found) in [
            (json!({ "name": "äöü", "note": "", "wait": 30, "generation": 1 }), None),
            (json!({ "name": "" }), Some(("/name", "empty_value"))),
            (json!({ "name": "a" }), Some(("/name", "invalid_length"))),
            (json!({ "name": "abcd" }), Some(("/name", "invalid_length"))),
            (json!({ "name": "ab", "note": "abcd" }), Some(("/note", "too_long"))),
            (json!({ "name": "ab", "wait": 31 }), Some(("/wait", "invalid_length"))),
            (json!({ "name": "ab", "wait": u64::MAX }), Some(("/wait", "invalid_length"))),
            (json!({ "name": "ab", "generation": 0 }), Some(("/generation", "too_short"))),
            // The application validates a member with a pattern.
            (json!({ "name": "ab", "slug": "a" }), None),
        ] {
            let found: Vec<_> =
                found.into_iter().map(|(at, code)| (at.to_owned(), code.to_owned())).collect();
            assert_eq!(codes(body.clone()), found, "{body}");
        }
    }
}
