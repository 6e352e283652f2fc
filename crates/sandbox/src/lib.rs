//! An OAuth-protected MCP server and its authorization server on loopback, with a switch for every quirk seen on real
//! authorization servers: the upstream of `mcp-registry demo` and of tests, never on a product path.
//!
//! This crate must not know the registry's database or use cases: it simulates a third-party server. State is in memory only.
//!
//! Overview:
//! * [`Sandbox`]: starts and stops it, and tells what it received and issued.
//! * [`Quirks`]: the switches; the default behaves as the specifications say. `docs/sandbox.md` lists them.
//! * `canned`: answers given word for word, and odd forms of the sandbox's own.
//! * `offers`: tools, prompts and resources of the MCP server where no token is needed.
//! * `mcp_server`: `/mcp`, its challenge, and the protected-resource metadata (RFC 9728).
//! * `authorization_server`: metadata (RFC 8414), registration (RFC 7591, RFC 7592), authorize, token, revoke.
//! * `consent`: the HTML pages; `state`: clients, codes and tokens; `answer`: helpers for responses.

mod answer;
mod authorization_server;
mod canned;
mod consent;
mod mcp_server;
mod offers;
mod quirks;
mod sandbox;
mod state;
#[cfg(test)]
mod tests;

pub use canned::{AnswerWrapping, CannedAnswer, ExpiryForm};
pub use quirks::{MetadataForm, Quirks, Refusal, ResourceMetadata, ScopeHandling};
pub use sandbox::{Options, Sandbox};
pub use state::{LoggedRequest, RegisteredClient, RegisteredRequest};
