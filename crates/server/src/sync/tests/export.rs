use super::{document, open_document};
use crate::sync::export::{agent_gateway, litellm_config, portkey_local};
use mcp_registry_client::GatewayDocument;
use serde_json::{Value, json};

fn documents() -> Vec<GatewayDocument> {
    vec![
        document(
            "acme/notes",
            &json!({
                "passthrough_headers": { "X-Tenant": "t3nant" },
                "forward_headers": ["X-A", { "from": "X-B", "to": "X-C" }],
                "disabled_capabilities": [{ "type": "tool", "name": "rm" }],
            }),
        ),
        open_document("acme/keyed", &json!({ "headers": { "X-Key": "k3y$" } })),
        document("acme/later", &json!({ "client": null })),
    ]
}

type Render = fn(&[GatewayDocument], bool) -> (Value, Vec<String>);

#[test]
fn secrets_are_written_only_when_asked_for() {
    let all: [(&str, Render); 3] = [
        ("portkey", portkey_local::render),
        ("agentgateway", agent_gateway::render),
        ("litellm", litellm_config::render),
    ];
    for (name, render) in all {
        let (file, lines) = render(&documents(), false);
        let text = file.to_string();
        for secret in ["s3cret", "t3nant", "k3y"] {
            assert!(!text.contains(secret), "{name}: {text}");
            assert!(!lines.join("\n").contains(secret), "{name}: {lines:?}");
        }
        assert!(text.contains("MCP_ACME_KEYED_X_KEY"), "{name}: {text}");
        assert!(lines.iter().any(|line| line.starts_with("acme/later is left out")), "{name}: {lines:?}");
        let (file, _) = render(&documents(), true);
        assert!(file.to_string().contains("k3y$"), "{name}: {file}");
    }
}

#[test]
fn open_gateway_gets_its_local_file() {
    let (file, _) = portkey_local::render(&documents(), true);
    let notes = &file["servers"]["acme/notes"];
    assert_eq!(notes["oauth_client_metadata"]["client_id"], "client-1");
    assert_eq!(notes["oauth_client_metadata"]["client_secret"], "s3cret$1");
    assert_eq!(notes["oauth_server_metadata"]["token_endpoint"], "https://as.example.com/token");
    assert_eq!(notes["oauth_server_metadata"].get("registration_endpoint"), None);
    assert_eq!(notes["headers"], json!({}));
    assert_eq!(notes["passthroughHeaders"], json!({ "X-Tenant": "t3nant" }));
    assert_eq!(notes["forwardHeaders"], json!(["X-A", "X-B"]));
    assert_eq!(notes["tools"]["blocked"], json!(["rm"]));
    assert_eq!(file["servers"]["acme/keyed"]["headers"], json!({ "X-Key": "k3y$" }));
}

#[test]
fn agentgateway_gets_a_route_for_each_server() {
    let (file, lines) = agent_gateway::render(&documents(), true);
    let routes = file["binds"][0]["listeners"][0]["routes"].as_array().expect("routes").clone();
    let [keyed, notes] = routes.as_slice() else { panic!("{routes:?}") };
    assert_eq!(notes["matches"], json!([{ "path": { "exact": "/acme/notes/mcp" } }]));
    let target = &notes["backends"][0]["mcp"]["targets"][0];
    assert_eq!(target["mcp"]["host"], "https://mcp.example.com/mcp");
    let set = &keyed["backends"][0]["mcp"]["targets"][0]["policies"]["requestHeaderModifier"]["set"];
    assert_eq!(set["X-Key"], "k3y$$", "a dollar would be a reference");
    assert!(lines.iter().any(|line| line.contains("client-1")), "{lines:?}");
}

#[test]
fn litellm_gets_its_servers_with_ids_that_stay() {
    let (file, _) = litellm_config::render(&documents(), true);
    let notes = &file["mcp_servers"]["acme_notes"];
    assert_eq!((&notes["client_id"], &notes["client_secret"]), (&json!("client-1"), &json!("s3cret$1")));
    assert_eq!(notes["auth_type"], "oauth2");
    assert_eq!(notes["scopes"], json!(["mcp:read", "mcp:write"]));
    assert!(notes["server_id"].as_str().is_some_and(|id| id.starts_with("mcp-registry-")));
    assert!(notes.get("registration_url").is_none());
}
