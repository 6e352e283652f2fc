//! Sign-in of users at the open gateway: calls 11 to 15. This version signs no users in; what must be answered so that the
//! gateway goes on is answered.

use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::open_gateway;
use crate::http::responses::{CallerProblems, NotBuiltProblems};
use crate::state::ApiState;
use actix_web::{get, post, web};
use registry::Error;
use serde::Serialize;
use utoipa::ToSchema;

const NO_SIGN_IN: &str = "This version signs no users in at gateways. Users send an API key of their workspace in `x-portkey-api-key`, or the gateway uses its own identity provider (`external_auth_config`).";

/// The state of a token (RFC 7662 §2.2).
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyTokenState)]
pub(crate) struct TokenState {
    /// Always false: this registry issues no tokens to users.
    #[schema(example = false)]
    active: bool,
}

/// Nothing.
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyRevoked)]
pub(crate) struct Revoked {}

/// Register a client at the gateway
///
/// Call 11 of the open gateway. Not built yet: this version signs no users in at gateways.
#[utoipa::path(tag = "not built yet", responses(NotBuiltProblems))]
#[post("/oauth/register")]
pub(crate) async fn register_gateway_client(_caller: Caller) -> Answer {
    Err(Error::NotImplemented(NO_SIGN_IN).into())
}

/// Begin to sign a user in
///
/// Call 12 of the open gateway, which sends the browser here. Not built yet.
#[utoipa::path(tag = "not built yet", responses(NotBuiltProblems))]
#[get("/oauth/authorize")]
pub(crate) async fn authorize_at_gateway(state: web::Data<ApiState>) -> Answer {
    not_built(&state)
}

/// Begin to sign a user in for a server
///
/// Call 12 of the open gateway, which sends the browser here. Not built yet.
#[utoipa::path(
    tag = "not built yet",
    params(("resource" = String, Path, description = "Slug of the server.", example = "linear")),
    responses(NotBuiltProblems)
)]
#[get("/oauth/{resource}/authorize")]
pub(crate) async fn authorize_resource_at_gateway(state: web::Data<ApiState>) -> Answer {
    not_built(&state)
}

/// Begin to sign a user in for a server of a workspace
///
/// Call 12 of the open gateway, which sends the browser here. Not built yet.
#[utoipa::path(
    tag = "not built yet",
    params(
        ("workspace" = String, Path, description = "Slug of the workspace.", example = "acme"),
        ("resource" = String, Path, description = "Slug of the server.", example = "linear"),
    ),
    responses(NotBuiltProblems)
)]
#[get("/oauth/{workspace}/{resource}/authorize")]
pub(crate) async fn authorize_server_at_gateway(state: web::Data<ApiState>) -> Answer {
    not_built(&state)
}

/// Issue a token to a user
///
/// Call 13 of the open gateway. Not built yet: this version signs no users in at gateways.
#[utoipa::path(tag = "not built yet", responses(NotBuiltProblems))]
#[post("/oauth/token")]
pub(crate) async fn issue_gateway_token(_caller: Caller) -> Answer {
    Err(Error::NotImplemented(NO_SIGN_IN).into())
}

/// Say whether a token is active
///
/// Call 14 of the open gateway. No token is: this registry issues none (RFC 7662 §2.2).
#[utoipa::path(
    tag = "open gateway",
    responses((status = 200, description = "The token is not active.", body = TokenState, example = json!({ "active": false })), CallerProblems)
)]
#[post("/oauth/introspect")]
pub(crate) async fn introspect_gateway_token(_caller: Caller) -> Answer {
    Ok(answer::ok(&TokenState { active: false }))
}

/// Revoke a token
///
/// Call 15 of the open gateway. Succeeds: a token that was never issued is revoked (RFC 7009 §2.2).
#[utoipa::path(
    tag = "open gateway",
    responses((status = 200, description = "The token is not active.", body = Revoked, example = json!({})), CallerProblems)
)]
#[post("/oauth/revoke")]
pub(crate) async fn revoke_gateway_token(_caller: Caller) -> Answer {
    Ok(answer::ok(&Revoked {}))
}

fn not_built(state: &ApiState) -> Answer {
    open_gateway::require_enabled(state)?;
    Err(Error::NotImplemented(NO_SIGN_IN).into())
}
