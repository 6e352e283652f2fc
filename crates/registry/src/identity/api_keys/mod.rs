//! API keys: their text format, their rotation, the chain of who made whom.

pub(crate) mod api_key;
pub(crate) mod chain;
pub(crate) mod format;
pub(crate) mod record;
pub(crate) mod rotation;
