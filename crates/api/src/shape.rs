//! The shape of a body, judged by the schema that documents it: types, words, missing and unknown members, each with
//! its pointer, all at once. So the document and what is accepted cannot drift apart.

use registry_core::finding::{Finding, Findings, pointer_push};
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::{PartialSchema, ToSchema};

/// How alike two names must be to suggest one for the other.
const ALIKE: f64 = 0.8;

/// Judges `value` by the schema of `T`; with `changes` it must say at least one thing.
pub(crate) fn check<T: ToSchema>(value: &Value, changes: bool) -> Findings {
    let mut named = Vec::new();
    T::schemas(&mut named);
    let named = named
        .into_iter()
        .filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)))
        .collect::<HashMap<_, _>>();
    let schema = serde_json::to_value(<T as PartialSchema>::schema()).unwrap_or_default();
    let mut shape = Shape { named, findings: Findings::default() };
    shape.judge(value, &schema, "", "");
    if changes && !shape.findings.has_errors() && value.as_object().is_some_and(Map::is_empty) {
        shape.findings.push(nothing_to_change(&schema));
    }
    shape.findings
}

struct Shape {
    named: HashMap<String, Value>,
    findings: Findings,
}

impl Shape {
    /// `name` is how the value is called in sentences; empty for the whole body.
    fn judge(&mut self, value: &Value, schema: &Value, pointer: &str, name: &str) {
        let schema = self.resolved(schema, value);
        let types = types(&schema);
        if !types.is_empty() && !types.iter().any(|kind| fits(value, kind)) {
            self.findings.push(wrong_type(pointer, name, &types));
            return;
        }
        if let (Some(words), Some(word)) = (schema["enum"].as_array(), value.as_str())
            && !words.contains(value)
        {
            self.findings.push(unknown_word(pointer, name, word, words));
        }
        match value {
            Value::Object(members) => self.judge_members(members, &schema, pointer),
            Value::Array(items) if schema["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    self.judge(item, &schema["items"], &format!("{pointer}/{index}"), name);
                }
            }
            _ => {}
        }
    }

    fn judge_members(&mut self, members: &Map<String, Value>, schema: &Value, pointer: &str) {
        // An object without listed members is free: others judge it.
        let Some(known) = schema["properties"].as_object() else { return };
        for (name, value) in members {
            let pointer = pointer_push(pointer, name);
            match known.get(name) {
                Some(schema) => self.judge(value, schema, &pointer, name),
                None => self.findings.push(unknown_member(&pointer, name, known)),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.findings.push(Finding::error(
                    pointer_push(pointer, name),
                    "missing_member",
                    format!("`{name}` is missing. Add it."),
                ));
            }
        }
    }

    /// The schema behind a reference; of alternatives the one that is not null, unless the value is.
    fn resolved(&self, schema: &Value, value: &Value) -> Value {
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let alternative = alternatives.iter().find(|one| (one["type"] == "null") == value.is_null());
            return alternative.map_or(Value::Null, |one| self.resolved(one, value));
        }
        match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => self.named.get(name).cloned().unwrap_or_default(),
            None => schema.clone(),
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

fn unknown_member(pointer: &str, name: &str, known: &Map<String, Value>) -> Finding {
    let listed = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let finding = Finding::error(
        pointer,
        "unknown_member",
        format!("There is no member `{name}` here. Take it away; the members are {listed}."),
    );
    suggest(finding, name, known.keys().map(String::as_str))
}

fn suggest<'a>(finding: Finding, meant: &str, known: impl Iterator<Item = &'a str>) -> Finding {
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
