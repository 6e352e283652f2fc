//! Sign-in with an OpenID Connect provider.

pub(crate) mod client;
pub(crate) mod provisioning;
