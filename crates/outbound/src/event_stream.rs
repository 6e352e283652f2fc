//! Event streams (WHATWG HTML, "Server-sent events"), as MCP servers send responses (MCP, "Streamable HTTP").

use crate::limits::MAX_MCP_EVENTS;
use futures_util::{Stream, StreamExt};
use registry_core::oauth::{Failure, FailureClass};
use reqwest::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sse_stream::SseStream;
use std::io;

/// The text of the first JSON-RPC response in the stream. Notifications and requests of the server are passed over, at most
/// [`MAX_MCP_EVENTS`] events and `most` bytes; the rest of the stream, which may be endless, is not read.
pub(crate) async fn first_response(response: Response, most: usize, host: &str) -> Result<Vec<u8>, Failure> {
    let mut room = most;
    // Chunks are already decompressed. What an event may become is held until the stream ends or there is no room.
    let bytes = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
        room = room.checked_sub(chunk.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok::<_, io::Error>(chunk)
    });
    read_events(bytes, most, host).await
}

async fn read_events(
    bytes: impl Stream<Item = Result<bytes::Bytes, io::Error>>,
    most: usize,
    host: &str,
) -> Result<Vec<u8>, Failure> {
    let mut events = std::pin::pin!(SseStream::from_bytes_stream(bytes).take(MAX_MCP_EVENTS));
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| broken(&error, most, host))?;
        if let Some(data) = event.data
            && serde_json::from_str::<Envelope>(&data).is_ok_and(|message| message.is_response())
        {
            return Ok(data.into_bytes());
        }
    }
    let message = format!("{host} ended its event stream without the response, or sent too much before it.");
    Err(Failure::new(FailureClass::Protocol, "stream_without_response", message))
}

fn broken(error: &sse_stream::Error, most: usize, host: &str) -> Failure {
    let sse_stream::Error::Body(cause) = error else {
        let message = format!("{host} answered with an event stream that cannot be read.");
        return Failure::new(FailureClass::Protocol, "stream_not_readable", message);
    };
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::FileTooLarge) => Failure::new(
            FailureClass::Protocol,
            "answer_too_large",
            format!("{host} answered with more than {most} bytes."),
        ),
        _ => Failure::new(
            FailureClass::Transient,
            "connection_lost",
            format!("{host} closed the connection in the middle of its response."),
        ),
    }
}

/// What tells a response from notifications and requests (JSON-RPC 2.0 §5).
#[derive(Deserialize)]
struct Envelope {
    method: Option<IgnoredAny>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl Envelope {
    fn is_response(&self) -> bool {
        self.method.is_none() && (self.result.is_some() || self.error.is_some())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn read(text: &str, piece: usize) -> Result<Vec<u8>, Failure> {
        let pieces: Vec<_> =
            text.as_bytes().chunks(piece).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
        // A stream that never ends after its events: what is needed is found before its end, or not at all.
        read_events(stream::iter(pieces), 1_000, "h.example").await
    }

    #[tokio::test]
    async fn first_response_of_a_stream_is_read() {
        let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
        let request = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for text in [
            format!("data: {response}\n\n"),
            format!("event: message\r\nid: 7\r\ndata: {response}\r\n\r\ndata: more\r\n\r\n"),
            format!(
                ": keep-alive\n\nid: 1\ndata:\n\ndata: {notification}\n\ndata: {request}\n\ndata: {response}\n\n"
            ),
            "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\ndata: \"error\":{}}\n\n".to_owned(),
        ] {
            for piece in [1, 7, 10_000] {
                let found = read(&text, piece).await.unwrap();
                assert!(serde_json::from_slice::<Envelope>(&found).unwrap().is_response(), "{text}");
            }
        }
        for text in ["", "data: x\n\n", &format!("data: {notification}\n\n"), &format!("data: {request}\n\n")]
        {
            assert_eq!(read(text, 5).await.unwrap_err().code, "stream_without_response", "{text}");
        }
        let crowd =
            format!("data: {notification}\n\n").repeat(MAX_MCP_EVENTS) + &format!("data: {response}\n\n");
        assert_eq!(read(&crowd, 4_096).await.unwrap_err().code, "stream_without_response");
    }
}
