//! Real authorization servers, a real MCP client, and the hosted product's own SDK. What was seen of each server is told in
//! `docs/real-servers.md`.

mod documents;
mod generated_clients;
mod glewlwyd;
mod life;
mod oidc_provider;
mod other_gateways;
mod registering;
mod sdk_parsers;
mod without_management;

use life::{Circumstances, Life};
use support::Peer;

/// A protected MCP server in front of an authorization server.
async fn protected(authorization_server: &Peer, more: &[(&str, &str)]) -> Peer {
    let introspection = authorization_server.ready["introspection"].to_string();
    let mut environment = vec![
        ("AUTHORIZATION_SERVERS", authorization_server.text("issuer")),
        ("INTROSPECTION", introspection.as_str()),
        ("SCOPES", "mcp:read mcp:write"),
    ];
    environment.extend_from_slice(more);
    Peer::start("protected-mcp.mjs", &environment).await
}
