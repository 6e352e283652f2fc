use super::{document, open_document, upstream};
use crate::sync::admin_api::AdminApi;
use crate::sync::context_forge::ContextForge;
use crate::sync::target::TargetGateway;
use mcp_registry_client::GatewayDocument;
use serde_json::{Value, json};

fn entry(document: &GatewayDocument) -> Result<(Value, Vec<String>), String> {
    let api = AdminApi::new("http://127.0.0.1:1", "token".to_owned()).expect("an API");
    let target = ContextForge::new(api, "https://gw.example.com".to_owned());
    let entry = target.entry(&upstream(document), "name".to_owned())?;
    Ok((Value::Object(entry.members), entry.notes))
}

#[test]
fn servers_become_members_of_its_admin_api() {
    let oauth = json!({
        "grant_type": "authorization_code",
        "client_id": "client-1",
        "client_secret": "s3cret$1",
        "token_url": "https://as.example.com/token",
        "authorization_url": "https://as.example.com/authorize",
        "issuer": "https://as.example.com",
        "scopes": ["mcp:read", "mcp:write"],
        "token_endpoint_auth_method": "client_secret_basic",
        "resource": "https://mcp.example.com/mcp",
        "redirect_uri": "https://gw.example.com/oauth/callback",
    });
    let mut machine = oauth.clone();
    machine["grant_type"] = json!("client_credentials");
    machine.as_object_mut().expect("members").remove("redirect_uri");
    let headers = json!({ "headers": { "X-Key": "k" }, "forward_headers": ["X-A"], "transport": "sse" });
    for (document, expected) in [
        (
            document("acme/notes", &json!({})),
            json!({ "auth_type": "oauth", "oauth_config": oauth, "transport": "STREAMABLEHTTP" }),
        ),
        (
            document("acme/notes", &json!({ "auth_type": "oauth_client_credentials" })),
            json!({ "auth_type": "oauth", "oauth_config": machine }),
        ),
        (open_document("acme/notes", &json!({ "auth_type": "none" })), json!({ "auth_type": "none" })),
        (
            open_document("acme/notes", &headers),
            json!({
                "auth_type": "authheaders", "auth_headers": [{ "key": "X-Key", "value": "k" }],
                "passthrough_headers": ["X-A"], "transport": "SSE",
            }),
        ),
    ] {
        let (members, notes) = entry(&document).expect("an entry");
        assert!(notes.is_empty(), "{notes:?}");
        for (name, value) in expected.as_object().expect("members") {
            assert_eq!(members.get(name), Some(value), "{name} of {members}");
        }
    }
}

#[test]
fn a_client_without_its_callback_is_not_written() {
    let mut client = json!(document("acme/notes", &json!({})).client);
    client["redirect_uris"] = json!(["https://gw.example.com/oauth/upstream-callback"]);
    let told = entry(&document("acme/notes", &json!({ "client": client })));
    assert!(told.is_err_and(|why| why.contains("`https://gw.example.com/oauth/callback`")));
}

#[test]
fn what_it_cannot_do_is_said() {
    let members = json!({ "passthrough_headers": { "X-T": "a" }, "tools": { "allowed": ["read"] } });
    let (_, notes) = entry(&document("acme/notes", &members)).expect("an entry");
    assert_eq!(notes.len(), 2, "{notes:?}");
}
