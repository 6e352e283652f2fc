//! Management of registered clients (RFC 7592).

use crate::answer::Wanted;
use crate::guard::{Asked, Guarded, shown};
use crate::time::millis_since;
use registry_core::oauth::{Exchange, Failure, FailureClass, classify_refusal};
use registry_core::secret::Secret;
use reqwest::Method;
use std::time::Instant;

/// What came of a deletion.
#[derive(Debug)]
pub struct DeleteOutcome {
    /// Whether it is gone, or why not.
    pub result: Result<(), Failure>,
    /// The exchange, without secrets.
    pub exchange: Exchange,
}

/// Deletes the client at `uri` (RFC 7592 §2.3). 401 means the token is not good, which is also what a client that is
/// gone already looks like (§2.1): it counts as not deleted, because nobody can tell.
pub async fn delete(guarded: &Guarded, uri: &str, token: &Secret) -> DeleteOutcome {
    let started = Instant::now();
    let answer = guarded
        .send(&Asked {
            method: Method::DELETE,
            url: uri,
            accept: "application/json",
            bearer: Some(token.expose()),
            json: None,
            headers: &[],
            wanted: Wanted::Whole(64 * 1024),
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
                status @ (408 | 425 | 429 | 500..=599) => {
                    Err(classify_refusal(status, answer.retry_after, &answer.body))
                }
                status => Err(Failure::new(
                    FailureClass::NeedsAdmin,
                    "deletion_refused",
                    format!("The authorization server answered {status} to the deletion."),
                )),
            }
        }
        Err(trouble) => Err(trouble.failure),
    };
    let result = result.map_err(|failure| failure.without(token));
    exchange.note = match &result {
        Ok(()) => "The client was deleted.".to_owned(),
        Err(failure) => failure.message.clone(),
    };
    exchange.duration_ms = millis_since(started);
    DeleteOutcome { result, exchange }
}
