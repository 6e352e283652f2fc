//! Real authorization servers, a real MCP client, and the hosted product's own SDK.

use registration_worker::WorkerOptions;
use registry_core::permission::Role;
use registry_outbound::{Guarded, Limits};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{Engine, Peer, SEED_ENTERPRISE, TestServer, mcp_client, portkey_sdk};
use tokio_util::sync::CancellationToken;

/// Registers a client for `mcp_url` through the whole product and gives back the gateway's document.
async fn registered(engine: Engine, mcp_url: &str, configurations: &Value) -> Value {
    let t = TestServer::new(engine).await;
    let registry = &t.inner.registry;
    let admin = t.client(Role::Admin, None).await;
    admin.post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" })).await.expect(200);
    let body = json!({ "name": "Notes", "slug": "notes", "url": mcp_url, "auth_type": "oauth_auto", "transport": "http", "configurations": configurations });
    admin.post("/v1/mcp-integrations", &body).await.expect(200);
    let body =
        json!({ "name": "Notes", "slug": "notes", "mcp_integration_id": "notes", "workspace_id": "acme" });
    admin.post("/v1/mcp-servers", &body).await.expect(200);
    let stop = CancellationToken::new();
    let options = WorkerOptions {
        name: "test".into(),
        concurrency: 2,
        poll: Duration::from_millis(50),
        drain: Duration::from_secs(5),
    };
    let guarded = Arc::new(Guarded::new(registry.settings().egress.clone(), Limits::default()));
    let worker = tokio::spawn(registration_worker::run(registry.clone(), guarded, options, stop.clone()));
    let gateway = t.client(Role::Gateway, None).await;
    let mut last = Value::Null;
    let found = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            last = gateway.get("/v1/gateway/servers/acme/notes").await.expect(200).json();
            if last["registration"]["state"] == "registered" {
                return;
            }
            registry.wait_for_change(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(found.is_ok(), "not registered within 5 s: {last:#}");
    stop.cancel();
    worker.await.unwrap();
    last
}

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

/// Registers, compares with what the authorization server says it registered, and lets a real client sign in with it.
async fn whole_way(
    engine: Engine,
    mut authorization_server: Peer,
    more: &[(&str, &str)],
    configurations: Value,
) {
    let mcp = protected(&authorization_server, more).await;
    let document = registered(engine, mcp.text("mcp_url"), &configurations).await;
    let event = authorization_server.event("registered").await;
    assert_eq!(document["client"]["client_id"], event["client_id"]);
    assert_eq!(document["client"]["issuer"], authorization_server.ready["issuer"]);
    let seen = mcp_client(mcp.text("mcp_url"), &document).await;
    assert_eq!(seen["caller"]["client_id"], event["client_id"], "{seen:#}");
    assert!(seen["tools"].as_array().is_some_and(|tools| !tools.is_empty()));
}

fn seed() -> Value {
    serde_json::from_str(SEED_ENTERPRISE).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_on_sqlite() {
    whole_way(Engine::Sqlite, Peer::start("oidc-provider.mjs", &[]).await, &[], seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_on_postgres() {
    whole_way(Engine::Postgres, Peer::start("oidc-provider.mjs", &[]).await, &[], seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_with_an_initial_access_token() {
    let peer = Peer::start("oidc-provider.mjs", &[("INITIAL_ACCESS_TOKEN", "iat-1234567890")]).await;
    let mut configurations = seed();
    configurations["registration"] = json!({ "initial_access_token": "iat-1234567890" });
    whole_way(Engine::Sqlite, peer, &[], configurations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_whose_issuer_has_a_path_and_metadata_at_the_root() {
    let peer = Peer::start("oidc-provider.mjs", &[("ISSUER_PATH", "/tenant1")]).await;
    whole_way(Engine::Sqlite, peer, &[("PRM", "root"), ("HINT", "0")], json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_with_a_confidential_client() {
    let configurations =
        json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_basic" } });
    whole_way(Engine::Sqlite, Peer::start("oidc-provider.mjs", &[]).await, &[], configurations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_s_authorization_server() {
    whole_way(
        Engine::Sqlite,
        Peer::start("sdk-authorization-server.mjs", &[]).await,
        &[("PRM", "header")],
        seed(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_s_own_example() {
    let example = Peer::start("sdk-example.mjs", &[]).await;
    let document = registered(Engine::Sqlite, example.text("mcp_url"), &json!({})).await;
    assert_eq!(document["client"]["issuer"], example.ready["issuer"], "verbatim, with its trailing slash");
    let seen = mcp_client(example.text("mcp_url"), &document).await;
    assert!(seen["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{seen:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosted_product_s_sdk_works_by_changing_url_and_key() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    let key = t.key(Role::Admin, None).await;
    let sandbox = registry_sandbox::Sandbox::start(registry_sandbox::Options::default()).await.unwrap();
    portkey_sdk(&format!("{}/v1", t.url), &key, "acme", &sandbox.mcp_url()).await;
    sandbox.stop().await;
}
