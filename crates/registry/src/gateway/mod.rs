//! What gateways fetch: resolved documents, the change feed, the in-memory cache, feedback about a client.

pub(crate) mod cache;
pub(crate) mod documents;
pub(crate) mod feedback;
pub(crate) mod prepare;
pub(crate) mod push;
pub(crate) mod reachability;

use crate::Registry;

/// What gateways fetch and report. A view of the application, reached by [`Registry::gateway`].
#[derive(Clone, Copy)]
pub struct Gateway<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// What gateways fetch and report.
    pub fn gateway(&self) -> Gateway<'_> {
        Gateway { registry: self }
    }
}
pub(crate) mod admission;
