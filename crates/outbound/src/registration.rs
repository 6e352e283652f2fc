//! One registration (RFC 7591 §3).

use crate::client::{OutgoingRequest, UpstreamClient};
use crate::time::{millis_since, wall_clock};
use crate::transport_error::TransportError;
use registry_core::oauth::{Asked, Exchange, Failure, FailureClass, Issued, UnusableClient, read_answer};
use registry_core::registration::RegisterOutcome;
use registry_core::secret::Secret;
use registry_core::url_text::shown;
use reqwest::Method;
use serde_json::Value;
use std::time::Instant;

/// Replaces the message that a token is needed: one was sent.
const TOKEN_REFUSED: &str = "The authorization server does not accept the initial access token. Enter a new one in `registration.initial_access_token`, or a client registered manually in `client_id`.";

/// Sends the request of `asked` to `endpoint`, once. Redirects are never followed: the body would be sent to another address.
pub async fn register(
    http: &UpstreamClient,
    endpoint: &str,
    asked: Asked<'_>,
    initial_access_token: Option<&Secret>,
) -> RegisterOutcome {
    let started = Instant::now();
    let body = Value::Object(asked.request.clone());
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
            read_answer(endpoint, &answer.as_answer(), asked, wall_clock())
        }
        // From here on a client may exist (INV-3).
        Err(transport_error) if transport_error.maybe_sent => {
            exchange.status = transport_error.begun.as_ref().map(|begun| begun.status);
            Err(lost(transport_error, endpoint))
        }
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

/// A response that was not read to its end. One that is too large or encoded in an unknown way would be so again, so the registration is not repeated;
/// one that was cut off is lost. Either may name the client in its beginning.
fn lost(transport_error: TransportError, endpoint: &str) -> Failure {
    let TransportError { failure, begun, .. } = transport_error;
    let client = begun
        .filter(|begun| begun.as_answer().is_success())
        .map(|begun| UnusableClient::read(&begun.as_answer(), endpoint));
    match client {
        Some(client) if ["answer_too_large", "encoding_not_understood"].contains(&failure.code) => {
            failure.with_unusable_client(client)
        }
        client => Failure {
            unusable: client.filter(|client| client.client_id.is_some()).map(Box::new),
            ..Failure::answer_lost()
        },
    }
}

/// An upstream may repeat what was sent, in a refusal or in a client: the token is removed.
fn without_token(result: Result<Issued, Failure>, token: &Secret) -> Result<Issued, Failure> {
    match result {
        Ok(issued) if token.is_in_text(&issued.client_id) => {
            let client = UnusableClient {
                management: issued
                    .registration_client_uri
                    .clone()
                    .zip(issued.registration_access_token.clone()),
                registration_client_uri: issued.registration_client_uri,
                client_id: Some(issued.client_id),
                not_deletable: None,
            };
            let failure = Failure::new(
                FailureClass::Protocol,
                "client_id_missing",
                "The authorization server answered a `client_id` that repeats the initial access token, so it is not used. Replace the token.",
            );
            Err(failure.with_unusable_client(client.or_not_deletable()).without(token))
        }
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
