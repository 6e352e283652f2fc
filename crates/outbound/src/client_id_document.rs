//! The check that a published Client ID Metadata Document can be read as an authorization server would read it.

use crate::client::{OutgoingRequest, UpstreamClient};
use crate::response::ReadBody;
use crate::time::millis_since;
use registry_core::oauth::{Exchange, Failure, FailureClass, MAX_DOCUMENT_BYTES};
use registry_core::registration::SelfCheckOutcome;
use registry_core::url_text::shown;
use reqwest::Method;
use std::time::Instant;

/// Fetches `url` through its public name: 200 and exactly `document`, without a redirect (draft -01 §4).
pub async fn self_check(http: &UpstreamClient, url: &str, document: &str) -> SelfCheckOutcome {
    let started = Instant::now();
    let answer = http
        .send(&OutgoingRequest {
            wanted: ReadBody::UpTo(MAX_DOCUMENT_BYTES),
            // An authorization server must not follow a redirect either.
            ..OutgoingRequest::plain("self_check", Method::GET, url)
        })
        .await;
    let mut exchange = Exchange {
        step: "self_check".to_owned(),
        method: "GET".to_owned(),
        url: shown(url),
        ..Exchange::default()
    };
    let problem = match answer {
        Ok(answer) => {
            exchange.status = Some(answer.status);
            match answer.status {
                200 if answer.body == document.as_bytes() => None,
                200 => Some("the URL returns another document".to_owned()),
                status => Some(format!("{status} is returned instead of 200")),
            }
        }
        Err(transport_error) => Some(transport_error.failure.message),
    };
    let result = problem.map_or(Ok(()), |problem| {
        Err(Failure::new(
            FailureClass::Transient,
            "cimd_self_check_failed",
            format!(
                "The Client ID Metadata Document cannot be read through `cimd.public_url`, so authorization servers cannot read it either: {problem} It is tried again later."
            ),
        ))
    });
    exchange.note = match &result {
        Ok(()) => "The document can be read.".to_owned(),
        Err(failure) => failure.message.clone(),
    };
    exchange.duration_ms = millis_since(started);
    SelfCheckOutcome { result, exchange }
}
