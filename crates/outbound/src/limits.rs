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
