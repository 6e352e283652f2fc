//! Probes and metrics. They need no credential and reveal nothing confidential.

use crate::http::error_handler;
use crate::http::extract::sender;
use crate::http::responses::ProbeProblems;
use crate::http::security_headers;
use crate::state::ApiState;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, web};
use chrono::{DateTime, Utc};
use registry::{Counters, Error, Registry, SettingsStatus};
use serde::Serialize;
use std::fmt::Write;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts the probes on the app.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(check_health).service(check_readiness).service(read_metrics);
}

/// The state of this process.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` when the process is alive, `ready` when it may serve, `degraded` when it serves only gateways, with
    /// the last known documents, or when everything can be read and nothing can be saved.
    #[schema(example = "ok")]
    status: &'static str,
    /// With `degraded`: since when the database has not been reachable (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_since: Option<DateTime<Utc>>,
    /// With `ready`, during a rollout: `previous generation` when this process still has the previous settings.
    /// It works with those in effect, and stays in service.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<&'static str>,
    /// Names of the settings that differ from those in effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differing_settings: Vec<&'static str>,
    /// With `degraded`: why nothing can be saved, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Health {
    fn new(status: &'static str) -> Self {
        Self { status, stale_since: None, settings: None, differing_settings: Vec::new(), reason: None }
    }

    fn ready(settings: SettingsStatus) -> Self {
        match settings {
            SettingsStatus::Previous(differing_settings) => {
                Self { settings: Some("previous generation"), differing_settings, ..Self::new("ready") }
            }
            _ => Self::new("ready"),
        }
    }
}

/// Check that this process is alive
///
/// Answers as long as the process runs; does not query the database.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses((status = 200, description = "The process is alive.", body = Health, example = json!(Health::new("ok"))))
)]
#[get("/healthz")]
pub(crate) async fn check_health(request: HttpRequest) -> HttpResponse {
    guarded(&request, HttpResponse::Ok().json(Health::new("ok")))
}

/// Check that this process may serve
///
/// The database answers, its schema is current, and this process has the settings of the deployment or the previous
/// ones: then `settings` says so until the rollout ends. While the database is not reachable, a process with cached
/// documents for gateways stays in service for them, with `degraded`; so does every process while the database can
/// be read but not written.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "The process may serve.", body = Health, example = json!(Health::new("ready"))),
        ProbeProblems,
    )
)]
#[get("/readyz")]
pub(crate) async fn check_readiness(request: HttpRequest, state: web::Data<ApiState>) -> HttpResponse {
    if let Err(error) = state.registry.limits().count_anonymous(sender(&state, &request)) {
        return guarded(&request, error_handler::respond(&request, &error.into()));
    }
    let response = match state.registry.deployment().ready().await {
        Ok(ready) => HttpResponse::Ok().json(Health::ready(ready.settings)),
        Err(Error::Unavailable(_)) if serves_gateways(&state.registry) => {
            let stale_since = state.registry.gateway().away_since();
            HttpResponse::Ok().json(Health { stale_since, ..Health::new("degraded") })
        }
        // Reads still work, and every process has the same database: removing this process would not help.
        Err(Error::Unavailable(_)) if state.registry.deployment().unwritable().is_some() => {
            let reason = state.registry.deployment().unwritable();
            HttpResponse::Ok().json(Health { reason, ..Health::new("degraded") })
        }
        Err(error) => error_handler::respond(&request, &error.into()),
    };
    guarded(&request, response)
}

/// Whether gateways still get the last known documents. A load balancer that removed such a process would stop that.
fn serves_gateways(registry: &Registry) -> bool {
    registry.gateway().away_since().is_some() && registry.gateway().cached_documents().0 > 0
}

/// Read the metrics of this process and its registrations
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
    if let Err(error) = state.registry.limits().count_anonymous(sender(&state, &request)) {
        return guarded(&request, error_handler::respond(&request, &error.into()));
    }
    let mut text = (state.metrics)();
    text.push_str(&held(&state.registry));
    // An unreachable database must not hide the metrics of the process itself.
    match state.registry.deployment().counters().await {
        Ok(counters) => text.push_str(&exposition(&counters)),
        Err(error) => tracing::warn!(%error, "the registrations could not be counted"),
    }
    let mut response = HttpResponse::Ok().body(text);
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, format);
    guarded(&request, response)
}

/// The metrics of the document cache.
fn held(registry: &Registry) -> String {
    let (documents, bytes) = registry.gateway().cached_documents();
    let writable = u8::from(registry.deployment().unwritable().is_none());
    let stale = registry.gateway().away_since().map_or(0, |since| (registry.now() - since).num_seconds());
    let replica = registry.deployment().uses_replica().map_or_else(String::new, |used| {
        format!(
            "# HELP mcp_registry_database_replica_used Whether lists are read from the replica.\n\
             # TYPE mcp_registry_database_replica_used gauge\nmcp_registry_database_replica_used {}\n",
            u8::from(used)
        )
    });
    format!(
        "# HELP mcp_registry_gateway_held_documents Documents in memory for gateways.\n\
         # TYPE mcp_registry_gateway_held_documents gauge\nmcp_registry_gateway_held_documents {documents}\n\
         # HELP mcp_registry_gateway_held_bytes What they may take at most.\n\
         # TYPE mcp_registry_gateway_held_bytes gauge\nmcp_registry_gateway_held_bytes {bytes}\n\
         # HELP mcp_registry_gateway_stale_seconds How long the database has been away.\n\
         # TYPE mcp_registry_gateway_stale_seconds gauge\nmcp_registry_gateway_stale_seconds {stale}\n\
         # HELP mcp_registry_database_writable Whether the last write to the database succeeded.\n\
         # TYPE mcp_registry_database_writable gauge\nmcp_registry_database_writable {writable}\n{replica}"
    )
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
    security_headers::add_with_request_id(response.headers_mut(), request);
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
