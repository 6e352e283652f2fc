use super::{document, open_document, upstream};
use crate::sync::litellm::members;
use serde_json::{Value, json};

#[test]
fn servers_become_members_of_its_admin_api() {
    let oauth = |client_credentials: &str| {
        json!({
            "auth_type": "oauth2",
            "authorization_url": "https://as.example.com/authorize",
            "token_url": "https://as.example.com/token",
            "registration_url": null,
            "issuer": null,
            "oauth2_flow": client_credentials,
            "credentials": {
                "client_id": "client-1",
                "client_secret": "s3cret$1",
                "token_endpoint_auth_method": "client_secret_basic",
                "scopes": ["mcp:read", "mcp:write"],
            },
        })
    };
    let none = json!({ "auth_type": "none", "authorization_url": null, "credentials": null, "issuer": null, "oauth2_flow": null });
    let mut server = json!(document("acme/notes", &json!({})).authorization_server);
    server["authorization_response_iss_parameter_supported"] = json!(true);
    let names_issuer = json!({ "authorization_server": server });
    let headers = json!({ "headers": { "X-Key": "k" }, "forward_headers": ["X-A"], "transport": "sse" });
    for (document, expected) in [
        (document("acme/notes", &json!({})), oauth("authorization_code")),
        (document("acme/notes", &names_issuer), json!({ "issuer": "https://as.example.com" })),
        (
            document("acme/notes", &json!({ "auth_type": "oauth_client_credentials" })),
            oauth("client_credentials"),
        ),
        (open_document("acme/notes", &json!({ "auth_type": "none" })), none),
        (
            open_document("acme/notes", &headers),
            json!({ "static_headers": { "X-Key": "k" }, "extra_headers": ["X-A"], "transport": "sse" }),
        ),
        (
            document("acme/notes", &json!({ "tools": { "allowed": ["read"] } })),
            json!({ "allowed_tools": ["read"], "url": "https://mcp.example.com/mcp", "transport": "http" }),
        ),
    ] {
        let members = Value::Object(members(&upstream(&document)));
        for (name, value) in expected.as_object().expect("members") {
            assert_eq!(members.get(name), Some(value), "{name} of {members}");
        }
    }
}
