//! Secrets at rest: envelope encryption, key rotation, the markers that stand for a secret in a configuration.

pub(crate) mod envelope;
pub(crate) mod markers;
pub(crate) mod rotation;
pub(crate) mod sealed_rows;
