//! The MCP server: `/mcp` with its challenge, and the protected-resource metadata (RFC 9728).

use crate::answer;
use crate::canned::with_members;
use crate::offers;
use crate::quirks::Quirks;
use crate::state::{Grant, State, now_seconds};
use actix_web::http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

/// Protocol revisions with an `initialize` handshake, newest first.
const REVISIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The revision to use with a client that asked for `asked`.
fn revision(asked: &str) -> &'static str {
    REVISIONS.into_iter().find(|known| *known == asked).unwrap_or(REVISIONS[0])
}

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/mcp")
            .route(web::post().to(
                |state: web::Data<State>, request: HttpRequest, body: web::Bytes| async move {
                    message(&state, &request, &body)
                },
            ))
            .route(
                web::get().to(|state: web::Data<State>, request: HttpRequest| async move {
                    stream(&state, &request)
                }),
            )
            // No session can be ended, which Streamable HTTP permits.
            .default_service(web::to(|| async { not_allowed("POST") })),
    );
}

/// The protected-resource metadata, where the quirks put it.
pub(crate) fn document(state: &State, request: &HttpRequest) -> Option<HttpResponse> {
    let quirks = state.book().quirks.clone();
    if request.method() != Method::GET || State::resource_metadata_path(&quirks) != Some(request.path()) {
        return None;
    }
    let mut body = json!({
        "resource": state.resource(&quirks),
        "authorization_servers": state.advertised_issuers(&quirks),
        "bearer_methods_supported": ["header"],
        "resource_name": state.name,
    });
    if !quirks.scopes_supported.is_empty() {
        body["scopes_supported"] = json!(quirks.scopes_supported);
    }
    with_members(&mut body, &quirks.resource_members);
    Some(answer::json(StatusCode::OK, &body))
}

fn not_allowed(allowed: &'static str) -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed)).finish()
}

/// No stream is offered on GET, which Streamable HTTP permits; a server of the SSE transport has its challenge there.
fn stream(state: &State, request: &HttpRequest) -> HttpResponse {
    let quirks = state.book().quirks.clone();
    let bearer = bearer(request);
    if quirks.challenge_on_get && bearer.and_then(|token| access(state, token)).is_none() {
        return challenge(state, &quirks, bearer.is_some());
    }
    not_allowed("POST")
}

fn message(state: &State, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let quirks = state.book().quirks.clone();
    let message: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let method = message.as_ref().and_then(|message| message.get("method")?.as_str()).unwrap_or_default();
    let bearer = bearer(request);
    let grant = bearer.and_then(|token| access(state, token));
    if quirks.no_auth {
        if !has_required_header(request, &quirks) {
            return answer::json(
                StatusCode::UNAUTHORIZED,
                &answer::error_body("unauthorized", "The header is missing or wrong."),
            );
        }
    } else if grant.is_none() && quirks.challenge_on_get {
        return not_allowed("GET");
    }
    if grant.is_none() && !quirks.no_auth && !(quirks.open_initialize && method == "initialize") {
        return challenge(state, &quirks, bearer.is_some());
    }
    let Some(message) = &message else {
        let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "The body is not one JSON-RPC message."}});
        return answer::json(StatusCode::BAD_REQUEST, &error);
    };
    let Some(id) = message.get("id").filter(|_| !method.is_empty()) else {
        // A notification, or an answer to something never asked: taken note of, not answered.
        return HttpResponse::Accepted().finish();
    };
    let parameters = message.get("params").unwrap_or(&Value::Null);
    let found = offers::result(&quirks, method, parameters, &state.name);
    let body = match found.unwrap_or_else(|| result(state, method, parameters, grant.as_ref())) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, text)) => json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}),
    };
    if quirks.event_streams {
        let notification = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "asked"}});
        let stream = format!(
            ": the sandbox\n\nevent: message\ndata: {notification}\n\nevent: message\ndata: {body}\n\n"
        );
        return HttpResponse::Ok().content_type("text/event-stream").body(stream);
    }
    answer::json(StatusCode::OK, &body)
}

/// Whether the request has the header that the quirks require, or they require none.
fn has_required_header(request: &HttpRequest, quirks: &Quirks) -> bool {
    quirks.required_header.as_deref().and_then(|header| header.split_once(':')).is_none_or(|(name, value)| {
        request.headers().get(name).is_some_and(|sent| sent.as_bytes() == value.trim().as_bytes())
    })
}

fn result(
    state: &State,
    method: &str,
    parameters: &Value,
    grant: Option<&Grant>,
) -> Result<Value, (i32, String)> {
    match method {
        "initialize" => {
            let asked = parameters["protocolVersion"].as_str().unwrap_or_default();
            let revision = revision(asked);
            Ok(json!({
                "protocolVersion": revision,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "registry-sandbox", "title": state.name, "version": env!("CARGO_PKG_VERSION")},
            }))
        }
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": [{
            "name": "whoami",
            "title": "Who am I",
            "description": "Says which OAuth client calls, and with which scopes.",
            "inputSchema": {"type": "object", "properties": {}},
        }]})),
        "tools/call" if parameters["name"] == "whoami" => {
            let book = state.book();
            let client = grant.and_then(|grant| book.clients.get(&grant.client_id));
            let told = json!({
                "client_id": grant.map(|grant| &grant.client_id),
                "client_name": client.map(|client| client.text("client_name")),
                "scope": grant.map(|grant| &grant.scope),
            });
            Ok(json!({"content": [{"type": "text", "text": told.to_string()}], "isError": false}))
        }
        "tools/call" => Err((-32602, "There is no such tool; `tools/list` names them.".to_owned())),
        _ => Err((-32601, format!("The method `{method}` is not offered."))),
    }
}

fn access(state: &State, token: &str) -> Option<Grant> {
    state.book().access_tokens.get(token).filter(|grant| grant.expires_at > now_seconds()).cloned()
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
pub(crate) fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// 401 with the challenge of RFC 9728 §5.1 and the scopes of the MCP specification.
fn challenge(state: &State, quirks: &Quirks, token_given: bool) -> HttpResponse {
    let mut parameters = Vec::new();
    if token_given {
        parameters.push("error=\"invalid_token\"".to_owned());
    }
    let own = State::resource_metadata_path(quirks).map(|path| format!("{}{path}", state.origin));
    let hint = quirks.resource_metadata_hint.clone().or(own);
    if let Some(hint) = hint.filter(|_| !quirks.no_resource_metadata_hint) {
        parameters.push(format!("resource_metadata=\"{hint}\""));
    }
    let scope = quirks.challenge_scope.as_ref().or(quirks.scopes_supported.first());
    if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
        parameters.push(format!("scope=\"{scope}\""));
    }
    let challenge = format!("Bearer {}", parameters.join(", "));
    HttpResponse::build(answer::status(quirks.challenge_status))
        .insert_header((WWW_AUTHENTICATE, challenge.trim_end()))
        .content_type("application/json")
        .body(answer::error_body("invalid_token", "A valid access token is required.").to_string())
}
