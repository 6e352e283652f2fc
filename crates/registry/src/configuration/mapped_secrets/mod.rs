//! Members of Advanced Configurations that come from where the operator keeps secrets: declared by name in the
//! configuration file, mapped by name to a member (INV-42), read outside of any transaction, kept sealed like
//! every other secret, and read again by the worker.

mod judging;
mod reading;
mod refreshing;
mod storing;

use registry_core::clock::Timestamp;
use registry_core::finding::pointer_push;
use serde::Serialize;

pub(crate) use judging::MappingOwner;
pub(crate) use reading::ReadMappings;
pub(crate) use storing::{apply, has_any, mappings_of, members_of, refuse_overlap, remove_all};

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

/// What stands before the member in `target_field`.
const PREFIX: &str = "configurations.";

/// A mapping in use, and how it stands.
#[derive(Clone, Debug)]
pub struct MappedSecret {
    /// What is mapped.
    pub mapping: SecretMapping,
    /// When it was last read.
    pub read_at: Timestamp,
    /// Why it could not be read since, if it could not; the value read before stays in use.
    pub problem: Option<String>,
}
