//! The PostgreSQL channel on which commits are announced.

/// The channel that commits are told on (PostgreSQL).
pub(crate) const CHANNEL: &str = "mcp_registry_changes";
