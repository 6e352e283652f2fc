//! One registration (RFC 7591 §3).

use crate::client::{OutgoingRequest, UpstreamClient};
use crate::time::{millis_since, wall_clock};
use registry_core::oauth::{Exchange, Failure, FailureClass, Issued, read_answer};
use registry_core::registration::RegisterOutcome;
use registry_core::secret::Secret;
use registry_core::url_text::shown;
use reqwest::Method;
use serde_json::{Map, Value};
use std::time::Instant;

/// Replaces the message that a token is needed: one was sent.
const TOKEN_REFUSED: &str = "The authorization server does not accept the initial access token. Enter a new one in `registration.initial_access_token`, or a client registered manually in `client_id`.";

/// Sends `request` to `endpoint`, once. Redirects are never followed: the body would be sent to another address.
pub async fn register(
    http: &UpstreamClient,
    endpoint: &str,
    request: &Map<String, Value>,
    initial_access_token: Option<&Secret>,
) -> RegisterOutcome {
    let started = Instant::now();
    let body = Value::Object(request.clone());
    let answer = http
        .send(&OutgoingRequest {
            bearer: initial_access_token.map(Secret::expose),
            json: Some(&body),
            ..OutgoingRequest::plain("registration", Method::POST, endpoint)
        })
        .await;
    let mut exchange = Exchange {
        step: "registration".to_owned(),
        method: "POST".to_owned(),
        url: shown(endpoint),
        ..Exchange::default()
    };
    let result = match answer {
        Ok(answer) => {
            exchange.status = Some(answer.status);
            read_answer(endpoint, (answer.status, answer.retry_after), &answer.body, request, wall_clock())
        }
        // From here on a client may exist (INV-3).
        Err(transport_error) if transport_error.maybe_sent => Err(Failure::answer_lost()),
        Err(transport_error) => Err(transport_error.failure),
    };
    let result = match initial_access_token {
        Some(token) => without_token(result, token),
        None => result,
    };
    if let Err(failure) = &result {
        exchange.excerpt.clone_from(&failure.error_description);
    }
    exchange.note = match &result {
        Ok(_) => "A client was registered.".to_owned(),
        Err(failure) => failure.message.clone(),
    };
    exchange.duration_ms = millis_since(started);
    RegisterOutcome { result, exchange }
}

/// An upstream may repeat what was sent, in a refusal or in a client: the token is removed.
fn without_token(result: Result<Issued, Failure>, token: &Secret) -> Result<Issued, Failure> {
    match result {
        Ok(issued) if token.is_in_text(&issued.client_id) => Err(Failure::new(
            FailureClass::Protocol,
            "client_id_missing",
            "The authorization server answered a `client_id` that repeats the initial access token, so it is not used. Replace the token.",
        )),
        Ok(mut issued) => {
            issued.hide(std::slice::from_ref(token));
            Ok(issued)
        }
        Err(mut failure) => {
            if failure.code == "initial_access_token_needed" {
                TOKEN_REFUSED.clone_into(&mut failure.message);
            }
            Err(failure.without(token))
        }
    }
}
