//! The resolved document of one server.

use crate::examples;
use crate::http::answer::Answer;
use crate::http::extract::{Caller, credential, if_none_match};
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::GatewayProblems;
use crate::http::security_headers;
use crate::state::ApiState;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, web};
use chrono::SecondsFormat;
use metrics::counter;
use registry::{CachedDocument, Coding, Error, GatewayDocument};
use registry_core::capability::CapabilityKind;
use registry_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

/// The path of the documents.
pub(super) const PREFIX: &str = "/v1/gateway/servers/";
/// The header that says since when the database has not answered, so that the response is the last known document.
const STALE_SINCE: HeaderName = HeaderName::from_static("registry-stale-since");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const VARIES: HeaderValue = HeaderValue::from_static("Authorization, x-portkey-api-key, Accept-Encoding");

/// The generation of the client.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FetchGatewayServer {
    /// The generation of the client, active or draining, for tokens that were issued to it; 404 when it is
    /// withdrawn. The active one when absent.
    #[param(minimum = 1, example = 2)]
    generation: Option<i64>,
    /// A revision that the response must include, as a change named it: without it a process that has not yet
    /// seen the change might return the previous document. 404 when there is no such revision.
    #[param(minimum = 0, example = 412)]
    at_least: Option<i64>,
}

/// Fetch the document of one server
///
/// One snapshot of everything a gateway needs: URL, client as registered, authorization server, headers. `client`
/// and `authorization_server` are absent until there is an active client. Members may be added to the document; its
/// JSON Schema is at `/docs/gateway-document.schema.json`. Send the `ETag` back in `If-None-Match` to get 304 while
/// nothing changed. `gzip` and `br` are supported, each with its own `ETag`. Served from memory: while the database
/// is not reachable the last known document is served, and `Registry-Stale-Since` says since when.
#[utoipa::path(
    tag = "gateway",
    params(
        ("workspace" = String, Path, description = "Slug of the workspace.", example = "acme"),
        ("server" = String, Path, description = "Slug of the server.", example = "linear"),
        FetchGatewayServer,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the document that the caller has.", example = "\"5f0a3c5e\""),
    ),
    responses(
        (
            status = 200, description = "The document.", body = GatewayDocumentView,
            headers(
                ("ETag" = String, description = "Strong entity tag of these bytes."),
                ("Cache-Control" = String, description = "`private, no-cache`: cache it, but revalidate before use."),
                ("Registry-Stale-Since" = Option<String>, description = "Only while the database is not reachable: since when (RFC 3339).")
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
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Answer {
    let registry = &state.registry;
    let credential = credential(request.headers())?;
    let caller = match Caller::authenticate(request.clone()).await {
        Err(failure) => return last_known(&state, &request, credential, failure),
        Ok(caller) => caller,
    };
    let (workspace, server) = path.into_inner();
    let asked: FetchGatewayServer = caller.query()?;
    if let Some(generation) = asked.generation {
        let found =
            registry.gateway().document_of(&caller.actor, &workspace, &server, Some(generation)).await?;
        counter!("mcp_registry_gateway_documents_total", "from" => "database").increment(1);
        return Ok(send(request.headers(), None, None, &found));
    }
    let at_least = query::revision("at_least", asked.at_least)?.unwrap_or_default();
    match registry.gateway().load_document(&caller.actor, credential, (&workspace, &server), at_least).await {
        Ok(document) => {
            counter!("mcp_registry_gateway_documents_total", "from" => "database").increment(1);
            Ok(respond_with(request.headers(), None, &document))
        }
        Err(error) => last_known(&state, &request, credential, error.into()),
    }
}

/// The last known document, when the database does not answer and the caller was given it before.
fn last_known(state: &ApiState, request: &HttpRequest, credential: &str, failure: Failure) -> Answer {
    let name = request.path().strip_prefix(PREFIX).unwrap_or_default();
    if let Failure::Application(Error::Unavailable(_)) = failure
        && let Some(document) = state.registry.gateway().last_known_document(credential, name)
    {
        counter!("mcp_registry_gateway_documents_total", "from" => "last_known").increment(1);
        let since = state.registry.gateway().away_since().unwrap_or_else(|| state.registry.now());
        return Ok(respond_with(request.headers(), Some(since), &document));
    }
    Err(failure)
}

/// The document in the requested content coding, or 304 when the caller has it already.
pub(super) fn respond_with(
    headers: &HeaderMap,
    stale_since: Option<Timestamp>,
    document: &CachedDocument,
) -> HttpResponse {
    let coding = coding(headers);
    let name = match coding {
        Coding::Identity => None,
        Coding::Gzip => Some("gzip"),
        Coding::Brotli => Some("br"),
    };
    send(headers, stale_since, name, document.coded(coding))
}

/// The content coding of the response: none unless the request names one (RFC 9110 §12.5.3).
fn coding(headers: &HeaderMap) -> Coding {
    let mut best = Coding::Identity;
    let named = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    for one in named.flat_map(|value| value.split(',')) {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        let quality = quality.trim().trim_start_matches("q=").trim_start_matches("Q=");
        if quality.parse() == Ok(0.0_f32) {
            continue;
        }
        match name.trim() {
            name if name.eq_ignore_ascii_case("br") => return Coding::Brotli,
            name if name.eq_ignore_ascii_case("gzip") => best = Coding::Gzip,
            _ => {}
        }
    }
    best
}

fn send(
    headers: &HeaderMap,
    stale_since: Option<Timestamp>,
    coding: Option<&'static str>,
    document: &GatewayDocument,
) -> HttpResponse {
    let known = if_none_match(headers, &document.etag);
    let response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let mut response = cacheable(response, &document.etag);
    if let Some(since) = stale_since {
        response.insert_header((STALE_SINCE, since.to_rfc3339_opts(SecondsFormat::Secs, true)));
    }
    if let Some(coding) = coding.filter(|_| !known) {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static(coding)));
    }
    let mut response = if known {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, JSON)).body(document.body.clone())
    };
    security_headers::add(response.headers_mut());
    response
}

pub(super) fn cacheable(mut response: HttpResponseBuilder, etag: &str) -> HttpResponseBuilder {
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, PRIVATE))
        .insert_header((VARY, VARIES));
    response
}

/// Everything a gateway needs for one server. It has no nulls and no empty URLs.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayDocument)]
pub(crate) struct GatewayDocumentView {
    /// Slug of the workspace.
    workspace: &'static str,
    /// Slug of the server.
    server: &'static str,
    /// Slug of the integration.
    integration: &'static str,
    /// URL of the upstream MCP server.
    #[schema(format = "uri")]
    url: &'static str,
    /// `http` or `sse`.
    transport: &'static str,
    /// Authentication at the upstream: `oauth_auto`, `oauth_client_credentials`, `headers`, `none`.
    auth_type: &'static str,
    /// Revision of the last change of this document; only grows.
    revision: i64,
    /// Generation of the client; only grows. Absent without a client.
    #[schema(required = false)]
    generation: i64,
    /// `active`, or `disabled`: then the document has only a reason.
    status: &'static str,
    /// Why it is disabled: `access_disabled` (for this workspace) or `integration_disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The registration: `state`, `method`, and `reason` and `detail` when it is not registered.
    #[schema(required = false, value_type = GatewayRegistration)]
    registration: Value,
    /// The metadata of the client's authorization server (RFC 8414), with its `metadata_url`.
    #[schema(required = false, value_type = GatewayAuthorizationServer)]
    authorization_server: Value,
    /// The client as registered (RFC 7591 §3.2.1), with its `issuer`.
    #[schema(required = false, value_type = GatewayClient)]
    client: Value,
    /// The resource to request tokens for (RFC 8707).
    #[schema(required = false)]
    resource: &'static str,
    /// The scopes to request.
    #[schema(required = false)]
    scope: &'static str,
    /// Parameters to add to the authorization request.
    #[schema(required = false, value_type = BTreeMap<String, String>)]
    authorization_params: Value,
    /// What users may not use: tools and prompts by name, resources by URI. Absent: everything may be used.
    #[schema(required = false, value_type = Vec<DisabledCapability>)]
    disabled_capabilities: Value,
    /// Members of the Advanced Configuration that are for gateways; their types are added from the table of members.
    #[serde(flatten)]
    #[schema(ignore)]
    configured: Value,
    /// The revision of each layer that the document was made from; 0: the layer was never saved.
    layer_revisions: LayerRevisions,
    /// Whether all users of this server share one upstream client, so that the gateway must ask each user for
    /// consent itself (MCP security best practices, "confused deputy").
    #[schema(required = false)]
    shared_upstream_client: bool,
}

/// A capability that users may not use.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the registry prepares")]
struct DisabledCapability {
    /// The kind.
    r#type: CapabilityKind,
    /// The name; of a resource its URI.
    #[schema(example = "delete_issue")]
    name: String,
}

/// The revisions of the layers of a document.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayLayerRevisions)]
struct LayerRevisions {
    /// The organisation's layer.
    organisation: i64,
    /// The integration's layer.
    integration: i64,
    /// The workspace layer.
    workspace: i64,
    /// The server's layer.
    server: i64,
}

/// The registration of a server.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the registry prepares")]
struct GatewayRegistration {
    /// State: `registered`, `outdated`, `queued`, `registering`, `retrying`, `failed`, `unconfirmed`, `awaiting_approval` …
    #[schema(example = "registered")]
    state: String,
    /// How the client was obtained: `dcr`, `cimd`, `pre_registered`. Absent without a client.
    #[schema(example = "dcr")]
    method: Option<String>,
    /// Stable code of the reason why there is no client, or no newer one.
    reason: Option<String>,
    /// The reason as a sentence.
    detail: Option<String>,
}

/// The authorization server of a client (RFC 8414 §2), with every member that it publishes.
#[derive(Serialize, ToSchema)]
struct GatewayAuthorizationServer {
    /// The issuer, to compare with `iss` of authorization responses (RFC 9207), character by character.
    issuer: String,
    /// URL of the authorization endpoint, where users sign in. Absent where only the client credentials grant is used.
    #[schema(format = "uri")]
    authorization_endpoint: Option<String>,
    /// URL of the token endpoint.
    #[schema(format = "uri")]
    token_endpoint: String,
    /// URL of the revocation endpoint (RFC 7009).
    #[schema(format = "uri")]
    revocation_endpoint: Option<String>,
    /// Supported authentication methods of the token endpoint.
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Supported PKCE methods; includes `S256`.
    code_challenge_methods_supported: Option<Vec<String>>,
    /// URL that the metadata was fetched from.
    #[schema(format = "uri")]
    metadata_url: String,
    /// Further members.
    #[serde(flatten)]
    further: Map<String, Value>,
}

/// A client as registered, not as requested (RFC 7591 §3.2.1), with further members of the response.
#[derive(Serialize, ToSchema)]
struct GatewayClient {
    /// The `client_id`.
    client_id: String,
    /// The `client_secret`, if there is one.
    client_secret: Option<String>,
    /// When the `client_id` was issued, in seconds since 1970.
    client_id_issued_at: Option<i64>,
    /// When the secret expires, in seconds since 1970; 0: never. Present with a secret.
    client_secret_expires_at: Option<i64>,
    /// The authentication method to use: `none`, `client_secret_basic`, `client_secret_post`.
    token_endpoint_auth_method: String,
    /// The redirect URIs.
    redirect_uris: Option<Vec<String>>,
    /// The grant types.
    grant_types: Option<Vec<String>>,
    /// The response types.
    response_types: Option<Vec<String>>,
    /// The scopes that the client may request.
    scope: Option<String>,
    /// The name that users see.
    client_name: Option<String>,
    /// The issuer of the client.
    issuer: String,
    /// Further members.
    #[serde(flatten)]
    further: Map<String, Value>,
}

impl GatewayDocumentView {
    pub(super) fn example() -> Self {
        let mut client = Map::new();
        client.insert("client_id".to_owned(), json!(examples::CLIENT_ID));
        client.extend(examples::effective());
        client.insert("issuer".to_owned(), json!(examples::ISSUER));
        Self {
            workspace: "acme",
            server: "linear",
            integration: "linear",
            url: examples::UPSTREAM,
            transport: "http",
            auth_type: "oauth_auto",
            revision: 412,
            generation: 3,
            status: "active",
            reason: None,
            registration: json!({ "state": "registered", "method": "dcr" }),
            authorization_server: json!({
                "issuer": examples::ISSUER,
                "authorization_endpoint": "https://mcp.linear.app/authorize",
                "token_endpoint": "https://mcp.linear.app/token",
                "registration_endpoint": "https://mcp.linear.app/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "metadata_url": "https://mcp.linear.app/.well-known/oauth-authorization-server"
            }),
            client: Value::Object(client),
            resource: examples::UPSTREAM,
            scope: "mcp:read mcp:write",
            authorization_params: json!({}),
            disabled_capabilities: json!([{ "type": "tool", "name": "delete_issue" }]),
            configured: json!({
                "passthrough_headers": { "x-team": "acme" },
                "forward_headers": ["x-request-id", { "from": "x-tenant", "to": "x-upstream-tenant" }],
                "tools": { "blocked": ["delete_everything"] },
            }),
            layer_revisions: LayerRevisions { organisation: 1, integration: 4, workspace: 0, server: 2 },
            shared_upstream_client: true,
        }
    }
}
