//! `POST /register` (RFC 7591 §3).

use super::client_metadata;
use super::metadata::busy;
use crate::answer::{self, Refused};
use crate::canned::with_members;
use crate::mcp_server::bearer;
use crate::quirks::{Quirks, take};
use crate::state::{Book, RegisteredClient, RegisteredRequest, State, now, now_seconds, random};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) async fn register(state: &State, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let (number, hang) = receive(state, request, body);
    if hang > 0 {
        // A sandbox that stops does not wait for the end of a hang.
        let mut stopping = state.stopping.subscribe();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(hang)) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return answer::lost(),
        }
    }
    let mut book = state.book();
    let client = match obstacles(&mut book.quirks, request).and_then(|()| accept(&book.quirks, request, body))
    {
        Ok(client) => client,
        Err(refused) => return *refused,
    };
    book.received[number].client_id = Some(client.client_id.clone());
    book.clients.insert(client.client_id.clone(), client.clone());
    let lost = take(&mut book.quirks.lost_answers);
    let answer = registered(state, &book, &client);
    drop(book);
    state.progress.send_modify(|progress| progress.registered += 1);
    if lost { answer::lost() } else { answer }
}

/// Notes the request before anything is decided; its place in the list, and how long to hang.
fn receive(state: &State, request: &HttpRequest, body: &[u8]) -> (usize, u64) {
    let mut book = state.book();
    let number = book.received.len();
    book.received.push(RegisteredRequest {
        body: serde_json::from_slice(body).unwrap_or_default(),
        authorization: request.headers().contains_key(AUTHORIZATION),
        client_id: None,
        at: now(),
    });
    let hang = book.quirks.hang_seconds;
    drop(book);
    state.progress.send_modify(|progress| progress.received += 1);
    (number, hang)
}

/// What stops a request before its body is looked at.
fn obstacles(quirks: &mut Quirks, request: &HttpRequest) -> Result<(), Refused> {
    if quirks.no_registration_endpoint {
        return Err(HttpResponse::NotFound().body("Nothing is here.").into());
    }
    if let Some(elsewhere) = &quirks.registration_redirect {
        return Err(HttpResponse::TemporaryRedirect()
            .insert_header((LOCATION, elsewhere.as_str()))
            .finish()
            .into());
    }
    if take(&mut quirks.rate_limited_requests) {
        return Err(busy(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", quirks).into());
    }
    if take(&mut quirks.unavailable_requests) {
        return Err(busy(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", quirks).into());
    }
    if let Some(token) = &quirks.initial_access_token
        && bearer(request) != Some(token.expose())
    {
        let body = answer::error_body("invalid_token", "An initial access token is required.").to_string();
        let mut answer = HttpResponse::Unauthorized();
        answer.insert_header((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""));
        return Err(answer.content_type("application/json").body(body).into());
    }
    if let Some(refusal) = &quirks.registration_refusal {
        let description = refusal.description.as_deref().unwrap_or_default();
        return Err(answer::error(answer::status(refusal.status), &refusal.error, description).into());
    }
    if quirks.registration_html {
        let page = "<!doctype html><title>Sign in</title><p>Please sign in to continue.";
        return Err(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page).into());
    }
    Ok(())
}

fn accept(quirks: &Quirks, request: &HttpRequest, body: &[u8]) -> Result<RegisteredClient, Refused> {
    let asked = json_object(request, body)?;
    if let Some(name) = &quirks.required_client_name
        && asked.get("client_name").and_then(Value::as_str) != Some(name)
    {
        return Err(HttpResponse::Forbidden().content_type("application/json").body("Forbidden").into());
    }
    let metadata = client_metadata::judge(&asked, quirks)?;
    let mut client = RegisteredClient {
        client_id: format!("sandbox-{}", &random()[..32]),
        metadata,
        issued_at: now(),
        secret_expires_at: 0,
        secret: None,
        registration_access_token: random(),
    };
    provide_secret(&mut client, quirks);
    Ok(client)
}

/// The body as one JSON object, labelled as JSON (RFC 7591 §3.1).
pub(super) fn json_object(request: &HttpRequest, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    let label = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !label.to_ascii_lowercase().starts_with("application/json") {
        return Err(answer::error(
            StatusCode::BAD_REQUEST,
            "invalid_client_metadata",
            "Content-Type must be application/json",
        )
        .into());
    }
    serde_json::from_slice(body).map_err(|_| {
        answer::error(StatusCode::BAD_REQUEST, "invalid_client_metadata", "the body must be one JSON object")
            .into()
    })
}

/// Gives the client the secret its auth method needs, if it has none yet.
pub(super) fn provide_secret(client: &mut RegisteredClient, quirks: &Quirks) {
    let needed =
        client.text("token_endpoint_auth_method").starts_with("client_secret_") || quirks.unasked_secret;
    if !needed {
        client.secret = None;
        client.secret_expires_at = 0;
    } else if client.secret.is_none() {
        client.secret = Some(random());
        client.secret_expires_at = quirks.secret_expires_in.map_or(0, |seconds| now_seconds() + seconds);
    }
}

/// The client information response (RFC 7591 §3.2.1) with the management members (RFC 7592 §3).
pub(super) fn information(state: &State, client: &RegisteredClient, quirks: &Quirks) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("client_id".to_owned(), json!(client.client_id));
    body.insert("client_id_issued_at".to_owned(), json!(client.issued_at.timestamp()));
    if let Some(secret) = &client.secret {
        body.insert("client_secret".to_owned(), json!(secret));
        let expiry = quirks.secret_expiry_form.value(client.secret_expires_at);
        body.extend(expiry.map(|expiry| ("client_secret_expires_at".to_owned(), expiry)));
    }
    body.extend(client.metadata.clone());
    if quirks.echo_empties {
        for unset in ["contacts", "grant_types", "response_types"] {
            body.entry(unset).or_insert(Value::Null);
        }
        for unset in ["client_uri", "logo_uri", "tos_uri", "policy_uri", "scope"] {
            body.entry(unset).or_insert(json!(""));
        }
        body.entry("jwks").or_insert(json!({}));
    }
    if !quirks.no_management {
        let own = quirks.management_origin.as_ref().unwrap_or(&state.origin);
        let origin = if quirks.relative_management_uri { "" } else { own };
        body.insert(
            "registration_client_uri".to_owned(),
            json!(format!("{origin}/register/{}", client.client_id)),
        );
        body.insert("registration_access_token".to_owned(), json!(client.registration_access_token));
    }
    body
}

fn registered(state: &State, book: &Book, client: &RegisteredClient) -> HttpResponse {
    let quirks = &book.quirks;
    let status = answer::status(quirks.success_status);
    if let Some(body) = &quirks.registration_body {
        return answer::json(status, body);
    }
    let mut body = information(state, client, quirks);
    body.retain(|name, _| !quirks.omit_members.contains(name));
    if quirks.padding_bytes > 0 {
        body.insert("padding".to_owned(), json!("x".repeat(quirks.padding_bytes)));
    }
    let mut body = Value::Object(body);
    with_members(&mut body, &quirks.answer_members);
    answer::json_text(status, quirks.answer_wrapping.body(&body))
}
