//! Fetches documents of upstreams and records every exchange.

use crate::answered::UpstreamResponse;
use crate::client::{OutgoingRequest, UpstreamClient, VERSION_HEADER};
use crate::limits::MAX_METADATA_BYTES;
use crate::response::ReadBody;
use crate::time::millis_since;
use crate::transport_error::TransportError;
use registry_core::oauth::{
    Exchange, Failure, FailureClass, HttpAnswer, classify_refusal, read_object, verbatim,
};
use registry_core::registration::Transport;
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

/// The first request that an MCP client sends over `transport`. Its response may be an endless stream, so no body is read.
pub(crate) fn opening_request<'a>(
    transport: Transport,
    url: &'a str,
    headers: &'a [(&'a str, &'a str)],
    initialize: &'a Value,
) -> OutgoingRequest<'a> {
    let (method, accept, json) = match transport {
        Transport::Http => (Method::POST, "application/json, text/event-stream", Some(initialize)),
        Transport::Sse => (Method::GET, "text/event-stream", None),
    };
    OutgoingRequest {
        accept,
        json,
        headers,
        wanted: ReadBody::Nothing,
        ..OutgoingRequest::plain("probe", method, url)
    }
}

/// The result of fetching a document.
pub(crate) enum DocumentLookup {
    Document(Map<String, Value>),
    /// There is none: what was seen instead.
    Nothing(SeenInstead),
    /// It cannot be known now, or from here. Other URLs may be tried.
    Failed(Failure),
}

/// What was seen where a document may be.
pub(crate) struct SeenInstead {
    /// The end of a sentence about the URL, which is named: `https://h.example/x answered 404`.
    pub(crate) text: String,
    /// Whether a missing document explains all of it.
    missing: bool,
}

impl SeenInstead {
    /// The text, unless the document is simply not there.
    pub(crate) fn cause(&self) -> Option<String> {
        (!self.missing).then(|| self.text.clone())
    }
}

/// An upstream client that records its exchanges.
pub(crate) struct ExchangeLog {
    pub(crate) http: UpstreamClient,
    pub(crate) trace: Vec<Exchange>,
}

impl ExchangeLog {
    /// Fetches the JSON object at `url`.
    pub(crate) async fn document(&mut self, step: &'static str, url: &str) -> DocumentLookup {
        let started = Instant::now();
        let outgoing = OutgoingRequest {
            headers: &[(VERSION_HEADER, PROTOCOL_VERSION)],
            wanted: ReadBody::UpTo(MAX_METADATA_BYTES),
            follow: true,
            ..OutgoingRequest::plain("metadata", Method::GET, url)
        };
        let answer = match self.http.send(&outgoing).await {
            Ok(answer) => answer,
            Err(transport_error) => {
                let failure = self.record_failure(step, "GET", url, started, transport_error);
                // Not a document: the next URL is tried.
                return if failure.class == FailureClass::Protocol {
                    let text = format!("{}: {}", shown(url), failure.message.trim_end_matches('.'));
                    DocumentLookup::Nothing(SeenInstead { text, missing: false })
                } else {
                    DocumentLookup::Failed(failure)
                };
            }
        };
        if is_temporary_failure(answer.status) {
            let failure = temporary_failure(&shown(url), &answer);
            self.record(step, "GET", url, started, Some(&answer), &failure.message);
            return DocumentLookup::Failed(failure);
        }
        if answer.status == 200
            && let Some(document) = read_object(&answer.body)
        {
            self.record(step, "GET", url, started, Some(&answer), "Found.");
            return DocumentLookup::Document(document);
        }
        let missing = matches!(answer.status, 404 | 410);
        let what = answered(&answer);
        let note = match answer.status {
            404 | 410 => "No document here.".to_owned(),
            200 if what == NOT_AN_OBJECT => "The response is not a valid JSON object.".to_owned(),
            200 => format!("No document here: the response {what}."),
            _ => format!("No document here: the URL {what}."),
        };
        self.record(step, "GET", url, started, Some(&answer), &note);
        DocumentLookup::Nothing(SeenInstead { text: format!("{} {what}", shown(url)), missing })
    }

    /// Replaces the note of the last exchange, after its document was judged.
    pub(crate) fn amend_note(&mut self, note: String) {
        if let Some(exchange) = self.trace.last_mut() {
            exchange.note = note;
        }
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

/// How much of a page's title or of an error is told, in characters.
const MAX_WORDS: usize = 120;
/// What is said of a response whose body is neither a page nor a JSON object.
const NOT_AN_OBJECT: &str = "is no JSON object";

/// What a URL answered instead of a document: `answered 403 ("Sign in")`, `is the page "Sign in"`.
fn answered(answer: &UpstreamResponse) -> String {
    let status = answer.status;
    if (300..400).contains(&status) {
        return match &answer.location {
            Some(location) => format!("answered {status} to {}", verbatim(location)),
            None => format!("answered {status} without a `Location`"),
        };
    }
    // The body of a success may be anything; of it only the title of a page is told.
    let is_page = answer.body.trim_ascii_start().starts_with(b"<");
    let words = (status >= 400 || is_page)
        .then(|| classify_refusal(&HttpAnswer { status: status.max(400), ..answer.as_answer() }));
    let words = words.and_then(|refusal| refusal.error_description.or(refusal.error));
    let words = words.map(|words| words.chars().take(MAX_WORDS).collect::<String>());
    match (words, status) {
        (Some(words), 200) => format!("is the page \"{words}\", not a JSON object"),
        (None, 200) if is_page => "is a page, not a JSON object".to_owned(),
        (None, 200) if answer.body.trim_ascii().is_empty() => "is empty".to_owned(),
        (None, 200) => NOT_AN_OBJECT.to_owned(),
        (Some(words), _) => format!("answered {status} (\"{words}\")"),
        (None, _) => format!("answered {status}"),
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
