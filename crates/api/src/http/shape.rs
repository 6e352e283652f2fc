//! Checks a request body against the OpenAPI schema of its type: types, enum values, lengths, ranges, missing and unknown
//! members. One pass returns all findings, each with its JSON Pointer. The OpenAPI document is made from the same schema, so
//! the document and the check cannot differ.

use crate::http::per_type::PerType;
use registry_core::finding::{Finding, Findings, Report, Severity, echo, pointer_push};
use registry_core::metadata::MAX_CONFIGURATION_BYTES;
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::{PartialSchema, ToSchema};

/// Minimum Jaro-Winkler similarity, 0 to 1, of a known name that is suggested for an unknown one.
const MIN_SIMILARITY: f64 = 0.8;
/// Maximum length, in bytes, of a name that is compared with known names: comparing takes time.
const MAX_COMPARED_NAME: usize = 64;
/// Maximum length, in bytes, of an unknown member's name that is put into a JSON Pointer.
const MAX_NAME_IN_POINTER: usize = 256;
/// Maximum length, in characters, of a string whose schema has no `maxLength`: ids, slugs, words.
const DEFAULT_MAX_LENGTH: usize = 2048;

/// The OpenAPI schema of one body type as JSON.
struct BodySchema {
    /// The schema of the body itself.
    root: Value,
    /// The schemas that `$ref` names, by name.
    components: HashMap<String, Value>,
}

/// Stands for a schema that is not found; every value conforms to it.
static NO_SCHEMA: Value = Value::Null;

/// One entry per body type, made at the first request.
static SCHEMAS: PerType<BodySchema> = PerType::new();

fn body_schema<T: ToSchema + 'static>() -> &'static BodySchema {
    SCHEMAS.get::<T>(|| {
        let mut components = Vec::new();
        T::schemas(&mut components);
        let components = components
            .into_iter()
            .filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)));
        BodySchema {
            components: components.collect(),
            root: serde_json::to_value(<T as PartialSchema>::schema()).unwrap_or_default(),
        }
    })
}

/// Checks `value` against the schema of `T`. `needs_member`: an object without members is an error (for bodies of updates).
/// `hosted`: members of the body that have no effect, and are no error.
pub(crate) fn check<T: ToSchema + 'static>(
    value: &Value,
    needs_member: bool,
    hosted: &'static [&'static str],
) -> Findings {
    let schema = body_schema::<T>();
    let mut check = BodyCheck { schema, hosted, report: Report::default(), members_listed: false };
    check.check_value(value, &schema.root, "", "");
    if needs_member && !check.report.has_errors() && value.as_object().is_some_and(Map::is_empty) {
        check.report.push(nothing_to_change(&schema.root));
    }
    check.report.into_findings()
}

/// State of one check.
struct BodyCheck {
    schema: &'static BodySchema,
    /// Members of the body itself that have no effect.
    hosted: &'static [&'static str],
    report: Report,
    /// Whether a finding has listed the known members; only the first finding of an unknown member lists them.
    members_listed: bool,
}

impl BodyCheck {
    /// Checks a value and all values in it. `pointer` is the JSON Pointer of the value; `name` is the member's name in messages,
    /// for an item that of its array. Both are empty for the body itself.
    fn check_value(&mut self, value: &Value, schema: &'static Value, pointer: &str, name: &str) {
        let schema = self.resolve(schema, value);
        let types = types_of(schema);
        if !types.is_empty() && !types.iter().any(|json_type| has_type(value, json_type)) {
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
        let bound = |keyword: &str| schema[keyword].as_u64().and_then(|bound| usize::try_from(bound).ok());
        let (min, max) = (bound("minLength"), bound("maxLength").unwrap_or(DEFAULT_MAX_LENGTH));
        // The application checks strings with a pattern, and configurations (recognised by their `maxLength`): it has more
        // rules and better messages for them.
        if schema["pattern"].is_string() || max == MAX_CONFIGURATION_BYTES {
            return;
        }
        // A string has no more characters than bytes, so that most strings need not be counted.
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

    /// Checks the range of an integer. The codes are the same as for lengths (`too_short` is: below the minimum).
    fn check_number(&mut self, value: &Value, schema: &Value, pointer: &str, name: &str) {
        let Some(number) = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)) else {
            return;
        };
        // utoipa writes bounds as integers.
        let whole = |bound: &Value| bound.as_i64().map(i128::from).or_else(|| bound.as_u64().map(i128::from));
        let bound = |keyword: &str| whole(&schema[keyword]);
        let (min, max) = (bound("minimum"), bound("maximum"));
        let too_low = min.is_some_and(|min| number < min);
        let too_high = max.is_some_and(|max| number > max);
        if !too_low && !too_high {
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
        // A schema without `properties` accepts any members; the application checks them.
        let Some(known) = schema["properties"].as_object() else { return };
        for (name, value) in members {
            match known.get(name) {
                Some(schema) => self.check_value(value, schema, &pointer_push(pointer, name), name),
                None if pointer.is_empty() && self.hosted.contains(&name.as_str()) => {
                    let why =
                        format!("`{name}` has no effect here: it is a member of the hosted product's API.");
                    self.report.push(Finding::notice(pointer_push(pointer, name), "ignored_member", why));
                }
                None => self.report_unknown_member(pointer, name, known),
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

    /// Reports the member `name` of the object at `parent` (a JSON Pointer), whose schema has only the members `known`.
    fn report_unknown_member(&mut self, parent: &str, name: &str, known: &Map<String, Value>) {
        if self.report.is_full(Severity::Error) {
            self.report.drop_one();
            return;
        }
        let pointer =
            if name.len() > MAX_NAME_IN_POINTER { parent.to_owned() } else { pointer_push(parent, name) };
        let mut message = format!("There is no member `{}` here. Remove it.", echo(name));
        if !std::mem::replace(&mut self.members_listed, true) {
            let listed = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            message = format!("{message} The members are {listed}.");
        }
        let finding = Finding::error(pointer, "unknown_member", message);
        self.report.push(suggest(finding, name, known.keys().map(String::as_str)));
    }

    /// Follows `$ref` and `oneOf`. Each `oneOf` here is `null` or one other schema: it stands for an `Option`.
    fn resolve(&self, schema: &'static Value, value: &Value) -> &'static Value {
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let alternative = alternatives.iter().find(|one| (one["type"] == "null") == value.is_null());
            return alternative.map_or(&NO_SCHEMA, |one| self.resolve(one, value));
        }
        match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => self.schema.components.get(name).unwrap_or(&NO_SCHEMA),
            None => schema,
        }
    }
}

/// The JSON types that `schema` accepts; empty: any.
fn types_of(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(value: &Value, json_type: &str) -> bool {
    match json_type {
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
        .map(|json_type| match *json_type {
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

/// Adds the most similar name of `known` to `finding`, if one is similar enough to `given`.
fn suggest<'a>(finding: Finding, given: &str, known: impl Iterator<Item = &'a str>) -> Finding {
    if given.len() > MAX_COMPARED_NAME {
        return finding;
    }
    let most_similar = known
        .map(|name| (strsim::jaro_winkler(&given.to_ascii_lowercase(), name), name))
        .filter(|(score, _)| *score >= MIN_SIMILARITY)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match most_similar {
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
    fn lengths_and_ranges_are_those_of_the_schema() {
        let codes = |body: Value| -> Vec<(String, String)> {
            let findings = check::<Example>(&body, false, &[]);
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
            // The application checks a member with a pattern.
            (json!({ "name": "ab", "slug": "a" }), None),
        ] {
            let found: Vec<_> =
                found.into_iter().map(|(at, code)| (at.to_owned(), code.to_owned())).collect();
            assert_eq!(codes(body.clone()), found, "{body}");
        }
    }
}
