//! The shape of a body, judged by the schema that documents it: types, words, lengths of lists, missing and unknown
//! members, each with its pointer, all at once. So the document and what is accepted cannot drift apart.

use crate::http::per_type::PerType;
use registry_core::finding::{Finding, Findings, Report, Severity, echo, pointer_push};
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::{PartialSchema, ToSchema};

/// How alike two names must be to suggest one for the other.
const ALIKE: f64 = 0.8;
/// Longer names are not compared: nobody misspells that much, and comparing costs.
const MAX_COMPARED: usize = 64;
/// The longest name of a member that a pointer repeats, in bytes.
const MAX_NAME: usize = 256;
/// The longest text, in characters, of a member whose schema says nothing of its length: ids, slugs, words.
const MAX_TEXT: usize = 2048;

/// The schema of a body, made once.
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

/// Judges `value` by the schema of `T`; with `changes` it must say at least one thing.
pub(crate) fn check<T: ToSchema + 'static>(value: &Value, changes: bool) -> Findings {
    let schema = compiled::<T>();
    let mut shape = Shape { schema, report: Report::default(), listed: false };
    shape.judge(value, &schema.whole, "", "");
    if changes && !shape.report.has_errors() && value.as_object().is_some_and(Map::is_empty) {
        shape.report.push(nothing_to_change(&schema.whole));
    }
    shape.report.into_findings()
}

struct Shape {
    schema: &'static Compiled,
    report: Report,
    /// Whether an unknown member was told which members there are: once is enough.
    listed: bool,
}

impl Shape {
    /// `name` is how the value is called in sentences; empty for the whole body.
    fn judge(&mut self, value: &Value, schema: &'static Value, pointer: &str, name: &str) {
        let schema = self.resolved(schema, value);
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|kind| fits(value, kind)) {
            self.report.push(wrong_type(pointer, name, &types));
            return;
        }
        match value {
            Value::String(text) => self.check_url(text, value, schema, pointer, name),
            Value::Object(members) => self.judge_members(members, schema, pointer),
            Value::Array(items) if schema["items"].is_object() => {
                if let Some(most) = schema["maxItems"].as_u64()
                    && items.len() as u64 > most
                {
                    let message = format!("`{name}` has {} items; it may have at most {most}.", items.len());
                    self.report.push(Finding::error(pointer, "too_many", message));
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    self.judge(item, &schema["items"], &format!("{pointer}/{index}"), name);
                }
            }
            _ => {}
        }
    }

    fn check_url(&mut self, text: &str, value: &Value, schema: &Value, pointer: &str, name: &str) {
        if let Some(words) = schema["enum"].as_array() {
            if !words.contains(value) {
                self.report.push(unknown_word(pointer, name, text, words));
            }
        } else if schema["maxLength"].is_null() && text.len() > MAX_TEXT && text.chars().count() > MAX_TEXT {
            let message = format!("`{name}` has at most {MAX_TEXT} characters.");
            self.report.push(Finding::error(pointer, "too_long", message));
        }
    }

    fn judge_members(&mut self, members: &Map<String, Value>, schema: &'static Value, pointer: &str) {
        // An object without listed members is free: others judge it.
        let Some(known) = schema["properties"].as_object() else { return };
        for (name, value) in members {
            match known.get(name) {
                Some(schema) => self.judge(value, schema, &pointer_push(pointer, name), name),
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

    /// The schema behind a reference; of alternatives the one that is not null, unless the value is.
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
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match alike {
        Some((_, name)) => finding.suggest(name),
        None => finding,
    }
}

fn nothing_to_change(schema: &Value) -> Finding {
    let names = schema["properties"].as_object().into_iter().flat_map(Map::keys);
    let listed = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Finding::error("", "nothing_to_change", format!("The body says nothing. Send at least one of {listed}."))
}
