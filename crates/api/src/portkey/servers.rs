//! Servers as the open gateway fetches them: calls 2 to 7.

use super::{config, credentials};
use crate::examples;
use crate::http::answer::{self, Answer, Done};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::{DeleteProblems, NotBuiltProblems, ReadProblems};
use crate::state::ApiState;
use crate::v1::connections::ClientInfoView;
use crate::v1::servers::{InWorkspace, named};
use crate::v1::user_access::DecisionView;
use actix_web::{HttpRequest, delete, get, put, web};
use registry::{Ensured, Error};
use registry_core::permission::Permission;
use serde_json::{Map, Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// How long a first request waits for a client that is being registered.
const CLIENT_WAIT: Duration = Duration::from_secs(1);

/// The configuration of a server, with the secrets that the gateway needs.
#[derive(ToSchema)]
#[schema(as = PortkeyServer)]
#[expect(dead_code, reason = "describes what `config` makes")]
pub(crate) struct ServerView {
    /// Slug of the server.
    #[schema(example = "linear")]
    slug: String,
    /// The same: the gateway shows no other name.
    #[schema(example = "linear")]
    name: String,
    /// Always `active`; another server answers 503.
    #[schema(example = "active")]
    status: String,
    /// Slug of the workspace.
    #[schema(example = "acme")]
    workspace_id: String,
    /// Slug of the integration.
    #[schema(example = "linear")]
    mcp_integration_id: String,
    /// `url`, `auth_type`, `transport` and `configurations`. The client, its endpoints and its scope are in
    /// `configurations.oauth_metadata`.
    #[schema(value_type = Object)]
    mcp_integration_details: Value,
    /// Always empty.
    #[schema(value_type = Object)]
    default_headers: Value,
    /// Revision of the last change of the document that this was made from.
    #[schema(example = 412)]
    revision: Option<i64>,
}

fn example() -> Value {
    let document = json!({
        "workspace": "acme", "server": "linear", "integration": "linear", "url": examples::UPSTREAM,
        "transport": "http", "auth_type": "headers", "status": "active", "headers": { "X-Team": "acme" },
    });
    document.as_object().and_then(|document| config::server_config(document).ok()).unwrap_or_default()
}

/// Fetch the configuration of a server
///
/// Call 2 of the open gateway: made of the same document as `/v1/gateway/servers/{workspace}/{server}`, with the client
/// that this registry registered. While that client is being registered the answer waits up to a second, then it is
/// 503: without a client the gateway would register its own with every consent.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The configuration.", body = ServerView, example = json!(example())), ReadProblems)
)]
#[get("/mcp-servers/{server}")]
pub(crate) async fn read_gateway_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    Ok(answer::ok(&config::server_config(&document(&state, &caller, &path).await?)?))
}

/// The document of a server; where it needs a client that is not there, it waits for it.
async fn document(state: &ApiState, caller: &Caller, server: &str) -> Result<Map<String, Value>, Failure> {
    let reference = named(caller, server)?;
    let gateway = state.registry.gateway();
    let (workspace, server) = gateway.names(&caller.actor, &reference).await?;
    let document = gateway.document(&caller.actor, &workspace, &server).await?;
    let members: Map<String, Value> = serde_json::from_slice(&document.body).map_err(Error::from)?;
    let is_complete = members.contains_key("client") || !members.contains_key("registration");
    if is_complete || members.get("status").and_then(Value::as_str) != Some("active") {
        return Ok(members);
    }
    match gateway.ensure(&caller.actor, &workspace, &server, CLIENT_WAIT).await? {
        Ensured::Ready(document) => Ok(serde_json::from_slice(&document.body).map_err(Error::from)?),
        Ensured::NotYet(_) => Ok(members),
    }
}

/// Check whether a user may use a server
///
/// Call 3 of the open gateway, with its own credential, and the user's in `x-portkey-api-key`. Fails closed: a user whose
/// credential is not valid, or who may not know of the server, is not allowed.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The answer.", body = DecisionView, example = json!(DecisionView::example())), ReadProblems)
)]
#[get("/mcp-servers/{server}/user-access/check")]
pub(crate) async fn check_gateway_user(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    caller.require(Permission::FetchGatewayDocument)?;
    let server = named(&caller, &path)?;
    state.registry.servers().require_known(&caller.actor, &server).await?;
    let refused =
        |reason: String| answer::ok(&json!({ "allowed": false, "has_access": false, "reason": reason }));
    let user = match credentials::user(&state, &request).await {
        Ok(user) => user,
        Err(Failure::Application(error @ Error::Unauthenticated(_))) => {
            return Ok(refused(error.to_string()));
        }
        Err(other) => return Err(other),
    };
    match state.registry.access().check_user(&user, &server).await {
        Ok(decision) => Ok(answer::ok(&DecisionView::from(decision))),
        Err(error @ Error::NotFound { .. }) => Ok(refused(error.to_string())),
        Err(other) => Err(other.into()),
    }
}

/// Read the OAuth client of a server
///
/// Call 7 of the open gateway.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The client.", body = ClientInfoView, example = json!(ClientInfoView::example())), ReadProblems)
)]
#[get("/mcp-servers/{server}/client-info")]
pub(crate) async fn read_gateway_client(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let server = named(&caller, &path)?;
    let document = state.registry.gateway().document_of_server(&caller.actor, &server).await?;
    Ok(answer::ok(&ClientInfoView::of_document(&document.body, &path)?))
}

/// Read the token of a user at a server
///
/// Call 4 of the open gateway. There is none: the gateway keeps the tokens of users, so that the answer is 404.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses(ReadProblems)
)]
#[get("/mcp-servers/{server}/tokens")]
pub(crate) async fn read_gateway_token(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.servers().require_known(&caller.actor, &named(&caller, &path)?).await?;
    Err(Error::NotFound { what: "token of a user at the server", reference: path.into_inner() }.into())
}

/// Store the token of a user at a server
///
/// Call 5 of the open gateway. Not built yet: this version keeps no tokens of users.
#[utoipa::path(
    tag = "not built yet",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear")),
    responses(NotBuiltProblems)
)]
#[put("/mcp-servers/{server}/tokens")]
pub(crate) async fn store_gateway_token(_caller: Caller) -> Answer {
    Err(Error::NotImplemented("This version keeps no tokens of users; the gateway does.").into())
}

/// Delete the token of a user at a server
///
/// Call 6 of the open gateway. Succeeds, because there is none.
#[utoipa::path(
    tag = "open gateway",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "There is no token.", body = Done, example = json!(Done::yes())), DeleteProblems)
)]
#[delete("/mcp-servers/{server}/tokens")]
pub(crate) async fn delete_gateway_token(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.servers().require_known(&caller.actor, &named(&caller, &path)?).await?;
    Ok(answer::ok(&Done::yes()))
}
