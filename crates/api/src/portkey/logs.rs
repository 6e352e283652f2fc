//! Logs and counts of requests that the open gateway pushes: call 16. They are accepted, counted and dropped, so that the
//! gateway does not send them again.

use crate::http::answer::{self, Answer, Done};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::ReadProblems;
use actix_web::{post, web};
use futures_util::StreamExt;
use metrics::counter;
use registry::Error;
use registry_core::permission::Permission;

/// The largest push, in bytes.
const MAX_PUSH: usize = 16 * 1024 * 1024;

/// Accept a log of the gateway
///
/// Call 16 of the open gateway. It is counted (`mcp_registry_gateway_log_pushes_total`) and dropped.
#[utoipa::path(
    tag = "open gateway",
    responses((status = 200, description = "It is counted.", body = Done, example = json!(Done::yes())), ReadProblems)
)]
#[post("/logs/enterprise/logs")]
pub(crate) async fn accept_gateway_logs(caller: Caller, payload: web::Payload) -> Answer {
    accept(&caller, payload, "logs").await
}

/// Accept counts of the gateway
///
/// Call 16 of the open gateway. They are counted (`mcp_registry_gateway_log_pushes_total`) and dropped.
#[utoipa::path(
    tag = "open gateway",
    responses((status = 200, description = "They are counted.", body = Done, example = json!(Done::yes())), ReadProblems)
)]
#[post("/analytics/enterprise/analytics")]
pub(crate) async fn accept_gateway_analytics(caller: Caller, payload: web::Payload) -> Answer {
    accept(&caller, payload, "analytics").await
}

/// Reads the push to its end, so that the connection can be used again.
async fn accept(caller: &Caller, mut payload: web::Payload, kind: &'static str) -> Answer {
    caller.require(Permission::FetchGatewayDocument)?;
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        length += chunk.map_or(0, |chunk| chunk.len());
        if length > MAX_PUSH {
            return Err(Failure::Application(Error::TooLarge { limit: MAX_PUSH }));
        }
    }
    counter!("mcp_registry_gateway_log_pushes_total", "kind" => kind).increment(1);
    Ok(answer::ok(&Done::yes()))
}
