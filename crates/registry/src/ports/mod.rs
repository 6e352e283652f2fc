//! What the application needs from outside, as traits: upstream servers, the operator's trusted services, secret stores. Implemented where connections
//! are opened.

pub(crate) mod outside;
pub(crate) mod registration_queue;
pub(crate) mod step_record;
pub(crate) mod upstream;
