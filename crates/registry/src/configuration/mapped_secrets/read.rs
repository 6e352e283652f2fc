//! Reading declared secrets from where the operator keeps them.

use super::{SecretMapping, ValueFormat};
use crate::configuration::Configurations;
use crate::ports::secret_store::SecretText;
use registry_core::finding::Finding;
use serde_json::Value;
use std::collections::BTreeMap;

/// Mappings with what their secrets hold now. Its values are secrets.
pub(crate) struct ReadMappings(pub(super) Vec<(SecretMapping, std::result::Result<Value, SecretReadError>)>);

impl ReadMappings {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a secret gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretReadError {
    Undeclared,
    NotLoadedYet,
    Unreadable,
    NotJson,
    NotText,
    NoSuchKey,
}

impl SecretReadError {
    /// The pointer's last part, a code, and a sentence.
    pub(super) fn finding(self, prefix: &str, name: &str) -> Finding {
        let (member, code, why) = match self {
            Self::Undeclared => (
                "secret_reference_id",
                "unknown_secret_reference",
                format!(
                    "No secret `{name}` is declared for this. The operator declares secrets in the configuration file (`secrets.{name}`)."
                ),
            ),
            Self::NotLoadedYet => (
                "secret_reference_id",
                "secret_unreadable",
                format!(
                    "The secret `{name}` is declared with settings that this process does not have yet. Try again when all processes have been restarted with them."
                ),
            ),
            Self::Unreadable => (
                "secret_reference_id",
                "secret_unreadable",
                format!("The secret `{name}` cannot be read now; the log of this deployment says why."),
            ),
            Self::NotJson => (
                "value_format",
                "secret_not_json",
                format!(
                    "The value of the secret `{name}` is not JSON. Use `value_format: \"string\"`, or ask the operator to fix it."
                ),
            ),
            Self::NotText => (
                "value_format",
                "secret_not_text",
                format!(
                    "The value of the secret `{name}` is not text. Use `value_format: \"json\"`, or name a member of it with `secret_key`."
                ),
            ),
            Self::NoSuchKey => (
                "secret_key",
                "unknown_secret_key",
                format!("The secret `{name}` holds no member of this name."),
            ),
        };
        Finding::error(format!("{prefix}/{member}"), code, why)
    }
}

impl Configurations<'_> {
    /// Reads what mappings need. Never inside a transaction: a vault may be slow.
    pub(crate) async fn read_mappings(self, mappings: Vec<SecretMapping>) -> ReadMappings {
        let shared = self.registry.shared_settings();
        let mut texts: BTreeMap<String, Option<SecretText>> = BTreeMap::new();
        let mut read = Vec::with_capacity(mappings.len());
        for mapping in mappings {
            if !self.registry.settings().secrets.contains_key(&mapping.reference) {
                // Declared with settings that only newer processes have, during a rollout.
                let elsewhere = shared.secrets.contains_key(&mapping.reference);
                read.push((
                    mapping,
                    Err(if elsewhere { SecretReadError::NotLoadedYet } else { SecretReadError::Undeclared }),
                ));
                continue;
            }
            if !texts.contains_key(&mapping.reference) {
                let found = self.registry.inner.services.read_secret(&mapping.reference).await;
                let found = found.map_err(|why| {
                    tracing::warn!(secret = mapping.reference, why, "a declared secret could not be read");
                });
                texts.insert(mapping.reference.clone(), found.ok());
            }
            let text = texts.get(&mapping.reference).and_then(Option::as_ref);
            let value = text.ok_or(SecretReadError::Unreadable).and_then(|text| value(text, &mapping));
            read.push((mapping, value));
        }
        ReadMappings(read)
    }

    /// The same where they may be left as they are.
    pub(crate) async fn read_changed(self, mappings: Option<Vec<SecretMapping>>) -> Option<ReadMappings> {
        match mappings {
            Some(mappings) => Some(self.read_mappings(mappings).await),
            None => None,
        }
    }
}

/// What a mapping's secret gives.
fn value(text: &SecretText, mapping: &SecretMapping) -> std::result::Result<Value, SecretReadError> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| SecretReadError::NotJson);
    let whole = match text {
        SecretText::Object(members) => Value::Object(members.0.clone()),
        SecretText::Text(text) if mapping.secret_key.is_some() => parse(text.expose())?,
        SecretText::Text(text) => Value::String(text.expose().to_owned()),
    };
    let found = match &mapping.secret_key {
        Some(key) => whole.get(key).cloned().ok_or(SecretReadError::NoSuchKey)?,
        None => whole,
    };
    match (mapping.value_format, found) {
        (Some(ValueFormat::Json), Value::String(text)) => parse(&text),
        (Some(ValueFormat::String), found) if !found.is_string() => Err(SecretReadError::NotText),
        (_, found) => Ok(found),
    }
}
