//! Advanced Configuration: JSON documents in four layers (organisation, integration, workspace, server) over the shared
//! settings, resolved into the effective metadata of each server.
//!
//! A change is saved with a revision, and its impact on servers and clients is computed before (dry run) and in the same
//! transaction ([`impact::ImpactTracker`]). Secrets are cut out and sealed; mapped secrets come from the operator's stores.

pub(crate) mod access_rows;
pub(crate) mod check;
pub(crate) mod costs;
pub(crate) mod deletion;
pub(crate) mod enqueue;
pub(crate) mod forecast;
pub(crate) mod impact;
pub(crate) mod layers;
pub(crate) mod mapped_secrets;
pub(crate) mod probe_target;
pub(crate) mod revision_rows;
pub(crate) mod revisions;
pub(crate) mod rollout_rows;
pub(crate) mod row;
pub(crate) mod save;
pub(crate) mod scope;

use crate::Registry;

/// Advanced Configurations of every layer. A view of the application, reached by [`Registry::configurations`].
#[derive(Clone, Copy)]
pub struct Configurations<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Advanced Configurations of every layer.
    pub fn configurations(&self) -> Configurations<'_> {
        Configurations { registry: self }
    }
}
