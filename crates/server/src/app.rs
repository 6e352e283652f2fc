//! The one actix `App`: API, documents, health and pages, as the binary serves it and tests call it.

use crate::telemetry::RequestSpan;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, Error, HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;
use registry::Registry;
use registry_admin::AdminState;
use registry_api::{ApiState, DocumentCacheMiddleware, Limits};
use std::sync::Arc;
use tracing_actix_web::TracingLogger;

/// What the app is built from. Cheap to clone: each thread of the listener builds an app of its own.
#[derive(Clone)]
pub struct Parts {
    /// The application.
    pub registry: Registry,
    /// This process's metrics, see [`crate::telemetry::metrics`].
    pub metrics: PrometheusHandle,
    /// Whether session cookies are for https only.
    pub secure_cookies: bool,
    /// Whether the pages do without the enhancement layer, although it may be built in.
    pub basic: bool,
    /// Seconds that browsers keep to https, if they are told to.
    pub hsts: Option<u64>,
}

/// The app, for `HttpServer::new` and for `actix_web::test::init_service`.
pub fn build(
    parts: Parts,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let Parts { registry, metrics, secure_cookies, basic, hsts } = parts;
    let api = ApiState {
        registry: registry.clone(),
        metrics: Arc::new(move || metrics.render()),
        limits: Limits::default(),
    };
    let admin = AdminState { registry, secure_cookies, basic, version: env!("CARGO_PKG_VERSION") };
    App::new()
        .wrap(TracingLogger::<RequestSpan>::new())
        .wrap(DocumentCacheMiddleware::new(api.clone()))
        .wrap(everywhere(hsts))
        .configure(|config| registry_api::configure(config, api))
        .configure(|config| registry_admin::configure(config, admin))
        .route("/", web::get().to(async || web::Redirect::to("/ui").see_other()))
        .default_service(web::to(nothing_here))
}

/// Headers of answers that say nothing of their own: redirects, probes, failures of the framework; and of all answers
/// that a browser may see, how long it keeps to https (RFC 6797).
fn everywhere(hsts: Option<u64>) -> DefaultHeaders {
    let headers = match hsts {
        Some(seconds) => {
            DefaultHeaders::new().add(("strict-transport-security", format!("max-age={seconds}")))
        }
        None => DefaultHeaders::new(),
    };
    headers
        .add(("x-content-type-options", "nosniff"))
        .add(("x-frame-options", "DENY"))
        .add(("referrer-policy", "no-referrer"))
        .add(("content-security-policy", "default-src 'none'; frame-ancestors 'none'"))
}

/// Every path that belongs to nobody; below `/v1` the API answers with a problem document itself.
async fn nothing_here() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/plain; charset=utf-8")
        .body("There is nothing here. The pages are at /ui, the API is at /v1/, its reference at /docs/.\n")
}
