//! What the application needs from the outside, declared here and implemented where connections are opened. Never
//! called inside a transaction.

use futures_util::future::BoxFuture;
use registry_core::capability::Capability;
use registry_core::logo::{LogoProblem, Picture};
use registry_core::oauth::{Discovery, Exchange, Failure};
use registry_core::registration::{Desired, Transport};
use registry_core::secret::Secret;
use registry_core::server_info::ServerInfo;

/// Asked with an issuer before anything is sent to it; a failure ends the search there.
pub type BeforeRequest<'a> = dyn Fn(String) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a;

/// What was found out about an upstream.
#[derive(Debug)]
pub struct Discovered {
    /// Its authorization server, or why there is none.
    pub result: Result<Discovery, Failure>,
    /// Every request on the way, without secrets.
    pub trace: Vec<Exchange>,
    /// The `resource` of metadata that were found and are for another address; empty where they name none.
    pub other_resource: Option<String>,
}

/// Where a test of the connection goes.
#[derive(Debug)]
pub struct ProbeTarget {
    /// The MCP address.
    pub url: String,
    /// The MCP transport.
    pub transport: Transport,
    /// Headers that gateways send along; their values are secrets.
    pub headers: Vec<(String, Secret)>,
}

/// What an MCP server answered to a test of the connection.
#[derive(Debug)]
pub struct Probed {
    /// The exchange, without secrets. No status: it could not be reached.
    pub exchange: Exchange,
    /// Whether the answer is labelled as what MCP servers send.
    pub speaks: bool,
}

/// The sentence about an upstream that did not respond. It is always the same, because details would tell a caller which
/// names and ports exist in the operator's network.
pub(crate) const UNREACHABLE: &str = "It could not be reached: its name may not exist, it may not answer or show a certificate that is not trusted, or it may lead to a private address that the operator has not allowed (`egress.allow`).";

/// What a look at an MCP server without a user showed.
#[derive(Debug)]
pub enum Look {
    /// It answered as an MCP server.
    Seen {
        /// What it says about itself.
        info: Box<ServerInfo>,
        /// What it offers.
        capabilities: Vec<Capability>,
    },
    /// It answers users only: 401 or 403.
    NeedsUser,
    /// It answered otherwise: a sentence for users.
    Failed(String),
    /// It did not answer: why, for the operator's log alone, because it tells of the operator's network.
    Unanswered(String),
}

/// What asking for a logo gave.
#[derive(Debug)]
pub enum FetchedLogo {
    /// A picture.
    Picture {
        /// What it is.
        picture: Picture,
        /// Its bytes, at most [`registry_core::logo::MAX_LOGO_BYTES`].
        bytes: Vec<u8>,
    },
    /// An answer that is no picture.
    Problem(LogoProblem),
    /// No answer: why, for the operator's log alone, because it tells of the operator's network.
    Unanswered(String),
}

/// The upstream MCP servers and authorization servers. Every address given is hostile: an implementation judges where it
/// leads, follows no redirect with a body or a secret, and ends by itself after a bounded time and size.
pub trait Upstream: Send + Sync {
    /// Finds the authorization server of what is wanted, asking each one only if `gate` lets it. Registers nothing and
    /// sends no secret.
    fn discover<'a>(&'a self, desired: &'a Desired, gate: &'a BeforeRequest<'a>)
    -> BoxFuture<'a, Discovered>;

    /// Asks an MCP server once, as a client would begin.
    fn probe(&self, target: ProbeTarget) -> BoxFuture<'_, Probed>;

    /// Asks an MCP server what it is and what it offers: a session without a user, over Streamable HTTP. No tool is called.
    fn look(&self, target: ProbeTarget) -> BoxFuture<'_, Look>;

    /// Fetches the logo at `url` once, as a browser would, but follows no redirect.
    fn fetch_logo<'a>(&'a self, url: &'a str) -> BoxFuture<'a, FetchedLogo>;

    /// Asks `url` once with a bare GET, only to see whether anything answers. No status: nothing did, and the note says why.
    fn reach<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Exchange>;
}
