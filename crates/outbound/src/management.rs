//! Management of registered clients (RFC 7592).

use crate::answered::UpstreamResponse;
use crate::client::{OutgoingRequest, UpstreamClient};
use crate::time::{millis_since, wall_clock};
use registry_core::oauth::{
    Exchange, Failure, FailureClass, Issued, MANAGEMENT_ANSWER_LOST, ManagedClient, classify_refusal,
};
use registry_core::registration::{DeleteOutcome, ManageOutcome};
use registry_core::secret::Secret;
use registry_core::url_text::shown;
use reqwest::Method;
use serde_json::{Map, Value};
use std::time::Instant;

/// Asks whether the client is known (RFC 7592 §2.1).
pub async fn read(http: &UpstreamClient, client: &ManagedClient) -> ManageOutcome {
    manage(http, client, None).await
}

/// Brings the client up to `request` (RFC 7592 §2.2).
pub async fn update(
    http: &UpstreamClient,
    client: &ManagedClient,
    request: &Map<String, Value>,
) -> ManageOutcome {
    manage(http, client, Some(request)).await
}

async fn manage(
    http: &UpstreamClient,
    client: &ManagedClient,
    request: Option<&Map<String, Value>>,
) -> ManageOutcome {
    let http = &http.within(client.scope.clone());
    let body = request.map(|request| Value::Object(client.update(request)));
    let (mut exchange, answer) = send(http, client, body.as_ref()).await;
    let mut read_back = None;
    let result = match (answer, request) {
        (Ok(answer), Some(request)) if client.must_be_read_back(&answer.as_answer()) => {
            let (read, result) = read_after_update(http, client, &answer, request).await;
            read_back = Some(read);
            result
        }
        (Ok(answer), Some(request)) => client.read_update(&answer.as_answer(), request, wall_clock()),
        (Ok(answer), None) => client.read_read(&answer.as_answer(), wall_clock()),
        (Err(failure), _) => Err(failure),
    };
    // Also secrets that the response replaced.
    let token = &client.registration_access_token;
    let secrets: Vec<Secret> = std::iter::once(token).chain(&client.client_secret).cloned().collect();
    let result = result
        .map(|mut issued| {
            issued.hide(&secrets);
            issued
        })
        .map_err(|failure| secrets.iter().fold(failure, Failure::without));
    if let Err(failure) = &result {
        exchange.excerpt.clone_from(&failure.error_description);
    }
    exchange.note = match (&result, request, &read_back) {
        (_, Some(_), Some(_)) => "The answer does not say what the client is now; it is read.".to_owned(),
        (Ok(_), Some(_), None) => "The client was updated.".to_owned(),
        (Ok(_), None, _) => "The client is known there.".to_owned(),
        (Err(failure), ..) => failure.message.clone(),
    };
    ManageOutcome { result, exchanges: std::iter::once(exchange).chain(read_back).collect() }
}

/// Sends a read, or an update with `body`.
async fn send(
    http: &UpstreamClient,
    client: &ManagedClient,
    body: Option<&Value>,
) -> (Exchange, Result<UpstreamResponse, Failure>) {
    let started = Instant::now();
    let method = if body.is_some() { Method::PUT } else { Method::GET };
    let uri = &client.registration_client_uri;
    let mut exchange = Exchange {
        step: "management".to_owned(),
        method: method.to_string(),
        url: shown(uri),
        ..Exchange::default()
    };
    let answer = http
        .send(&OutgoingRequest {
            bearer: Some(client.registration_access_token.expose()),
            json: body,
            ..OutgoingRequest::plain("management", method, uri)
        })
        .await;
    exchange.duration_ms = millis_since(started);
    let result = match answer {
        Ok(answer) => {
            exchange.status = Some(answer.status);
            Ok(answer)
        }
        // Reading may rotate the token as well (RFC 7592 §5).
        Err(transport_error) if transport_error.maybe_sent => Err(Failure::management_answer_lost()),
        Err(transport_error) => Err(transport_error.failure),
    };
    (exchange, result)
}

/// Reads the client (RFC 7592 §2.1) whose update to `request` was answered with a success that does not say what the client
/// is now. Where that cannot be told, the update is taken as done if its `answer` was empty.
async fn read_after_update(
    http: &UpstreamClient,
    client: &ManagedClient,
    answer: &UpstreamResponse,
    request: &Map<String, Value>,
) -> (Exchange, Result<Issued, Failure>) {
    let (mut exchange, read) = send(http, client, None).await;
    let told = match &read {
        // Reading may have rotated the token, and the new one is lost.
        Err(failure) if failure.code == MANAGEMENT_ANSWER_LOST => {
            exchange.note.clone_from(&failure.message);
            return (exchange, Err(failure.clone()));
        }
        Err(_) => None,
        Ok(read) => client.read_back(&read.as_answer(), request, wall_clock()),
    };
    exchange.note = match &told {
        Some(Ok(_)) => "The client was updated, and is so there.".to_owned(),
        Some(Err(failure)) => failure.message.clone(),
        None => "Reading the client tells nothing; the answer to the update counts.".to_owned(),
    };
    let result = told.unwrap_or_else(|| client.read_update(&answer.as_answer(), request, wall_clock()));
    (exchange, result)
}

/// Deletes the client at `uri` (RFC 7592 §2.3). 401 means that the token is invalid, which is also the response for a client that is
/// already deleted (§2.1): it counts as not deleted, because the two cannot be distinguished.
pub async fn delete(http: &UpstreamClient, uri: &str, token: &Secret) -> DeleteOutcome {
    let started = Instant::now();
    let answer = http
        .send(&OutgoingRequest {
            bearer: Some(token.expose()),
            ..OutgoingRequest::plain("deregistration", Method::DELETE, uri)
        })
        .await;
    let mut exchange = Exchange {
        step: "management".to_owned(),
        method: "DELETE".to_owned(),
        url: shown(uri),
        ..Exchange::default()
    };
    let result = match answer {
        Ok(answer) => {
            exchange.status = Some(answer.status);
            match answer.status {
                200 | 204 => Ok(()),
                408 | 425 | 429 | 500 | 502..=599 => Err(classify_refusal(&answer.as_answer())),
                // Already deleted.
                404 | 410 if !is_there(http, uri, token).await => Ok(()),
                401 => Err(Failure::new(
                    FailureClass::NeedsAdmin,
                    "management_token_refused",
                    "The authorization server does not accept the registration access token for the deletion, or the client is already deleted.",
                )),
                404 | 405 | 410 | 501 => Err(not_deletable()),
                status => Err(Failure::new(
                    FailureClass::NeedsAdmin,
                    "deletion_refused",
                    format!("The authorization server answered {status} to the deletion."),
                )),
            }
        }
        // The client may still have been deleted; then the next try is refused with 401.
        Err(transport_error)
            if transport_error.maybe_sent && transport_error.failure.class == FailureClass::Transient =>
        {
            Err(Failure { class: FailureClass::Ambiguous, ..transport_error.failure })
        }
        Err(transport_error) => Err(transport_error.failure),
    };
    let result = result.map_err(|failure| failure.without(token));
    exchange.note = match &result {
        Ok(()) => "The client was deleted.".to_owned(),
        Err(failure) => failure.message.clone(),
    };
    exchange.duration_ms = millis_since(started);
    DeleteOutcome { result, exchange }
}

fn not_deletable() -> Failure {
    Failure::new(
        FailureClass::NeedsAdmin,
        "deletion_not_supported",
        "The authorization server does not offer the deletion of clients (RFC 7592 §2.3).",
    )
}

/// Whether the client can be read where its deletion found nothing: npm `oidc-provider` without management answers so.
async fn is_there(http: &UpstreamClient, uri: &str, token: &Secret) -> bool {
    let answer = http
        .send(&OutgoingRequest {
            bearer: Some(token.expose()),
            ..OutgoingRequest::plain("deregistration", Method::GET, uri)
        })
        .await;
    answer.is_ok_and(|answer| answer.status == 200)
}
