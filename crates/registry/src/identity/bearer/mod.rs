//! Bearer tokens of an external issuer: verification and its JWKS cache.

pub(crate) mod jwks;
pub(crate) mod verifier;
