//! `servers.json` of the open gateway without a control plane (`Portkey-AI/gateway`, branch `2.0.0`, `SERVERS_CONFIG_PATH`).
//! The file is read as it is; references to variables are filled in with `envsubst`.

use super::{Secrets, exported};
use crate::sync::upstream::{OAuth, Upstream};
use mcp_registry_client::GatewayDocument;
use serde_json::{Map, Value, json};

/// Members that the file has as the document has them.
const ALIKE: [&str; 4] = ["tools", "user_identity_forwarding", "jwt_validation", "external_auth_config"];

/// The file, and what the operator should know.
pub(crate) fn render(documents: &[GatewayDocument], plain: bool) -> (Value, Vec<String>) {
    let secrets = if plain { Secrets::Plain } else { Secrets::Variables("${", "}") };
    let (found, mut lines) = exported(documents);
    let servers: Map<String, Value> = found
        .into_iter()
        .map(|(document, upstream)| (upstream.name(), server(document, &upstream, secrets, &mut lines)))
        .collect();
    (json!({ "servers": servers }), lines)
}

fn server(
    document: &GatewayDocument,
    upstream: &Upstream,
    secrets: Secrets,
    lines: &mut Vec<String>,
) -> Value {
    let name = upstream.name();
    let headers: Map<String, Value> = upstream
        .headers
        .iter()
        .map(|(header, value)| (header.clone(), json!(secrets.write(&name, header, value, lines))))
        .collect();
    let mut server = json!({
        "url": upstream.url,
        "auth_type": document.auth_type,
        "type": if upstream.sse { "sse" } else { "http" },
        // With OAuth only these are sent: `headers` would stand in for the user's token.
        "headers": if upstream.oauth.is_some() { json!({}) } else { json!(headers) },
    });
    if upstream.oauth.is_some() && !headers.is_empty() {
        server["passthroughHeaders"] = json!(headers);
    }
    for member in ALIKE {
        if let Some(value) = document.more.get(member) {
            server[member] = value.clone();
        }
    }
    if let Some(value) = document.more.get("forward_headers") {
        server["forwardHeaders"] = forward_headers(value);
    }
    let disabled = document.more.get("disabled_capabilities").and_then(Value::as_array).into_iter().flatten();
    let tools: Vec<Value> =
        disabled.filter(|one| one["type"] == "tool").map(|one| one["name"].clone()).collect();
    if !tools.is_empty() {
        let blocked = server["tools"]["blocked"].as_array().cloned().unwrap_or_default();
        server["tools"]["blocked"] = blocked.into_iter().chain(tools).collect();
    }
    if server.get("external_auth_config").is_some_and(|auth| auth.get("client_secret").is_some()) {
        let secret = server["external_auth_config"]["client_secret"].as_str().unwrap_or_default().to_owned();
        let written = secrets.write(&name, "EXTERNAL_AUTH_CLIENT_SECRET", &secret, lines);
        server["external_auth_config"]["client_secret"] = json!(written);
    }
    if let Some(oauth) = &upstream.oauth {
        lines.push(format!(
            "{name}: in its local mode the open gateway (2.2.3) does not use the client of its file; sign-in works with the registry as its control plane (`gateway.portkey`)"
        ));
        server["oauth_client_metadata"] = client(document, oauth, &name, secrets, lines);
        server["oauth_server_metadata"] = metadata(document, oauth);
    }
    server
}

/// A list of names, or the form with `mode`: of a renamed header the first name is forwarded.
fn forward_headers(value: &Value) -> Value {
    match value.as_array() {
        Some(list) => list.iter().map(|one| one.get("from").unwrap_or(one).clone()).collect(),
        None => value.clone(),
    }
}

fn client(
    document: &GatewayDocument,
    oauth: &OAuth,
    name: &str,
    secrets: Secrets,
    lines: &mut Vec<String>,
) -> Value {
    let mut client = json!({
        "client_id": oauth.client_id,
        "token_endpoint_auth_method": oauth.auth_method,
        "scope": oauth.scopes.join(" "),
    });
    if let Some(secret) = &oauth.client_secret {
        client["client_secret"] = json!(secrets.write(name, "CLIENT_SECRET", secret, lines));
    }
    let members = document.client.iter().flat_map(|client| &client.more);
    for (member, value) in members.filter(|(member, _)| {
        matches!(
            member.as_str(),
            "client_name" | "client_uri" | "logo_uri" | "grant_types" | "response_types"
        )
    }) {
        client[member] = value.clone();
    }
    client
}

fn metadata(document: &GatewayDocument, oauth: &OAuth) -> Value {
    let mut metadata = json!({
        "issuer": oauth.issuer,
        "authorization_endpoint": oauth.authorization_endpoint,
        "token_endpoint": oauth.token_endpoint,
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [oauth.auth_method],
    });
    let members = document.authorization_server.iter().flat_map(|server| &server.more);
    // Not its `registration_endpoint`: the client is registered.
    for (member, value) in members.filter(|(member, _)| {
        matches!(member.as_str(), "revocation_endpoint" | "grant_types_supported" | "scopes_supported")
    }) {
        metadata[member] = value.clone();
    }
    metadata
}
