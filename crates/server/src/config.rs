//! The configuration: defaults ← `registry.toml` ← environment, checked as a whole before anything starts.
//!
//! `sections` holds the settings themselves, `sources` reads them, `check` judges them and makes what the
//! application needs of them, `redact` keeps secrets out of every text.

mod check;
#[cfg(test)]
mod documentation;
mod provider;
mod redact;
mod sections;
mod sources;

pub use check::{Checked, key_of};
pub use redact::{DatabaseUrl, Hidden};
pub use sections::{
    Auth, Cimd, Config, Database, Egress, Gateway, Jwt, Log, LogFormat, Sealing, Server, Ui, Worker,
};
pub use sources::{LoadError, known_keys};
