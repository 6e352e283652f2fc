//! An HTTP/1.1 message as it is on the wire, for proxies and upstreams that break rules on purpose.

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A request or answer with a known length (RFC 9112).
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The next one; `None` when the connection ended before it was complete.
    pub(crate) async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut body = bytes.split_off(end + 4);
        let length = header(&head, "content-length").map_or(Some(0), |length| length.parse().ok())?;
        assert!(header(&head, "transfer-encoding").is_none(), "chunks are not read: {head}");
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { head, body })
    }

    /// Method and target of a request.
    pub(crate) fn request_line(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    pub(crate) fn is_registration(&self) -> bool {
        self.head.starts_with("POST /register ")
    }

    /// A text member of the JSON body.
    pub(crate) fn member(&self, name: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body[name].as_str().map(str::to_owned)
    }

    /// The forwarded request: the same, with the connection closed after it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut lines: Vec<&str> =
            self.head.split("\r\n").filter(|line| !is_header(line, "connection")).collect();
        lines.insert(1, "Connection: close");
        let mut bytes = format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
}

/// The value of a header in the head of a message.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.split("\r\n").skip(1).find(|line| is_header(line, name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}
