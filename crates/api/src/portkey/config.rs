//! The configuration of a server as the open gateway reads it, made of the document that every gateway gets.

use registry::{Error, Result};
use serde_json::{Map, Value, json};

/// Members of the authorization server's metadata that the gateway takes over. Without `registration_endpoint`: the client is
/// registered already, and the gateway must not register another one.
const SERVER_MEMBERS: [&str; 9] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "response_types_supported",
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
    "grant_types_supported",
    "scopes_supported",
];

/// Members of the client that it must not get: it has one callback of its own.
const OWN_CALLBACK: [&str; 2] = ["redirect_uris", "issuer"];

/// Members of the document that are members of `configurations` under the same name.
const PASSED_ON: [&str; 6] = [
    "headers",
    "passthrough_headers",
    "user_identity_forwarding",
    "jwt_validation",
    "external_auth_config",
    "tools",
];

/// What the gateway fetches for a server.
///
/// Errors: [`Error::Forbidden`] for a server that is switched off; [`Error::Unavailable`] while a client is needed and not
/// there: without one the gateway would register its own with every consent.
pub(super) fn server_config(document: &Map<String, Value>) -> Result<Value> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("status") != "active" {
        return Err(Error::Unavailable(format!("This server is switched off: `{}`.", text("reason"))));
    }
    let needs_client = text("auth_type").starts_with("oauth");
    let client = document.get("client").and_then(Value::as_object);
    if needs_client && client.is_none() {
        let registration = document.get("registration");
        let state = registration.and_then(|one| one["state"].as_str()).unwrap_or("queued");
        return Err(Error::Unavailable(format!(
            "The OAuth client of this server is not there yet (its registration is `{state}`). Try again shortly."
        )));
    }
    let mut configurations = Map::new();
    for name in PASSED_ON {
        if let Some(value) = document.get(name) {
            configurations.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(forwarded) = document.get("forward_headers") {
        configurations.insert("forward_headers".to_owned(), flattened(forwarded));
    }
    if let Some(client) = client {
        let metadata = oauth_metadata(document, client);
        configurations.insert("oauth_metadata".to_owned(), Value::Object(metadata));
    }
    Ok(json!({
        "slug": text("server"),
        "name": text("server"),
        "status": "active",
        "workspace_id": text("workspace"),
        "mcp_integration_id": text("integration"),
        "mcp_integration_details": {
            "slug": text("integration"),
            "status": "active",
            "url": text("url"),
            "auth_type": text("auth_type"),
            "transport": text("transport"),
            "configurations": configurations,
        },
        "default_headers": {},
        "revision": document.get("revision"),
    }))
}

/// Client, endpoints, scope and parameters in the one object that the gateway has for them.
fn oauth_metadata(document: &Map<String, Value>, client: &Map<String, Value>) -> Map<String, Value> {
    let mut metadata = client.clone();
    for name in OWN_CALLBACK {
        metadata.shift_remove(name);
    }
    if let Some(scope) = document.get("scope") {
        metadata.insert("scope".to_owned(), scope.clone());
    }
    if let Some(parameters) = document.get("authorization_params") {
        metadata.insert("authorization_params".to_owned(), parameters.clone());
    }
    let empty = Map::new();
    let server = document.get("authorization_server").and_then(Value::as_object).unwrap_or(&empty);
    for name in SERVER_MEMBERS {
        if let Some(value) = server.get(name) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    // The gateway's library uses the method of the client only where the server lists it.
    if let Some(method) = client.get("token_endpoint_auth_method").cloned() {
        let listed = metadata
            .entry("token_endpoint_auth_methods_supported")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(methods) = listed
            && !methods.contains(&method)
        {
            methods.push(method);
        }
    }
    for (name, value) in
        [("response_types_supported", json!(["code"])), ("code_challenge_methods_supported", json!(["S256"]))]
    {
        metadata.entry(name).or_insert(value);
    }
    metadata
}

/// Headers to forward by name only: gateways before 2.6 cannot rename them, and forward nothing when they see an object.
fn flattened(forwarded: &Value) -> Value {
    let name = |one: &Value| one.get("from").cloned().unwrap_or_else(|| one.clone());
    match forwarded {
        Value::Array(list) => list.iter().map(name).collect(),
        Value::Object(rule) => {
            let mut rule = rule.clone();
            if let Some(Value::Array(list)) = rule.get_mut("headers") {
                *list = list.iter().map(name).collect();
            }
            Value::Object(rule)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn document(members: Value) -> Map<String, Value> {
        let Value::Object(mut document) = json!({
            "workspace": "acme", "server": "linear", "integration": "linear", "url": "https://up.example/mcp",
            "transport": "http", "auth_type": "oauth_auto", "revision": 7, "status": "active",
        }) else {
            unreachable!()
        };
        let Value::Object(members) = members else { unreachable!() };
        document.extend(members);
        document
    }

    #[test]
    fn client_and_endpoints_come_in_one_object() {
        let config = server_config(&document(json!({
            "client": {
                "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post",
                "client_name": "Acme", "redirect_uris": ["https://g/cb"], "issuer": "https://as.example",
                "client_secret_expires_at": 0,
            },
            "authorization_server": {
                "issuer": "https://as.example", "authorization_endpoint": "https://as.example/a",
                "token_endpoint": "https://as.example/t", "registration_endpoint": "https://as.example/r",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"], "metadata_url": "https://as.example/m",
            },
            "scope": "read", "authorization_params": { "prompt": "consent" },
            "forward_headers": ["x-a", { "from": "x-b", "to": "x-c" }], "headers": { "X-K": "v" },
        })))
        .unwrap();
        let details = &config["mcp_integration_details"];
        assert_eq!(
            (&details["url"], &details["transport"]),
            (&json!("https://up.example/mcp"), &json!("http"))
        );
        let configurations = &details["configurations"];
        assert_eq!(configurations["forward_headers"], json!(["x-a", "x-b"]));
        assert_eq!(configurations["headers"], json!({ "X-K": "v" }));
        assert_eq!(
            configurations["oauth_metadata"],
            json!({
                "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post",
                "client_name": "Acme", "client_secret_expires_at": 0, "scope": "read",
                "authorization_params": { "prompt": "consent" }, "issuer": "https://as.example",
                "authorization_endpoint": "https://as.example/a", "token_endpoint": "https://as.example/t",
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
            })
        );
    }

    #[test]
    fn rules_of_headers_keep_their_form() {
        for (given, expected) in [
            (
                json!({ "mode": "all-except", "headers": [{ "from": "a", "to": "b" }, "c"] }),
                json!({ "mode": "all-except", "headers": ["a", "c"] }),
            ),
            (json!([]), json!([])),
            (json!("x"), json!("x")),
        ] {
            assert_eq!(flattened(&given), expected);
        }
    }

    #[test]
    fn servers_without_a_client_or_switched_off_are_refused() {
        let pending = document(json!({ "registration": { "state": "retrying" } }));
        assert!(server_config(&pending).unwrap_err().to_string().contains("`retrying`"));
        let off = document(json!({ "status": "disabled", "reason": "access_disabled" }));
        assert!(server_config(&off).unwrap_err().to_string().contains("access_disabled"));
        for auth_type in ["none", "headers"] {
            let config = server_config(&document(json!({ "auth_type": auth_type }))).unwrap();
            assert_eq!(config["mcp_integration_details"]["auth_type"], auth_type);
        }
    }
}
