//! Fetches documents of upstreams and records every exchange.

use crate::client::{OutgoingRequest, UpstreamClient, VERSION_HEADER};
use crate::limits::MAX_METADATA_BYTES;
use crate::response::{ReadBody, UpstreamResponse};
use crate::time::millis_since;
use crate::transport_error::TransportError;
use registry_core::oauth::{Exchange, Failure, FailureClass, read_object};
use registry_core::url_text::shown;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// Some servers require this header for discovery (INV-30).
pub(crate) const PROTOCOL_VERSION: &str = "2025-11-25";

/// How an MCP client begins (MCP 2025-11-25, "Initialization").
pub(crate) fn initialize_request() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": PROTOCOL_VERSION, "capabilities": {},
            "clientInfo": { "name": "mcp-registry", "version": env!("CARGO_PKG_VERSION") },
        },
    })
}

/// The result of fetching a document.
pub(crate) enum DocumentLookup {
    Document(Map<String, Value>),
    Nothing,
    /// A 502: proxies send it for missing documents and for servers that are down. Other URLs are tried first.
    Unclear(Failure),
}

/// An upstream client that records its exchanges.
pub(crate) struct ExchangeLog {
    pub(crate) http: UpstreamClient,
    pub(crate) trace: Vec<Exchange>,
}

impl ExchangeLog {
    /// Fetches the document at `url`. A refusal, a page and a redirect count as no document; a temporary failure is an error.
    pub(crate) async fn document(
        &mut self,
        step: &'static str,
        url: &str,
    ) -> Result<DocumentLookup, Failure> {
        let started = Instant::now();
        let outgoing = OutgoingRequest {
            headers: &[(VERSION_HEADER, PROTOCOL_VERSION)],
            wanted: ReadBody::UpTo(MAX_METADATA_BYTES),
            follow: true,
            ..OutgoingRequest::plain("metadata", Method::GET, url)
        };
        let answer = match self.http.send(&outgoing).await {
            Ok(answer) => answer,
            // Not a document: the next URL is tried.
            Err(transport_error) if transport_error.failure.class == FailureClass::Protocol => {
                self.record_failure(step, "GET", url, started, transport_error);
                return Ok(DocumentLookup::Nothing);
            }
            Err(transport_error) => {
                return Err(self.record_failure(step, "GET", url, started, transport_error));
            }
        };
        if is_temporary_failure(answer.status) {
            let failure = temporary_failure(&shown(url), &answer);
            self.record(step, "GET", url, started, Some(&answer), &failure.message);
            return if answer.status == 502 { Ok(DocumentLookup::Unclear(failure)) } else { Err(failure) };
        }
        let document = (answer.status == 200).then(|| read_object(&answer.body));
        let (place, note) = match document {
            Some(Some(document)) => (DocumentLookup::Document(document), "Found."),
            Some(None) => (DocumentLookup::Nothing, "The response is not a valid JSON object."),
            None => (DocumentLookup::Nothing, "No document here."),
        };
        self.record(step, "GET", url, started, Some(&answer), note);
        Ok(place)
    }

    pub(crate) fn record(
        &mut self,
        step: &str,
        method: &str,
        url: &str,
        started: Instant,
        answer: Option<&UpstreamResponse>,
        note: &str,
    ) {
        self.trace.push(Exchange {
            step: step.to_owned(),
            method: method.to_owned(),
            url: shown(url),
            status: answer.map(|answer| answer.status),
            duration_ms: millis_since(started),
            note: note.to_owned(),
            excerpt: None,
        });
    }

    pub(crate) fn record_failure(
        &mut self,
        step: &str,
        method: &str,
        url: &str,
        started: Instant,
        transport_error: TransportError,
    ) -> Failure {
        self.record(step, method, url, started, None, &transport_error.failure.message);
        transport_error.failure
    }
}

/// Status codes of a temporary failure.
pub(crate) fn is_temporary_failure(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// The failure for such a response.
pub(crate) fn temporary_failure(who: &str, answer: &UpstreamResponse) -> Failure {
    let mut failure = Failure::new(
        FailureClass::Transient,
        "upstream_unavailable",
        format!("{who} answered {}. It is tried again later.", answer.status),
    );
    failure.retry_after = answer.retry_after;
    failure
}
