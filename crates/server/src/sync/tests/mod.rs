//! The mapping of documents to entries, and the plan, on tables; the gateways themselves are in `tests/it/gateway/sync.rs`.

mod context_forge;
mod export;
mod litellm;
mod plan;
mod upstream;

use crate::sync::upstream::{Upstream, Wanted, wanted};
use mcp_registry_client::GatewayDocument;
use serde_json::{Value, json};

/// The document of an OAuth server with a confidential client, with these members instead.
fn document(name: &str, members: &Value) -> GatewayDocument {
    let (workspace, server) = name.split_once('/').expect("workspace/server");
    let mut document = json!({
        "workspace": workspace,
        "server": server,
        "url": "https://mcp.example.com/mcp",
        "transport": "http",
        "auth_type": "oauth_auto",
        "revision": 7,
        "generation": 1,
        "status": "active",
        "resource": "https://mcp.example.com/mcp",
        "scope": "mcp:read mcp:write",
        "authorization_server": {
            "issuer": "https://as.example.com",
            "authorization_endpoint": "https://as.example.com/authorize",
            "token_endpoint": "https://as.example.com/token",
            "registration_endpoint": "https://as.example.com/register",
        },
        "client": {
            "client_id": "client-1",
            "client_secret": "s3cret$1",
            "client_name": "Acme",
            "token_endpoint_auth_method": "client_secret_basic",
            "redirect_uris": ["https://gw.example.com/oauth/upstream-callback", "https://gw.example.com/oauth/callback"],
            "issuer": "https://as.example.com",
        },
    });
    for (name, value) in members.as_object().expect("members") {
        document[name] = value.clone();
    }
    let whole = document.as_object_mut().expect("an object");
    whole.retain(|_, value| !value.is_null());
    serde_json::from_value(document).expect("a document")
}

/// The document of a server without OAuth.
fn open_document(name: &str, members: &Value) -> GatewayDocument {
    let mut open = json!({
        "auth_type": "headers", "generation": null, "resource": null, "scope": null, "authorization_server": null, "client": null,
    });
    for (name, value) in members.as_object().expect("members") {
        open[name] = value.clone();
    }
    document(name, &open)
}

fn upstream(document: &GatewayDocument) -> Upstream {
    match wanted(document) {
        Wanted::Serve(upstream) => *upstream,
        Wanted::Keep(reason) | Wanted::Remove(reason) | Wanted::Refuse(reason) => panic!("{reason}"),
    }
}
