//! Everything outside, as the application was given it.

use crate::ports::upstream::{Answering, Upstream};
use registry_core::secret::Secret;
use serde_json::{Map, Value};

/// One request to a party of the operator's.
#[derive(Debug)]
pub struct PartyRequest<'a> {
    /// An address of the configuration, or one that such a party told.
    pub url: &'a str,
    /// Headers; their values may be secrets.
    pub headers: Vec<(&'a str, Secret)>,
    /// A form to post; without one it is a GET. Its values may be secrets.
    pub form: Option<Vec<(&'a str, Secret)>>,
}

impl<'a> PartyRequest<'a> {
    /// A bare GET.
    pub(crate) fn get(url: &'a str) -> Self {
        Self { url, headers: Vec::new(), form: None }
    }
}

/// What a party answered.
#[derive(Debug)]
pub struct PartyAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body. May hold secrets.
    pub body: Secret,
}

/// The operator's own parties: identity provider, key sets, vault. Their addresses are trusted, their answers are bounded
/// in time and size.
pub trait Parties: Send + Sync {
    /// Asks once. The error is a sentence for the log, without secrets.
    fn ask<'a>(&'a self, request: PartyRequest<'a>) -> Answering<'a, Result<PartyAnswer, String>>;
}

/// What a declared secret holds. A secret.
#[derive(Debug)]
pub enum SecretText {
    /// A text: of a file, of a variable.
    Text(Secret),
    /// Members: of a vault's entry.
    Object(SecretMembers),
}

/// The members of a vault's entry. `Debug` shows none.
#[derive(Clone)]
pub struct SecretMembers(pub Map<String, Value>);

impl std::fmt::Debug for SecretMembers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretMembers")
    }
}

/// Where the operator keeps secrets.
pub trait SecretStore: Send + Sync {
    /// What the secret of this name, one of `Settings::secrets`, holds now. The error is a sentence for the log.
    fn read_secret<'a>(&'a self, name: &'a str) -> Answering<'a, Result<SecretText, String>>;
}

/// All of it.
pub trait Outside: Upstream + Parties + SecretStore {}

impl<T: Upstream + Parties + SecretStore> Outside for T {}
