//! A response of an upstream, as far as it was read.

use registry_core::oauth::HttpAnswer;
use std::net::IpAddr;

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamResponse {
    /// HTTP status.
    pub(crate) status: u16,
    /// `WWW-Authenticate` lines.
    pub(crate) challenges: Vec<String>,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// `Content-Type`, verbatim.
    pub(crate) content_type: Option<String>,
    /// `Location`, verbatim.
    pub(crate) location: Option<String>,
    /// `Mcp-Session-Id` (MCP, "Session Management").
    pub(crate) session: Option<String>,
    /// The body; of an unsuccessful response only the beginning.
    pub(crate) body: Vec<u8>,
    /// The address of the peer.
    pub(crate) remote: Option<IpAddr>,
}

impl UpstreamResponse {
    /// The response as the readers of authorization servers' answers take it.
    pub(crate) fn as_answer(&self) -> HttpAnswer<'_> {
        HttpAnswer {
            status: self.status,
            retry_after: self.retry_after,
            content_type: self.content_type.as_deref(),
            location: self.location.as_deref(),
            body: &self.body,
        }
    }
}
