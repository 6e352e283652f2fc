//! One GET without credentials, to check whether a server responds.

use crate::client::{OutgoingRequest, UpstreamClient};
use crate::fetch::ExchangeLog;
use crate::response::ReadBody;
use registry_core::oauth::Exchange;
use reqwest::Method;
use std::time::Instant;

/// Sends one GET to `url`. Any status counts as a response; otherwise the note says why there is none. Redirects are not followed and the body is not read.
pub async fn reach(http: &UpstreamClient, url: &str) -> Exchange {
    let mut upstream = ExchangeLog { http: http.clone(), trace: Vec::new() };
    let outgoing =
        OutgoingRequest { wanted: ReadBody::Nothing, ..OutgoingRequest::plain("reach", Method::GET, url) };
    let started = Instant::now();
    match http.send(&outgoing).await {
        Ok(answer) => upstream.record("reach", "GET", url, started, Some(&answer), "The server responded."),
        Err(transport_error) => {
            upstream.record_failure("reach", "GET", url, started, transport_error);
        }
    }
    upstream.trace.pop().unwrap_or_default()
}
