//! What the open gateway reads and tells of a server's capabilities: calls 8 to 10.

use crate::http::answer::{self, Answer, Done};
use crate::http::body::ValidatedJson;
use crate::http::extract::Caller;
use crate::http::responses::{ChangeProblems, ListProblems};
use crate::state::ApiState;
use crate::v1::capabilities::{CapabilitiesView, SwitchedView, SyncServer};
use crate::v1::server_info::ServerInfoBody;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{get, post, web};

/// List the capabilities of a server
///
/// Call 8 of the open gateway: all of them, without pages. Resources are named by their URI, because the gateway compares
/// that.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The capabilities.", body = CapabilitiesView, example = json!(CapabilitiesView::example())), ListProblems)
)]
#[get("/mcp-servers/{server}/capabilities")]
pub(crate) async fn list_gateway_capabilities(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let server = named(&caller, &path)?;
    let found = state.registry.capabilities().of_server(&caller.actor, &server, None, None).await?;
    Ok(answer::ok(&CapabilitiesView::new(found, true)))
}

/// Report the capabilities that were seen at a server
///
/// Call 9 of the open gateway.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    request_body(content = SyncServer, description = "What was seen.", example = json!({ "capabilities": [{ "name": "create_issue", "type": "tool" }] })),
    responses((status = 200, description = "It is stored.", body = SwitchedView, example = json!(SwitchedView::example())), ChangeProblems)
)]
#[post("/mcp-servers/{server}/capabilities/sync")]
pub(crate) async fn sync_gateway_capabilities(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<SyncServer>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let server = named(&caller, &path)?;
    let synced = state.registry.capabilities().sync_server(&caller.actor, &server, body.capabilities).await?;
    Ok(answer::ok(&SwitchedView::synced(synced)))
}

/// Report what a server said about itself
///
/// Call 10 of the open gateway, with each connection. The same report within ten minutes is not looked at.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    request_body(content = ServerInfoBody, description = "What it said.", example = json!({ "server_name": "linear-mcp" })),
    responses((status = 200, description = "It is stored.", body = Done, example = json!(Done::yes())), ChangeProblems)
)]
#[post("/mcp-servers/{server}/metadata/sync")]
pub(crate) async fn sync_gateway_metadata(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<ServerInfoBody>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let server = named(&caller, &path)?;
    state.registry.capabilities().sync_info(&caller.actor, &server, body.into()).await?;
    Ok(answer::ok(&Done::yes()))
}
