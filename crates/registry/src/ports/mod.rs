//! What the application needs from outside, as traits: upstream servers, the operator's trusted services, secret stores. Implemented where connections
//! are opened.

pub(crate) mod external_services;
pub(crate) mod registration_queue;
pub(crate) mod secret_store;
pub(crate) mod step_record;
pub(crate) mod trusted_http;
pub(crate) mod upstream;
