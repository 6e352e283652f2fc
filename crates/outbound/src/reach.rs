//! One bare GET, to see whether anything answers.

use crate::answer::Wanted;
use crate::client::{OutgoingRequest, UpstreamClient};
use crate::fetch::ExchangeLog;
use registry_core::oauth::Exchange;
use reqwest::Method;
use std::time::Instant;

/// Asks `url` once. Any status is an answer; without one the note says why there is none. Nothing is followed or read.
pub async fn reach(http: &UpstreamClient, url: &str) -> Exchange {
    let mut upstream = ExchangeLog { http: http.clone(), trace: Vec::new() };
    let outgoing =
        OutgoingRequest { wanted: Wanted::Headers, ..OutgoingRequest::plain("reach", Method::GET, url) };
    let started = Instant::now();
    match http.send(&outgoing).await {
        Ok(answer) => upstream.record("reach", "GET", url, started, Some(&answer), "It answered."),
        Err(transport_error) => {
            upstream.lost("reach", "GET", url, started, transport_error);
        }
    }
    upstream.trace.pop().unwrap_or_default()
}
