//! The resolved document of one server.

use crate::ApiState;
use crate::answer::Answer;
use crate::example;
use crate::extract::{Caller, if_none_match};
use crate::responses::GatewayProblems;
use actix_web::http::header::{CACHE_CONTROL, ETAG, VARY};
use actix_web::{HttpResponse, HttpResponseBuilder, get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

/// Which generation of the client.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FetchGatewayServer {
    /// Only this generation of the client, active or draining, for tokens that were issued to it; 404 when it is withdrawn.
    /// Absent: the active one.
    #[param(minimum = 1, example = 2)]
    generation: Option<i64>,
}

/// Fetch the document of one server
///
/// One snapshot of everything a gateway needs: address, client as registered, authorization server, headers. `client`
/// and `authorization_server` are absent until there is an active client. The shape may only grow. Send the `ETag` back
/// in `If-None-Match` to get 304 while nothing changed.
#[utoipa::path(
    tag = "gateway",
    params(
        ("workspace" = String, Path, description = "Slug of the workspace.", example = "acme"),
        ("server" = String, Path, description = "Slug of the server.", example = "linear"),
        FetchGatewayServer,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what is already known.", example = "\"5f0a3c5e\""),
    ),
    responses(
        (
            status = 200, description = "The document.", body = GatewayDocumentView,
            headers(
                ("ETag" = String, description = "Strong entity tag of these bytes."),
                ("Cache-Control" = String, description = "`private, no-cache`: keep it, ask before using it.")
            ),
            example = json!(GatewayDocumentView::example())
        ),
        (status = 304, description = "Nothing changed since the `ETag` that was sent."),
        GatewayProblems,
    )
)]
#[get("/servers/{workspace}/{server}")]
pub(crate) async fn fetch_gateway_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (workspace, server) = path.into_inner();
    let asked: FetchGatewayServer = caller.query()?;
    let document =
        state.registry.gateway_document_of(&caller.actor, &workspace, &server, asked.generation).await?;
    if if_none_match(caller.headers(), &document.etag) {
        return Ok(cacheable(HttpResponse::NotModified(), document.etag).finish());
    }
    Ok(cacheable(HttpResponse::Ok(), document.etag).content_type("application/json").body(document.body))
}

pub(super) fn cacheable(mut response: HttpResponseBuilder, etag: String) -> HttpResponseBuilder {
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((VARY, "Authorization, x-portkey-api-key, Accept-Encoding"));
    response
}

/// Everything a gateway needs for one server. No nulls, no empty URLs.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayDocument)]
pub(crate) struct GatewayDocumentView {
    /// Slug of the workspace.
    workspace: &'static str,
    /// Slug of the server.
    server: &'static str,
    /// Slug of the integration.
    integration: &'static str,
    /// The upstream MCP server.
    #[schema(format = "uri")]
    url: &'static str,
    /// `http` or `sse`.
    transport: &'static str,
    /// How to authenticate upstream: `oauth_auto`, `oauth_client_credentials`, `headers`, `none`.
    auth_type: &'static str,
    /// When this document last changed, as a number that only grows.
    revision: i64,
    /// The generation of the client; only grows. Absent without a client.
    #[schema(required = false)]
    generation: i64,
    /// `active`.
    status: &'static str,
    /// How the registration stands: `state`, `method`, and `reason` and `detail` when it is not registered.
    #[schema(required = false, value_type = Object)]
    registration: Value,
    /// The metadata document of the authorization server that the client belongs to (RFC 8414), with its `metadata_url`.
    #[schema(required = false, value_type = Object)]
    authorization_server: Value,
    /// The client as registered (RFC 7591 §3.2.1), with its `issuer`.
    #[schema(required = false, value_type = Object)]
    client: Value,
    /// The resource to ask tokens for (RFC 8707).
    #[schema(required = false)]
    resource: &'static str,
    /// The scopes to ask for.
    #[schema(required = false)]
    scope: &'static str,
    /// Parameters to add to the authorization request.
    #[schema(required = false, value_type = Object)]
    authorization_params: Value,
    /// Headers to send upstream.
    #[schema(required = false, value_type = Object)]
    headers: Value,
    /// Headers to send upstream whatever the auth type, over `headers`.
    #[schema(required = false, value_type = Object)]
    passthrough_headers: Value,
    /// Which headers of the caller to forward: a list of names, or an object with `mode` and `headers`.
    #[schema(required = false, value_type = Vec<String>)]
    forward_headers: Value,
    /// How to tell the upstream who the user is.
    #[schema(required = false, value_type = Object)]
    user_identity_forwarding: Value,
    /// How to judge tokens of callers.
    #[schema(required = false, value_type = Object)]
    jwt_validation: Value,
}

impl GatewayDocumentView {
    pub(super) fn example() -> Self {
        let mut client = Map::new();
        client.insert("client_id".to_owned(), json!(example::CLIENT_ID));
        client.extend(example::effective());
        client.insert("issuer".to_owned(), json!(example::ISSUER));
        Self {
            workspace: "acme",
            server: "linear",
            integration: "linear",
            url: example::UPSTREAM,
            transport: "http",
            auth_type: "oauth_auto",
            revision: 412,
            generation: 3,
            status: "active",
            registration: json!({ "state": "registered", "method": "dcr" }),
            authorization_server: json!({
                "issuer": example::ISSUER,
                "authorization_endpoint": "https://mcp.linear.app/authorize",
                "token_endpoint": "https://mcp.linear.app/token",
                "registration_endpoint": "https://mcp.linear.app/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "metadata_url": "https://mcp.linear.app/.well-known/oauth-authorization-server"
            }),
            client: Value::Object(client),
            resource: example::UPSTREAM,
            scope: "mcp:read mcp:write",
            authorization_params: json!({}),
            headers: json!({}),
            passthrough_headers: json!({ "x-team": "acme" }),
            forward_headers: json!(["x-request-id"]),
            user_identity_forwarding: json!({}),
            jwt_validation: json!({}),
        }
    }
}
