//! Reads responses as streams, with a size limit and a deadline.

use crate::answered::UpstreamResponse;
use crate::content_encoding::decode;
use crate::event_stream::first_response;
use crate::limits::MAX_REFUSAL_BYTES;
use crate::time::wall_clock;
use crate::transport_error::{TransportError, is_malformed, not_http};
use registry_core::oauth::{Failure, FailureClass, retry_after_seconds};
use registry_core::url_text::host_of;
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use tokio::time::{Instant, timeout_at};

/// How much of the body is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadBody {
    /// All of it, up to this number of bytes after decompression.
    UpTo(usize),
    /// One JSON-RPC message, up to this number of bytes: the whole body, or the first response in an event stream (MCP,
    /// "Streamable HTTP"). What follows in the stream is not read.
    Message(usize),
    /// Nothing: the headers suffice, and the body may be an endless event stream.
    Nothing,
}

/// Reads `response`. The status decides what an incomplete body means: a refusal is a refusal however
/// much of its text was lost, but an incomplete success is a failure.
pub(crate) async fn read(
    mut response: Response,
    url: &str,
    wanted: ReadBody,
    deadline: Instant,
) -> Result<UpstreamResponse, TransportError> {
    let headers = response.headers();
    // What the HTTP client decodes itself is not named here any more.
    let encoding = text(headers, CONTENT_ENCODING).unwrap_or_default();
    let mut answer = UpstreamResponse {
        status: response.status().as_u16(),
        challenges: challenges(headers),
        retry_after: retry_after(headers),
        content_type: text(headers, CONTENT_TYPE),
        location: text(headers, LOCATION),
        session: text(headers, HeaderName::from_static("mcp-session-id")),
        body: Vec::new(),
        remote: response.remote_addr().map(|remote| remote.ip()),
    };
    let (most, is_message) = match wanted {
        ReadBody::UpTo(most) => (most, false),
        ReadBody::Message(most) => (most, true),
        ReadBody::Nothing => return Ok(answer),
    };
    if !response.status().is_success() {
        let _ = timeout_at(deadline, collect(&mut response, &mut answer.body, MAX_REFUSAL_BYTES)).await;
        let words = decode(std::mem::take(&mut answer.body), &encoding, MAX_REFUSAL_BYTES, &host_of(url));
        answer.body = words.unwrap_or_default();
        return Ok(answer);
    }
    let host = host_of(url);
    if is_message && is_event_stream(&answer) {
        let failure = match timeout_at(deadline, first_response(response, most, &host)).await {
            Ok(Ok(message)) => {
                answer.body = message;
                return Ok(answer);
            }
            Ok(Err(failure)) => failure,
            Err(_) => unfinished(&host),
        };
        return Err(TransportError { failure, maybe_sent: true, begun: Some(Box::new(answer)) });
    }
    let failure = match timeout_at(deadline, collect(&mut response, &mut answer.body, most)).await {
        // A copy: what cannot be decoded may still name a client.
        Ok(Ok(End::Reached)) => match decode(answer.body.clone(), &encoding, most, &host) {
            Ok(body) => {
                answer.body = body;
                return Ok(answer);
            }
            Err(failure) => failure,
        },
        Ok(Ok(End::Cut)) => Failure::new(
            FailureClass::Protocol,
            "answer_too_large",
            format!("{host} answered with more than {most} bytes."),
        ),
        Ok(Err(error)) if is_malformed(&error) => not_http(&host),
        Ok(Err(_)) => Failure::new(
            FailureClass::Transient,
            "connection_lost",
            format!("{host} closed the connection in the middle of its response."),
        ),
        Err(_) => unfinished(&host),
    };
    Err(TransportError { failure, maybe_sent: true, begun: Some(Box::new(answer)) })
}

fn unfinished(host: &str) -> Failure {
    let message = format!("{host} did not finish its response in time.");
    Failure::new(FailureClass::Transient, "timeout", message)
}

fn is_event_stream(answer: &UpstreamResponse) -> bool {
    let label = answer.content_type.as_deref().unwrap_or_default();
    label.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}

enum End {
    Reached,
    Cut,
}

/// Chunks are already decompressed, so the limit also holds for decompression bombs.
async fn collect(response: &mut Response, body: &mut Vec<u8>, most: usize) -> Result<End, reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = most - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok(End::Cut);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(End::Reached)
}

fn challenges(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    retry_after_seconds(headers.get(RETRY_AFTER)?.to_str().ok()?, wall_clock())
}
