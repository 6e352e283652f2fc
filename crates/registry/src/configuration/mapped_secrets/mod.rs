//! Mapped secrets: members of Advanced Configurations whose values come from the operator's secret stores. The operator
//! declares secrets by name in the configuration file; a mapping names one for a member (INV-42). Values are read outside of
//! any transaction, stored sealed like every other secret, and refreshed by the worker.

pub(crate) mod declared;
mod read;
mod refresh;
mod rows;
mod validate;

use registry_core::clock::Timestamp;
use registry_core::finding::pointer_push;
use serde::Serialize;

pub(crate) use read::ReadMappings;
pub(crate) use rows::{apply, has_any, mappings_of, members_of, refuse_overlap, remove_all};
pub(crate) use validate::MappingOwner;

/// How a secret's text becomes a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueFormat {
    /// It is JSON.
    Json,
    /// It is the value itself.
    String,
}

impl ValueFormat {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::String => "string",
        }
    }

    /// The format of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Json, Self::String].into_iter().find(|format| format.as_str() == word)
    }
}

/// One member, and the secret it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretMapping {
    /// `configurations.<member>`.
    pub target_field: String,
    /// The name the operator gave the secret.
    #[serde(rename = "secret_reference_id")]
    pub reference: String,
    /// The member of the secret that is meant; `None`: all of it.
    pub secret_key: Option<String>,
    /// How it is read.
    pub value_format: Option<ValueFormat>,
}

impl SecretMapping {
    /// JSON Pointer of the member in the Advanced Configuration.
    pub(crate) fn pointer(&self) -> String {
        pointer_push("", self.target_field.strip_prefix(PREFIX).unwrap_or(&self.target_field))
    }
}

/// Prefix of the member in `target_field`.
const PREFIX: &str = "configurations.";

/// A mapping in use, with the state of its last read.
#[derive(Clone, Debug)]
pub struct MappedSecret {
    /// What is mapped.
    pub mapping: SecretMapping,
    /// When it was last read.
    pub read_at: Timestamp,
    /// Why it could not be read since, if it could not; the value read before stays in use.
    pub problem: Option<String>,
}
