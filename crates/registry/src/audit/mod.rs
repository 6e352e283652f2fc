//! The hash-chained audit log: reading, verifying, exporting, its signing key.

pub(crate) mod chain;
pub(crate) mod checkpoints;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod signing_key;
