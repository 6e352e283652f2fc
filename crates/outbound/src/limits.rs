//! Time and size limits of every exchange with an upstream (INV-9). `docs/egress.md`
//! shows these.

use std::time::Duration;

/// Timeouts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole exchange, from resolving the name to the last byte, redirects included.
    pub total: Duration,
    /// Opening the connection: name, TCP and TLS.
    pub connect: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(10), connect: Duration::from_secs(3) }
    }
}

/// The maximum number of redirects of a GET of a metadata document.
pub const MAX_REDIRECTS: usize = 3;
/// The maximum number of headers of a response.
pub const MAX_RESPONSE_HEADERS: usize = 100;
/// The maximum size of a metadata document, in bytes after decompression.
pub const MAX_METADATA_BYTES: usize = 256 * 1024;
/// The maximum size of a response to a registration or management request, in bytes after decompression.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// How much of a refusal is read, in bytes after decompression: the beginning is enough for an error description.
pub const MAX_REFUSAL_BYTES: usize = 8 * 1024;
/// The maximum size of one answer to a question about an MCP server, in bytes after decompression.
pub const MAX_MCP_MESSAGE_BYTES: usize = 2 * 1024 * 1024;
/// The maximum number of events that are read of a stream before the response.
pub const MAX_MCP_EVENTS: usize = 1_000;
/// The maximum number of tools, and as many prompts, resources and resource templates, that are read of an MCP server.
pub const MAX_MCP_ITEMS: usize = 2_000;
/// The maximum number of pages of each of these lists.
pub const MAX_MCP_PAGES: usize = 20;
/// The maximum time for all questions to one MCP server together.
pub const MAX_LOOK_TIME: Duration = Duration::from_secs(30);
