//! What gateways fetch: resolved documents, the change feed, the in-memory cache, feedback about a client.

pub(crate) mod cache;
pub(crate) mod documents;
pub(crate) mod feedback;
pub(crate) mod prepare;
pub(crate) mod reachability;
