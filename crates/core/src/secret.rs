//! A value that must never be shown: the one secret type of all crates, wiped from memory when it is dropped.

use crate::echo;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use subtle::ConstantTimeEq;

/// The mask for a secret.
const MASK: &str = "[secret]";
/// Shorter texts are no secrets; replacing them would only spoil what is shown.
const MIN_SECRET_BYTES: usize = 4;
/// What is serialised instead of a secret.
const SERIALISED: &str = "[redacted]";

/// A secret text. `Debug` and `Serialize` write a mask; a secret is read as plain text.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// `text` without this secret in any encoding, for upstream texts that may repeat what was sent.
    pub fn scrub(&self, text: &str) -> String {
        if self.expose().len() < MIN_SECRET_BYTES {
            return text.to_owned();
        }
        let mut scrubbed = String::with_capacity(text.len());
        let mut kept = 0;
        for range in echo::find(self.expose(), text) {
            scrubbed.push_str(&text[kept..range.start]);
            scrubbed.push_str(MASK);
            kept = range.end;
        }
        scrubbed.push_str(&text[kept..]);
        scrubbed
    }

    /// Whether this secret occurs in `text`, in any encoding.
    pub fn is_in_text(&self, text: &str) -> bool {
        self.expose().len() >= MIN_SECRET_BYTES && !echo::find(self.expose(), text).is_empty()
    }

    /// Whether this secret occurs in `value`, in one text or across the texts of one list.
    pub fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in_text(text),
            Value::Number(number) => self.is_in_text(&number.to_string()),
            Value::Array(items) => {
                let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                items.iter().any(|item| self.is_in(item))
                    || texts.len() > 1 && self.is_in_text(&texts.join(" "))
            }
            Value::Object(members) => {
                members.iter().any(|(name, member)| self.is_in_text(name) || self.is_in(member))
            }
            _ => false,
        }
    }
}

/// Compares in constant time, so that the time says nothing of where two secrets differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        same_text(self.expose(), other.expose())
    }
}

impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SERIALISED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// Whether two JSON values that hold secrets are equal; texts are compared in constant time.
pub fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => same_text(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_value(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same_value(left, right)))
        }
        _ => left == right,
    }
}

fn same_text(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_found_and_hidden() {
        let secret = Secret::new("canary");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.scrub("no canary here"), "no [secret] here");
        assert!(secret.is_in(&json!({ "a": ["xcanaryx"] })) && secret.is_in(&json!({ "canary": 1 })));
        assert!(!secret.is_in(&json!({ "a": [1, null, "can", "ary"] })));
    }

    #[test]
    fn values_with_secrets_are_equal_by_what_they_say() {
        let value = json!({ "a": ["canary", 1, null], "b": { "c": true, "d": "x" } });
        assert!(same_value(&value, &json!({ "b": { "d": "x", "c": true }, "a": ["canary", 1, null] })));
        for other in [
            json!({ "a": ["canarz", 1, null], "b": { "c": true, "d": "x" } }),
            json!({ "a": ["canary", 1], "b": { "c": true, "d": "x" } }),
            json!({ "a": ["canary", 1, null], "b": { "c": true, "e": "x" } }),
            json!({ "a": ["canary", 1, null], "b": { "c": true, "d": "x", "e": 1 } }),
            json!({ "a": ["canary", 1, "null"], "b": { "c": true, "d": "x" } }),
            json!("canary"),
        ] {
            assert!(!same_value(&value, &other), "{other}");
        }
        assert!(
            Secret::new("canary") == Secret::new("canary") && Secret::new("canary") != Secret::new("canar")
        );
    }
}
