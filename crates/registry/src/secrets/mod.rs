//! Secrets at rest: envelope encryption, key rotation, the markers that replace secrets in a configuration.

pub(crate) mod envelope;
pub(crate) mod markers;
pub(crate) mod reentered;
pub(crate) mod rotation;
pub(crate) mod sealed_rows;

use crate::Registry;

/// Sealing keys and the secrets that are sealed with them. A view of the application, reached by [`Registry::secrets`].
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Sealing keys and the secrets that are sealed with them.
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets { registry: self }
    }
}
