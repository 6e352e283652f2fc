//! The configuration: defaults ← `registry.toml` ← environment, checked as a whole before anything starts.
//!
//! `sections` holds the settings themselves, `sources` reads them, `check` judges them and makes what the
//! application needs of them, `redact` keeps secrets out of every text.

mod check;
#[cfg(test)]
mod documentation;
mod provider;
mod redact;
mod secrets;
mod sections;
mod sources;

pub use check::{Checked, key_of};
pub use redact::{DatabaseUrl, Hidden};
pub use sections::{
    Audit, Auth, Cimd, Config, Database, DeclaredSecret, Egress, Gateway, Jwt, Kept, Log, LogFormat, Oidc,
    Sealing, Server, Ui, Vault, Worker,
};
pub use sources::{LoadError, known_keys};
