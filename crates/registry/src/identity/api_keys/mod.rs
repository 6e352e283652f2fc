//! API keys: text format, rotation, and which key created which.

pub(crate) mod api_key;
pub(crate) mod chain;
pub(crate) mod format;
pub(crate) mod record;
pub(crate) mod rotation;
pub(crate) mod update;
