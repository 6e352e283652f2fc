//! `/authorize`: OAuth 2.1 with PKCE (RFC 7636), resource indicators (RFC 8707) and `iss` (RFC 9207).

use super::Form;
use crate::consent;
use crate::state::{Authorization, State, now_seconds, random};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use url::Url;

/// Lifetime of a pending consent and of a code, in seconds.
const CODE_TTL: i64 = 600;

/// Judges the request and shows the consent page.
pub(super) fn ask(state: &State, request: &HttpRequest) -> HttpResponse {
    let form = Form::of(request.query_string().as_bytes());
    let mut book = state.book();
    // Until client and redirect URI are known to belong together nothing may be sent there (RFC 6749 §4.1.2.1).
    let Some(client) = form.get("client_id").and_then(|id| book.clients.get(id)).cloned() else {
        return consent::failure(StatusCode::BAD_REQUEST, "This application is not registered here.");
    };
    let registered = client.list("redirect_uris");
    let Some(redirect_uri) = form.get("redirect_uri").filter(|asked| registered.contains(asked)) else {
        return consent::failure(
            StatusCode::BAD_REQUEST,
            "The application's redirect address is not one it registered.",
        );
    };
    let issuer = (!book.quirks.no_iss).then(|| state.issuer(&book.quirks));
    let state_parameter = form.get("state");
    let refuse = |code: &str, text: &str| {
        back(
            redirect_uri,
            &[
                ("error", Some(code)),
                ("error_description", Some(text)),
                ("state", state_parameter),
                ("iss", issuer.as_deref()),
            ],
        )
    };
    if form.get("response_type") != Some("code") {
        return refuse("unsupported_response_type", "response_type must be code");
    }
    let Some(challenge) =
        form.get("code_challenge").filter(|_| form.get("code_challenge_method") == Some("S256"))
    else {
        return refuse("invalid_request", "code_challenge with the method S256 is required");
    };
    if form.get("resource").is_some_and(|resource| resource != state.resource(&book.quirks)) {
        return refuse("invalid_target", "resource is not the MCP server of this authorization server");
    }
    let allowed = client.text("scope");
    let scope = form.get("scope").unwrap_or(allowed);
    if !allowed.is_empty() && scope.split(' ').any(|asked| !allowed.split(' ').any(|one| one == asked)) {
        return refuse("invalid_scope", "scope exceeds what the client is registered for");
    }
    let number = random();
    let page = consent::page(state, &client, scope, Some((&number, redirect_uri)));
    let waiting = Authorization {
        client_id: client.client_id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_owned(),
        state: state_parameter.map(str::to_owned),
        code_challenge: challenge.to_owned(),
        expires_at: now_seconds() + CODE_TTL,
    };
    book.pending.insert(number, waiting);
    page
}

/// Handles the user's decision and redirects the browser.
pub(super) fn decide(state: &State, body: &[u8]) -> HttpResponse {
    let form = Form::of(body);
    let mut book = state.book();
    let waiting = form.get("request").and_then(|number| book.pending.remove(number));
    let Some(waiting) = waiting.filter(|waiting| waiting.expires_at > now_seconds()) else {
        return consent::failure(
            StatusCode::BAD_REQUEST,
            "This request has been answered already, or it is too old. Start again.",
        );
    };
    let issuer = (!book.quirks.no_iss).then(|| state.issuer(&book.quirks));
    let (given, issuer) = (waiting.state.as_deref(), issuer.as_deref());
    if form.get("decision") != Some("approve") {
        let text = "The user denied the request.";
        let answer = [
            ("error", Some("access_denied")),
            ("error_description", Some(text)),
            ("state", given),
            ("iss", issuer),
        ];
        return back(&waiting.redirect_uri, &answer);
    }
    let code = random();
    let answer =
        back(&waiting.redirect_uri, &[("code", Some(code.as_str())), ("state", given), ("iss", issuer)]);
    book.codes.insert(code, Authorization { expires_at: now_seconds() + CODE_TTL, ..waiting });
    answer
}

/// Back to the client with what is known of `parameters`.
fn back(redirect_uri: &str, parameters: &[(&str, Option<&str>)]) -> HttpResponse {
    let Ok(mut address) = Url::parse(redirect_uri) else {
        return consent::failure(
            StatusCode::BAD_REQUEST,
            "The application's redirect address is no address.",
        );
    };
    address
        .query_pairs_mut()
        .extend_pairs(parameters.iter().filter_map(|(name, value)| Some((name, (*value)?))));
    HttpResponse::SeeOther()
        .insert_header((LOCATION, address.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
