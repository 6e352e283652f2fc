//! Traits at the border of the application.
//!
//! `crates/server` implements those for external services: `upstream` (MCP and authorization servers), `trusted_http` (the
//! operator's services), `secret_store`; `external_services` combines the three. This crate implements
//! `registration_queue` for the worker, which reports results as a `step_record`.

pub(crate) mod external_services;
pub(crate) mod registration_queue;
pub(crate) mod secret_store;
pub(crate) mod step_record;
pub(crate) mod trusted_http;
pub(crate) mod upstream;
