//! A value that must never be shown.

use serde_json::Value;
use std::fmt;

/// What stands where a secret was.
const MASK: &str = "[secret]";
/// Shorter texts are no secrets; replacing them would only spoil what is shown.
const LEAST: usize = 4;

/// A secret text. Neither `Debug` nor serialisation shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, for words of an upstream that may repeat what it was sent.
    pub fn scrub(&self, text: &str) -> String {
        if self.0.len() < LEAST { text.to_owned() } else { text.replace(&self.0, MASK) }
    }

    /// Whether this secret stands anywhere in `value`.
    pub fn is_in(&self, value: &Value) -> bool {
        if self.0.len() < LEAST {
            return false;
        }
        match value {
            Value::String(text) => text.contains(&self.0),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::Object(members) => {
                members.iter().any(|(name, member)| name.contains(&self.0) || self.is_in(member))
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
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
}
