//! The names of the client metadata object, and the size limit of a text.

/// The canonical name of the client metadata object, and its alias.
pub const CANONICAL_WRAPPER: &str = "oauth_client_metadata";
/// The name of the same object on the hosted product's wire today.
pub const ALIAS_WRAPPER: &str = "oauth_metadata";
/// The longest text of an Advanced Configuration, in bytes (256 KiB).
pub const MAX_CONFIGURATION_BYTES: usize = 262_144;
