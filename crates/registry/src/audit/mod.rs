//! The hash-chained audit log.
//!
//! Every write appends its events in commit order; each event carries the SHA-256 over itself and the hash of the event
//! before it. Once a day a worker signs a checkpoint of the chain (Ed25519). An attacker who rewrites rows breaks the chain,
//! and one who rewrites the whole chain cannot sign its checkpoints again. Old events are pruned behind a checkpoint.

pub(crate) mod chain;
pub(crate) mod checkpoints;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod filter;
pub(crate) mod result;
pub(crate) mod signing_key;
pub(crate) mod subjects;

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
