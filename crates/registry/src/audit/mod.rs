//! The hash-chained audit log: reading, verifying, exporting, its signing key.

pub(crate) mod chain;
pub(crate) mod checkpoints;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod signing_key;

use crate::Registry;

/// The audit log. A view of the application, reached by [`Registry::audit`].
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// The audit log.
    pub fn audit(&self) -> Audit<'_> {
        Audit { registry: self }
    }
}
