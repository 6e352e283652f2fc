//! Feedback of gateways: a client is needed now, or a client does not work.

use super::servers::{GatewayDocumentView, cacheable};
use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::responses::GatewayNeedsProblems;
use crate::state::ApiState;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, post, web};
use chrono::{DateTime, Utc};
use registry::{Ensured, Verdict};
use registry_core::permission::Permission;
use registry_core::registration::State;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// The wait time.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Ensure {
    /// Maximum seconds to wait before 202 is answered; 5 when absent.
    #[schema(minimum = 0, maximum = 30, example = 5)]
    wait: Option<u64>,
}

impl RequestBody for Ensure {
    const NEEDS: Permission = Permission::FetchGatewayDocument;
}

/// There is no client yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotYet {
    /// Always `ensure`.
    #[schema(example = "ensure")]
    object: &'static str,
    /// State of the registration; absent when the server needs no client.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// Stable code of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The reason as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When the next attempt is made at the earliest (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<DateTime<Utc>>,
}

impl NotYet {
    fn example() -> Self {
        Self {
            object: "ensure",
            state: Some(State::Registering),
            reason: None,
            detail: None,
            not_before: None,
        }
    }
}

/// Request the client of a server now
///
/// Makes the registration due and waits briefly: 200 with the document as soon as there is a client, else 202 with
/// the state of the registration. Rate limits of the authorization server and pending approvals still apply.
#[utoipa::path(
    tag = "gateway",
    params(
        ("workspace" = String, Path, description = "Slug of the workspace.", example = "acme"),
        ("server" = String, Path, description = "Slug of the server.", example = "linear"),
    ),
    request_body(content = Ensure, description = "The wait time; optional.", example = json!({ "wait": 5 })),
    responses(
        (
            status = 200, description = "There is a client.", body = GatewayDocumentView,
            headers(("ETag" = String, description = "Strong `ETag` of these bytes.")),
            example = json!(GatewayDocumentView::example())
        ),
        (
            status = 202, description = "There is no client yet.", body = NotYet,
            headers(("Retry-After" = u64, description = "Seconds to wait before the next request.")),
            example = json!(NotYet::example())
        ),
        GatewayNeedsProblems,
    )
)]
#[post("/servers/{workspace}/{server}/ensure")]
pub(crate) async fn ensure_gateway_server(
    state: web::Data<ApiState>,
    path: web::Path<(String, String)>,
    sent: ValidatedJson<Ensure>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let (workspace, server) = path.into_inner();
    let wait = Duration::from_secs(body.wait.unwrap_or(5));
    match state.registry.gateway().ensure(&caller.actor, &workspace, &server, wait).await? {
        Ensured::Ready(document) => Ok(cacheable(HttpResponse::Ok(), &document.etag)
            .content_type("application/json")
            .body(document.body)),
        Ensured::NotYet(standing) => {
            let pause = standing.not_before.map_or(5, |moment| (moment - state.registry.now()).num_seconds());
            Ok(HttpResponse::Accepted()
                .insert_header((RETRY_AFTER, pause.clamp(1, 86_400).to_string()))
                .json(NotYet {
                    object: "ensure",
                    state: standing.state,
                    reason: standing.reason,
                    detail: standing.detail,
                    not_before: standing.not_before,
                }))
        }
    }
}

/// A report that a client does not work.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Report {
    /// The generation of the client, as in the document.
    #[schema(minimum = 1, example = 3)]
    generation: i64,
    /// The error: `invalid_client` or `unauthorized_client` (of the token endpoint, RFC 6749 §5.2),
    /// `unknown_client` (an error page of the authorization endpoint), `issuer_changed` (the protected resource
    /// metadata name another authorization server). Anything else is ignored, `invalid_grant` above all.
    #[schema(min_length = 1, max_length = 100, example = "invalid_client")]
    error: String,
}

impl RequestBody for Report {
    const NEEDS: Permission = Permission::FetchGatewayDocument;
}

/// The reaction to a report.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reported {
    /// Always `report`.
    #[schema(example = "report")]
    object: &'static str,
    /// `stale` (another generation is active: fetch the document again), `ignored`, `noted` (a second distinct
    /// report confirms it), `checking` (the authorization server is asked), `replacing`, `rediscovering`.
    #[schema(example = "noted")]
    verdict: &'static str,
}

/// Report that a client does not work
///
/// One gateway's report replaces nothing: the authorization server is asked (RFC 7592 §2.1) where that is possible,
/// else a second distinct report is needed, from another key or at least a minute later; then the client is
/// replaced once per cool-down. A report never bypasses a backoff or rate limit.
#[utoipa::path(
    tag = "gateway",
    params(
        ("workspace" = String, Path, description = "Slug of the workspace.", example = "acme"),
        ("server" = String, Path, description = "Slug of the server.", example = "linear"),
    ),
    request_body(content = Report, description = "The observed error.", example = json!({ "generation": 3, "error": "invalid_client" })),
    responses(
        (status = 200, description = "The report was received.", body = Reported, example = json!(Reported { object: "report", verdict: "noted" })),
        GatewayNeedsProblems,
    )
)]
#[post("/servers/{workspace}/{server}/report")]
pub(crate) async fn report_gateway_server(
    state: web::Data<ApiState>,
    path: web::Path<(String, String)>,
    sent: ValidatedJson<Report>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let (workspace, server) = path.into_inner();
    let verdict: Verdict = state
        .registry
        .gateway()
        .report(&caller.actor, &workspace, &server, body.generation, &body.error)
        .await?;
    Ok(answer::ok(&Reported { object: "report", verdict: verdict.as_str() }))
}
