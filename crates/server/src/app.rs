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

/// The inputs of the app. Cheap to clone: each listener thread builds its own app.
#[derive(Clone)]
pub struct Parts {
    /// The application.
    pub registry: Registry,
    /// This process's metrics, see [`crate::telemetry::metrics`].
    pub metrics: PrometheusHandle,
    /// Whether session cookies are for https only.
    pub secure_cookies: bool,
    /// Whether the pages are served without the enhancement layer, even if it is built in.
    pub basic: bool,
    /// `max-age` of HSTS in seconds (RFC 6797), if set.
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
        .wrap(security_headers(hsts))
        .configure(|config| registry_api::configure(config, api))
        .configure(|config| registry_admin::configure(config, admin))
        .route("/", web::get().to(async || web::Redirect::to("/ui").see_other()))
        .default_service(web::to(not_found))
}

/// Default security headers for redirects, probes and framework errors; and for all responses
/// HSTS (RFC 6797).
fn security_headers(hsts: Option<u64>) -> DefaultHeaders {
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

/// Every unknown path; below `/v1` the API answers with a problem document itself.
async fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/plain; charset=utf-8")
        .body("There is nothing here. The pages are at /ui, the API is at /v1/, its reference at /docs/.\n")
}
