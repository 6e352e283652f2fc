//! `/token` (OAuth 2.1 §3.2, PKCE, refresh token rotation) and `/revoke` (RFC 7009).

use super::Form;
use crate::answer::{self, Refused};
use crate::state::{Book, Grant, RegisteredClient, State, now_seconds, random};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub(super) fn token(state: &State, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let form = Form::of(body);
    let mut book = state.book();
    let client = match authenticate(&book, request, &form) {
        Ok(client) => client,
        Err(refused) => return *refused,
    };
    let refuse = |code: &str, text: &str| answer::error(StatusCode::BAD_REQUEST, code, text);
    if form.get("resource").is_some_and(|resource| resource != state.resource(&book.quirks)) {
        return refuse("invalid_target", "resource is not the MCP server of this authorization server");
    }
    let kind = form.get("grant_type").unwrap_or_default();
    if matches!(kind, "authorization_code" | "refresh_token") && !client.list("grant_types").contains(&kind) {
        return refuse("unauthorized_client", "the client is not registered for this grant type");
    }
    let scope = match kind {
        "authorization_code" => redeem_code(&mut book, &client, &form),
        "refresh_token" => redeem_refresh_token(&mut book, &client, &form),
        _ => {
            return refuse(
                "unsupported_grant_type",
                "grant_type must be authorization_code or refresh_token",
            );
        }
    };
    match scope {
        Ok(scope) => issue(&mut book, &client, scope),
        Err(text) => refuse("invalid_grant", text),
    }
}

pub(super) fn revoke(state: &State, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let form = Form::of(body);
    let mut book = state.book();
    let client = match authenticate(&book, request, &form) {
        Ok(client) => client,
        Err(refused) => return *refused,
    };
    if let Some(token) = form.get("token") {
        let others = |issued: &String, grant: &Grant| issued != token || grant.client_id != client.client_id;
        book.access_tokens.retain(|issued, grant| others(issued, grant));
        book.refresh_tokens.retain(|issued, grant| others(issued, grant));
    }
    HttpResponse::Ok().finish()
}

/// The client, if it authenticated by the method it is registered with.
fn authenticate(book: &Book, request: &HttpRequest, form: &Form) -> Result<RegisteredClient, Refused> {
    let basic = basic(request);
    if basic.is_some() && form.get("client_secret").is_some() {
        let text = "one authentication method at a time";
        return Err(answer::error(StatusCode::BAD_REQUEST, "invalid_request", text).into());
    }
    let id = basic.as_ref().map(|(id, _)| id.as_str()).or(form.get("client_id")).unwrap_or_default();
    let Some(client) = book.clients.get(id) else {
        return Err(invalid_client(
            answer::status(book.quirks.unknown_client_status),
            "the client is not registered",
        )
        .into());
    };
    let given = basic.as_ref().map(|(_, secret)| secret.as_str()).or(form.get("client_secret"));
    let method_fits = match client.text("token_endpoint_auth_method") {
        "client_secret_basic" => basic.is_some(),
        "client_secret_post" => basic.is_none(),
        // With an unrequested secret (Figma), both auth methods are accepted.
        _ => client.secret.is_some() || basic.is_none(),
    };
    let secret_fits = client.secret.as_deref() == given;
    let expired = client.secret_expires_at != 0 && client.secret_expires_at <= now_seconds();
    if method_fits && secret_fits && !expired {
        Ok(client.clone())
    } else {
        let text = if expired { "the client secret has expired" } else { "client authentication failed" };
        Err(invalid_client(StatusCode::UNAUTHORIZED, text).into())
    }
}

fn invalid_client(status: StatusCode, text: &str) -> HttpResponse {
    let mut answer = answer::error(status, "invalid_client", text);
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6749 §5.2 wants the challenge where the client used the header; it does no harm elsewhere.
        let challenge = actix_web::http::header::HeaderValue::from_static("Basic realm=\"sandbox\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// Id and secret of an `Authorization: Basic` header, both form-encoded (RFC 6749 §2.3.1).
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let (scheme, value) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = String::from_utf8(
        STANDARD.decode(value.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?,
    )
    .ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode =
        |text: &str| url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned());
    Some((decode(id)?, decode(secret).unwrap_or_default()))
}

fn redeem_code(book: &mut Book, client: &RegisteredClient, form: &Form) -> Result<String, &'static str> {
    // Removed in any case: a code can be used only once.
    let code = form.get("code").and_then(|code| book.codes.remove(code)).ok_or("the code is not known")?;
    if code.client_id != client.client_id || code.expires_at <= now_seconds() {
        return Err("the code is not this client's, or it has expired");
    }
    if form.get("redirect_uri").is_some_and(|address| address != code.redirect_uri) {
        return Err("redirect_uri differs from the authorization request's");
    }
    let verifier = form.get("code_verifier").ok_or("code_verifier is missing")?;
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != code.code_challenge {
        return Err("code_verifier does not fit the challenge");
    }
    Ok(code.scope)
}

fn redeem_refresh_token(
    book: &mut Book,
    client: &RegisteredClient,
    form: &Form,
) -> Result<String, &'static str> {
    let token = form.get("refresh_token").unwrap_or_default();
    let owned = book.refresh_tokens.get(token).is_some_and(|grant| grant.client_id == client.client_id);
    let grant =
        book.refresh_tokens.remove(token).filter(|_| owned).ok_or("the refresh token is not known")?;
    Ok(grant.scope)
}

fn issue(book: &mut Book, client: &RegisteredClient, scope: String) -> HttpResponse {
    let seconds = book.quirks.access_token_seconds;
    let grant = Grant { client_id: client.client_id.clone(), scope, expires_at: now_seconds() + seconds };
    let access = random();
    let mut body = json!({"access_token": access, "token_type": "Bearer", "expires_in": seconds});
    if !grant.scope.is_empty() {
        body["scope"] = json!(grant.scope);
    }
    if client.list("grant_types").contains(&"refresh_token") {
        let refresh = random();
        body["refresh_token"] = json!(refresh);
        book.refresh_tokens.insert(refresh, grant.clone());
    }
    book.access_tokens.insert(access, grant);
    answer::json(StatusCode::OK, &body)
}
