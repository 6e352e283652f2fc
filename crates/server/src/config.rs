//! The configuration: defaults ← `registry.toml` ← environment, checked as a whole before anything starts.
//!
//! `sections` holds the settings themselves, `sources` reads them, `redact` keeps secrets out of every text.

mod auth;
#[cfg(test)]
mod documentation;
mod redact;
mod secret_variables;
mod sections;
mod sources;

pub use auth::{Auth, Jwt, Oidc};
pub use redact::DatabaseUrl;
pub use sections::{
    Audit, Cimd, Config, Database, DeclaredSecret, Egress, Gateway, Log, LogFormat, Sealing, SecretSource,
    Server, Ui, Vault, Worker,
};
pub use sources::{LoadError, known_keys};
