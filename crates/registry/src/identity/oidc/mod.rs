//! Sign-in through an OpenID Connect provider.

pub(crate) mod identity_provider;
