//! Probes and metrics. They ask for no credential and say nothing that needs one.

use crate::ApiState;
use crate::finish;
use crate::responses::ProbeProblems;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, web};
use registry::Counters;
use serde::Serialize;
use std::fmt::Write;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// Puts the probes on the app.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(check_health).service(check_readiness).service(read_metrics);
}

/// How this process is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` when it lives, `ready` when it may serve.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether this process lives
///
/// Answers as long as the process runs; asks nothing of the database.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses((status = 200, description = "It lives.", body = Health, example = json!(Health { status: "ok" })))
)]
#[get("/healthz")]
pub(crate) async fn check_health(request: HttpRequest) -> HttpResponse {
    guarded(&request, HttpResponse::Ok().json(Health { status: "ok" }))
}

/// Whether this process may serve
///
/// The database answers, its schema is up to date, and this process is configured like the deployment.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "It may serve.", body = Health, example = json!(Health { status: "ready" })),
        ProbeProblems,
    )
)]
#[get("/readyz")]
pub(crate) async fn check_readiness(request: HttpRequest, state: web::Data<ApiState>) -> HttpResponse {
    let response = match state.registry.ready().await {
        Ok(()) => HttpResponse::Ok().json(Health { status: "ready" }),
        Err(error) => finish::answer(&request, &error.into()),
    };
    guarded(&request, response)
}

/// Numbers about this process and its registrations
///
/// In the Prometheus text format. The counts of registrations are those of the whole deployment.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses((
        status = 200,
        description = "The metrics.",
        body = String,
        content_type = "text/plain",
        example = json!("# TYPE mcp_registry_registrations gauge\nmcp_registry_registrations{state=\"registered\"} 12\n")
    ))
)]
#[get("/metrics")]
pub(crate) async fn read_metrics(request: HttpRequest, state: web::Data<ApiState>) -> HttpResponse {
    let mut text = (state.metrics)();
    // A database that is away must not hide what the process knows of itself.
    match state.registry.counters().await {
        Ok(counters) => text.push_str(&exposition(&counters)),
        Err(error) => tracing::warn!(%error, "the registrations could not be counted"),
    }
    let mut response = HttpResponse::Ok().body(text);
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, format);
    guarded(&request, response)
}

fn exposition(counters: &Counters) -> String {
    let mut text = String::from(
        "# HELP mcp_registry_registrations Registrations by state.\n# TYPE mcp_registry_registrations gauge\n",
    );
    for (state, count) in &counters.registrations {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "mcp_registry_registrations{{state=\"{state}\"}} {count}");
    }
    text
}

fn guarded(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    finish::protect(response.headers_mut(), request);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry_core::registration::State;

    #[test]
    fn counts_are_in_the_prometheus_format() {
        let text = exposition(&Counters { registrations: vec![(State::Failed, 3)] });
        assert!(text.ends_with("mcp_registry_registrations{state=\"failed\"} 3\n"), "{text}");
    }
}
