//! The authorization server's metadata (RFC 8414 §2), at the addresses the quirks choose.

use crate::answer;
use crate::canned::with_members;
use crate::quirks::{MetadataForm, Quirks, take};
use crate::state::State;
use actix_web::http::header::RETRY_AFTER;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

/// The metadata, if the request's path is one of its addresses.
pub(crate) fn document(state: &State, request: &HttpRequest) -> Option<HttpResponse> {
    let mut book = state.book();
    let quirks = &mut book.quirks;
    let path = &quirks.issuer_path;
    let found = quirks.metadata_forms.iter().any(|form| {
        let address = match form {
            MetadataForm::Oauth => format!("/.well-known/oauth-authorization-server{path}"),
            MetadataForm::OidcInserted => format!("/.well-known/openid-configuration{path}"),
            MetadataForm::OidcAppended => format!("{path}/.well-known/openid-configuration"),
        };
        address == request.path()
    });
    if !found || request.method() != Method::GET {
        return None;
    }
    if take(&mut quirks.unavailable_metadata_requests) {
        return Some(busy(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", quirks));
    }
    Some(answer::json(StatusCode::OK, &body(state, quirks)))
}

/// 429 or 503, with `Retry-After` where the quirks have one.
pub(super) fn busy(status: StatusCode, code: &str, quirks: &Quirks) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if let Some(after) = &quirks.retry_after {
        answer.insert_header((RETRY_AFTER, after.as_str()));
    }
    answer.content_type("application/json").body(answer::error_body(code, "Try again later.").to_string())
}

fn body(state: &State, quirks: &Quirks) -> Value {
    let origin = &state.origin;
    let mut body = json!({
        "issuer": state.issuer(quirks),
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    });
    if !quirks.no_registration_endpoint {
        let own = || format!("{origin}/register");
        body["registration_endpoint"] = json!(quirks.registration_endpoint.clone().unwrap_or_else(own));
    }
    if let Some(methods) = &quirks.auth_methods_supported {
        body["token_endpoint_auth_methods_supported"] = json!(methods);
        body["revocation_endpoint_auth_methods_supported"] = json!(methods);
    }
    if !quirks.scopes_supported.is_empty() {
        body["scopes_supported"] = json!(quirks.scopes_supported);
    }
    if !quirks.no_code_challenge_methods {
        body["code_challenge_methods_supported"] = json!(["S256"]);
    }
    if !quirks.no_iss {
        body["authorization_response_iss_parameter_supported"] = json!(true);
    }
    if quirks.cimd_supported {
        body["client_id_metadata_document_supported"] = json!(true);
    }
    with_members(&mut body, &quirks.metadata_members);
    body
}
