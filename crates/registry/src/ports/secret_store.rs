//! Where the operator keeps secrets: files, environment variables, Vault.

use futures_util::future::BoxFuture;
use registry_core::secret::Secret;
use serde_json::{Map, Value};

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
    fn read_secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretText, String>>;
}
