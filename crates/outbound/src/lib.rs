//! The only code that opens outgoing connections to addresses from upstreams or API users.
//!
//! This crate must not know the registry, sea-orm, actix or askama.
//!
//! Overview:
//! * [`UpstreamClient`] is the HTTP client for upstreams: resolves a name once, checks every address, pins the connection, limits time and size.
//! * [`discover`] finds a server's authorization server: probe, RFC 9728, RFC 8414 or OpenID Connect Discovery.
//! * [`register`] sends one registration (RFC 7591) and distinguishes "refused", "not sent" and "response lost".
//! * [`read`], [`update`] and [`delete`] manage a client (RFC 7592); [`self_check`] reads a published document.
//! * [`probe`] checks whether an MCP server responds; [`fetch_logo`] fetches the logo shown on the consent page.
//! * [`look`] asks an MCP server what it is and what it offers, with the official SDK over [`UpstreamClient`].
//! * [`TrustedClient`] is the HTTP client for services that the operator configured.
//! * Requests and responses are returned as [`registry_core::oauth::Exchange`]s, without secrets.

mod answered;
mod authorization_servers;
mod client;
mod client_id_document;
mod content_encoding;
mod discovery;
mod event_stream;
mod fetch;
mod limits;
mod logo;
mod management;
mod mcp;
mod probe;
mod reach;
mod registration;
mod resolve;
mod response;
mod time;
mod transport_error;
mod trusted_client;

pub use client::UpstreamClient;
pub use client_id_document::self_check;
pub use discovery::{BeforeRequest, discover, discover_through};
pub use limits::{
    Limits, MAX_LOOK_TIME, MAX_MCP_EVENTS, MAX_MCP_ITEMS, MAX_MCP_MESSAGE_BYTES, MAX_MCP_PAGES,
    MAX_METADATA_BYTES, MAX_REDIRECTS, MAX_REFUSAL_BYTES, MAX_RESPONSE_BYTES, MAX_RESPONSE_HEADERS,
};
pub use logo::{LogoError, fetch_logo};
pub use management::{delete, read, update};
pub use mcp::{LookError, SeenServer, look};
pub use probe::{ProbeOutcome, probe};
pub use reach::reach;
pub use registration::register;
pub use registry_core::registration::{
    ClientMethods, DeleteOutcome, DiscoverOutcome, DiscoverTarget, ManageOutcome, RegisterOutcome,
    SelfCheckOutcome,
};
pub use resolve::{Addresses, Lookup};
pub use trusted_client::{TrustedBody, TrustedClient, TrustedResponse, check_trusted_url};
