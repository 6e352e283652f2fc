//! The REST API over `Registry`: routes, wire views, problem documents, the OpenAPI document.
//!
//! This crate must not know sea-orm, reqwest, askama or the pages: a handler extracts, calls one method of
//! [`registry::Registry`] and answers with a view. Paths, bodies and envelopes are those of the hosted product's public
//! API, ours is a superset.
//!
//! The modules:
//! * [`configure`] mounts everything on an actix app; [`document`] gives the OpenAPI document without server or database.
//! * `http` is shared by all operations: `extract` and `body` turn a request into a caller and a checked body,
//!   `error_handler` turns a failure into a problem document; `problem_kinds` is the table of problems, from which the
//!   answers, the document and `/docs/problems` are made.
//! * `v1/<noun>` and `gateway/<noun>` hold the operations of a noun and their wire views; a noun with many operations is a
//!   folder with a file per operation.
//! * `routes` lists the documented routes; `openapi` generates the document and the pages that show it.
//! * `client_documents` are public documents for authorization servers; `health` has the probes and the metrics.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod app_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod body_tests;
mod client_documents;
mod examples;
mod gateway;
mod health;
mod http;
mod openapi;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod path_tests;
mod portkey;
mod routes;
mod state;
mod v1;

use actix_web::web;
use utoipa_actix_web::service_config::ServiceConfig;

pub use gateway::{DocumentCacheMiddleware, DocumentCacheService};
pub use openapi::document::document;
pub use state::{ApiState, Limits};

/// Mounts `/v1`, `/oauth/clients/`, `/openapi.json`, `/docs/`, `/healthz`, `/readyz` and `/metrics`.
///
/// `/v1` and `/docs/` compress their responses, `/v1/gateway` does not (its `ETag` is that of the bytes): do not
/// wrap the whole app in `Compress`. Put `tracing_actix_web::TracingLogger` around the app, because its request id
/// is used.
pub fn configure(config: &mut web::ServiceConfig, state: ApiState) {
    config.app_data(web::Data::new(state));
    config.app_data(openapi::document::paths());
    openapi::docs::mount(config);
    client_documents::head(config);
    routes::mount(&mut ServiceConfig::new(config));
    http::fallback::mount(config);
}
