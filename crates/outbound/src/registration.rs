//! One registration (RFC 7591 §3).

use crate::guard::{Asked, Guarded, shown};
use registry_core::oauth::{Exchange, Failure, Issued, read_answer};
use registry_core::secret::Secret;
use reqwest::Method;
use serde_json::{Map, Value};
use std::time::Instant;

/// What came of a registration.
#[derive(Debug)]
pub struct RegisterOutcome {
    /// The client, or why there is none. [`registry_core::oauth::FailureClass::Ambiguous`] when nobody knows.
    pub result: Result<Issued, Failure>,
    /// The exchange, without secrets.
    pub exchange: Exchange,
}

/// Sends `request` to `endpoint`, once. A redirect is an answer, never followed: the body would go elsewhere.
pub async fn register(
    guarded: &Guarded,
    endpoint: &str,
    request: &Map<String, Value>,
    initial_access_token: Option<&Secret>,
) -> RegisterOutcome {
    let started = Instant::now();
    let body = Value::Object(request.clone());
    let answer = guarded
        .send(&Asked {
            method: Method::POST,
            url: endpoint,
            accept: "application/json",
            bearer: initial_access_token.map(Secret::expose),
            json: Some(&body),
            headers: &[],
            most: 64 * 1024,
            redirects: false,
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
            let now = crate::discovery::wall_clock();
            read_answer(answer.status, answer.retry_after, &answer.body, request, now).inspect_err(
                |failure| {
                    exchange.excerpt.clone_from(&failure.error_description);
                },
            )
        }
        // From here on a client may exist (`domain.md` §5 rule 3).
        Err(trouble) if trouble.maybe_sent => Err(Failure::answer_lost()),
        Err(trouble) => Err(trouble.failure),
    };
    exchange.note = match &result {
        Ok(_) => "A client was registered.".to_owned(),
        Err(failure) => failure.message.clone(),
    };
    exchange.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    RegisterOutcome { result, exchange }
}
