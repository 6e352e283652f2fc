//! What the application needs from outside, as traits: upstream servers, the operator's trusted services, secret stores. Implemented where connections
//! are opened.

pub(crate) mod outside;
pub(crate) mod upstream;
