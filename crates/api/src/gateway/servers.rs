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
use registry_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

/// Where the documents are.
pub(super) const PREFIX: &str = "/v1/gateway/servers/";
/// Says since when the database has not answered, so that what is sent is the last that was known.
const STALE_SINCE: HeaderName = HeaderName::from_static("registry-stale-since");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const VARIES: HeaderValue = HeaderValue::from_static("Authorization, x-portkey-api-key, Accept-Encoding");

/// Which generation of the client.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FetchGatewayServer {
    /// Only this generation of the client, active or draining, for tokens that were issued to it; 404 when it is withdrawn.
    /// Absent: the active one.
    #[param(minimum = 1, example = 2)]
    generation: Option<i64>,
    /// A revision that the answer must know of, as a change named it: without it a process that has not yet heard of the
    /// change might answer with what was before. 404 when there is no such revision.
    #[param(minimum = 0, example = 412)]
    at_least: Option<i64>,
}

/// Fetch the document of one server
///
/// One snapshot of everything a gateway needs: address, client as registered, authorization server, headers. `client`
/// and `authorization_server` are absent until there is an active client. The shape may only grow; its JSON Schema is at
/// `/docs/gateway-document.schema.json`. Send the `ETag` back in `If-None-Match` to get 304 while nothing changed. `gzip`
/// and `br` when asked for, each with a tag of its own. Served from memory: also, as it was last known, while the
/// database is away; `Registry-Stale-Since` then says since when.
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
                ("Cache-Control" = String, description = "`private, no-cache`: keep it, ask before using it."),
                ("Registry-Stale-Since" = Option<String>, description = "Only while the database is away: since when (RFC 3339).")
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

/// What was known last, when the database does not answer and the caller was given it before.
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

/// The document in the coding that is asked for, or 304 when the caller has it already.
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

/// The coding to answer in: none unless it is named (RFC 9110 §12.5.3).
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
    /// `active`, or `disabled`: then nothing but a reason follows.
    status: &'static str,
    /// Why it is disabled: `access_disabled` (for this workspace) or `integration_disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The registration: `state`, `method`, and `reason` and `detail` when it is not registered.
    #[schema(required = false, value_type = GatewayRegistration)]
    registration: Value,
    /// The metadata document of the authorization server that the client belongs to (RFC 8414), with its `metadata_url`.
    #[schema(required = false, value_type = GatewayAuthorizationServer)]
    authorization_server: Value,
    /// The client as registered (RFC 7591 §3.2.1), with its `issuer`.
    #[schema(required = false, value_type = GatewayClient)]
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
    /// How to validate tokens of callers.
    #[schema(required = false, value_type = Object)]
    jwt_validation: Value,
    /// Whether all users of this server share one upstream client, so that the gateway owes each of them a consent of its
    /// own (MCP security best practices, "confused deputy").
    #[schema(required = false)]
    shared_upstream_client: bool,
}

/// The registration of a server.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the registry prepares")]
struct GatewayRegistration {
    /// `registered`, `outdated`, `queued`, `registering`, `retrying`, `failed`, `unconfirmed`, `awaiting_approval` …
    #[schema(example = "registered")]
    state: String,
    /// How the client came to be: `dcr`, `cimd`, `pre_registered`. Absent without a client.
    #[schema(example = "dcr")]
    method: Option<String>,
    /// Stable code of why there is none, or no newer one.
    reason: Option<String>,
    /// The same as a sentence.
    detail: Option<String>,
}

/// The authorization server a client belongs to (RFC 8414 §2); every member it publishes is here.
#[derive(Serialize, ToSchema)]
struct GatewayAuthorizationServer {
    /// To compare with `iss` in answers (RFC 9207), character for character.
    issuer: String,
    /// The authorization endpoint, where users sign in.
    #[schema(format = "uri")]
    authorization_endpoint: String,
    /// Where codes become tokens.
    #[schema(format = "uri")]
    token_endpoint: String,
    /// Where tokens are revoked (RFC 7009).
    #[schema(format = "uri")]
    revocation_endpoint: Option<String>,
    /// Ways to authenticate there.
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// PKCE methods; `S256` among them.
    code_challenge_methods_supported: Option<Vec<String>>,
    /// Where this was found.
    #[schema(format = "uri")]
    metadata_url: String,
    /// Further members.
    #[serde(flatten)]
    further: Map<String, Value>,
}

/// A client as registered, not as asked for (RFC 7591 §3.2.1); further members of the answer are here too.
#[derive(Serialize, ToSchema)]
struct GatewayClient {
    /// Its identifier there.
    client_id: String,
    /// Its secret, if it has one.
    client_secret: Option<String>,
    /// When it was issued, in seconds since 1970.
    client_id_issued_at: Option<i64>,
    /// When the secret expires, in seconds since 1970; 0: never. Present with a secret.
    client_secret_expires_at: Option<i64>,
    /// `none`, `client_secret_basic`, `client_secret_post`: exactly this one is to be used.
    token_endpoint_auth_method: String,
    /// The callbacks.
    redirect_uris: Option<Vec<String>>,
    /// The grants.
    grant_types: Option<Vec<String>>,
    /// The response types.
    response_types: Option<Vec<String>>,
    /// The scopes it may ask for.
    scope: Option<String>,
    /// The name that users see.
    client_name: Option<String>,
    /// The authorization server it belongs to.
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
            headers: json!({}),
            passthrough_headers: json!({ "x-team": "acme" }),
            forward_headers: json!(["x-request-id"]),
            user_identity_forwarding: json!({}),
            jwt_validation: json!({}),
            shared_upstream_client: true,
        }
    }
}
