//! How long, how much, how often: what every exchange with an upstream is held to (INV-9). `docs/egress.md`
//! shows these.

use std::time::Duration;

/// How long.
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

/// How many redirects a GET of a metadata document follows.
pub const MAX_REDIRECTS: usize = 3;
/// How many headers an answer may have.
pub const MAX_RESPONSE_HEADERS: usize = 100;
/// The most of a metadata document, in bytes after decompression.
pub const MAX_METADATA_BYTES: usize = 256 * 1024;
/// The most of an answer to a registration or to the management of a client, in bytes after decompression.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// How much of a refusal is read, in bytes after decompression: its first words are what a person needs.
pub const MAX_REFUSAL_BYTES: usize = 8 * 1024;
