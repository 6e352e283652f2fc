//! One request to an MCP server, to see whether it answers.

use crate::client::{UpstreamClient, VERSION_HEADER};
use crate::fetch::{ExchangeLog, PROTOCOL_VERSION, initialize_request, opening_request};
use registry_core::oauth::Exchange;
use registry_core::registration::Transport;
use registry_core::secret::Secret;
use std::time::Instant;

/// Headers that the request already has, or that belong to the connection.
pub(crate) const OWN: [&str; 7] =
    ["accept", "connection", "content-length", "content-type", "host", VERSION_HEADER, "transfer-encoding"];

/// The result of a probe.
#[derive(Debug)]
pub struct ProbeOutcome {
    /// The exchange, without secrets.
    pub exchange: Exchange,
    /// Whether the response's content type is one that MCP servers send: JSON or an event stream.
    pub speaks: bool,
}

/// Sends the first request of an MCP client to `url` with these headers. Redirects are not
/// followed: the headers may be secrets.
pub async fn probe(
    http: &UpstreamClient,
    url: &str,
    transport: Transport,
    headers: &[(String, Secret)],
) -> ProbeOutcome {
    let mut upstream = ExchangeLog { http: http.clone(), trace: Vec::new() };
    let body = initialize_request();
    let mut sent = vec![(VERSION_HEADER, PROTOCOL_VERSION)];
    let more = headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
    sent.extend(more.filter(|(name, _)| !OWN.iter().any(|own| own.eq_ignore_ascii_case(name))));
    let outgoing = opening_request(transport, url, &sent, &body);
    let name = outgoing.method.as_str();
    let started = Instant::now();
    let speaks = match http.send(&outgoing).await {
        Ok(answer) => {
            upstream.record("probe", name, url, started, Some(&answer), "The server responded.");
            let label = answer.content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
            label.starts_with("application/json") || label.starts_with("text/event-stream")
        }
        Err(transport_error) => {
            upstream.record_failure("probe", name, url, started, transport_error);
            false
        }
    };
    let exchange = upstream.trace.pop().unwrap_or_default();
    ProbeOutcome { exchange, speaks }
}
