//! REST over `Registry`: routes, wire views, problem documents, the OpenAPI document.
//!
//! This crate must not know sea-orm, reqwest, askama or the pages: a handler extracts, calls one method of
//! [`registry::Registry`] and answers with a view. Paths, bodies and envelopes are those of the hosted product's public
//! API, ours is a superset.
//!
//! A tour in five lines:
//! * [`configure`] mounts everything on an actix app; [`document`] gives the OpenAPI document without server or database.
//! * `extract` and `body` turn a request into a caller and a judged body; `finish` turns a failure into a problem document.
//! * `problem` is the one table of problems: what is answered, what is documented and what `/docs/problems` explains.
//! * `v1/<noun>.rs` and `gateway/<noun>.rs` hold a noun's operations and wire views.
//! * `client_documents` is what authorization servers read; `health` and `docs` are what stands beside the API: probes, metrics, Swagger UI.

mod answer;
mod body;
mod client_documents;
mod docs;
mod document;
mod example;
mod extract;
mod failure;
mod fallback;
mod finish;
mod gateway;
mod guard;
mod health;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod mounted;
mod nul;
mod per_type;
mod problem;
mod query;
mod responses;
mod shape;
mod v1;

use actix_web::middleware::{Compress, from_fn};
use actix_web::web;
use registry::Registry;
use std::sync::Arc;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

pub use document::document;
pub use gateway::{DoorService, GatewayDoor};

/// What the operations need. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The application.
    pub registry: Registry,
    /// Renders this process's metrics in the Prometheus text format; the counts of registrations are added to it.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How much is read.
    pub limits: Limits,
}

/// How much is read of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest request body in bytes; what is longer gets 413.
    pub body: usize,
}

impl Default for Limits {
    /// 512 KiB: an Advanced Configuration of 256 KiB with everything around it.
    fn default() -> Self {
        Self { body: 512 * 1024 }
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ApiState").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Mounts `/v1`, `/oauth/clients/`, `/openapi.json`, `/docs/`, `/healthz`, `/readyz` and `/metrics`.
///
/// `/v1` and `/docs/` compress what they answer, `/v1/gateway` does not (its `ETag` is that of the bytes): do not wrap
/// the whole app in `Compress`. Put `tracing_actix_web::TracingLogger` around the app, its request id is used.
pub fn configure(config: &mut web::ServiceConfig, state: ApiState) {
    config.app_data(web::Data::new(state));
    docs::mount(config);
    client_documents::head(config);
    mount(&mut ServiceConfig::new(config));
    fallback::mount(config);
}

/// Everything that is documented.
fn mount(config: &mut ServiceConfig<'_>) {
    config
        .service(
            scope::scope("/v1/gateway")
                .configure(gateway::routes)
                .default_service(web::to(fallback::answer))
                .wrap(from_fn(guard::guard))
                .wrap(from_fn(finish::finish)),
        )
        .service(
            scope::scope("/v1")
                .configure(v1::routes)
                .default_service(web::to(fallback::answer))
                .wrap(from_fn(guard::guard))
                .wrap(from_fn(finish::finish))
                .wrap(Compress::default()),
        );
    client_documents::routes(config);
    health::routes(config);
}
