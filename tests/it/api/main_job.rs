//! The main job over REST: from an admin's JSON to the document a gateway fetches.

use registration_worker::WorkerOptions;
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use registry_outbound::{Limits, UpstreamClient};
use registry_sandbox::{Options, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{Client, Engine, TestServer};
use tokio_util::sync::CancellationToken;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integration_gets_a_registered_client(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let stop = CancellationToken::new();
    let registry = &t.inner.registry;
    let options = WorkerOptions {
        name: "test".into(),
        concurrency: 2,
        poll: Duration::from_millis(50),
        drain: Duration::from_secs(5),
    };
    let guarded = Arc::new(UpstreamClient::new(registry.settings().egress.clone(), Limits::default()));
    let worker = tokio::spawn(registration_worker::run(registry.clone(), guarded, options, stop.clone()));

    let admin = t.client(Role::Admin, None).await;
    let workspace =
        admin.post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" })).await.expect(200).json();
    let configurations: Value = serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap();
    let checked = admin
        .post("/v1/advanced-configuration/check", &json!({ "configurations": configurations }))
        .await
        .expect(200)
        .json();
    assert_eq!(checked["findings"], json!([]), "the documented example has no finding");
    let body = json!({ "name": "Acme MCP", "slug": "acme-mcp", "url": sandbox.mcp_url(), "auth_type": "oauth_auto", "transport": "http", "configurations": configurations });
    let integration = admin.post("/v1/mcp-integrations", &body).await.expect(200).json();
    assert_eq!(integration["slug"], "acme-mcp");
    let body =
        json!({ "name": "Notes", "mcp_integration_id": integration["id"], "workspace_id": workspace["id"] });
    let server = admin.post("/v1/mcp-servers", &body).await.expect(200).json();
    assert_eq!(server["slug"], "notes");
    assert!(sandbox.wait_for_registration(1, Duration::from_secs(10)).await);

    let registered = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let list = admin.get("/v1/registrations?workspace_id=acme").await.expect(200).json();
            if list["data"][0]["state"] == "registered" {
                return list["data"][0].clone();
            }
            registry.wait_for_commit(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    stop.cancel();
    worker.await.unwrap();
    let issued = sandbox.registrations()[0].client_id.clone().unwrap();
    assert_eq!(registered["client_id"], issued.as_str());
    let one = admin
        .get(&format!("/v1/registrations/{}", registered["id"].as_str().unwrap()))
        .await
        .expect(200)
        .json();
    assert_eq!(one["attempts"][0]["step"], "register");
    assert_eq!(one["clients"][0]["generation"], 1);

    let gateway = t.client(Role::Gateway, None).await;
    let fetched = gateway.get("/v1/gateway/servers/acme/notes").await.expect(200);
    assert_eq!(fetched.json()["client"]["client_id"], issued.as_str());
    assert_eq!(fetched.header("cache-control"), "private, no-cache");
    assert!(fetched.header("vary").to_lowercase().contains("authorization"));
    let again = gateway
        .request(reqwest::Method::GET, "/v1/gateway/servers/acme/notes")
        .header("if-none-match", fetched.header("etag"));
    let again = Client::send(again).await.expect(304);
    assert!(again.text.is_empty());
    admin.get("/v1/gateway/servers/acme/notes").await.expect(403);
    gateway.get("/v1/gateway/servers/acme/nothing").await.expect(404);

    let metadata = admin.get("/v1/mcp-servers/notes/client-metadata").await.expect(200).json();
    assert_eq!(metadata["origins"]["client_name"], "integration");
    assert_eq!(metadata["origins"]["grant_types"], "default");
    assert_eq!(metadata["request"], sandbox.registrations()[0].body);
    assert_eq!(metadata["request"], metadata["metadata"], "nothing had to be adjusted");
    let audit = admin.get("/v1/audit-events").await.expect(200).json();
    assert!(
        audit["data"].as_array().unwrap().iter().any(|one| one["action"] == "registration.client_recorded")
    );
    admin.delete("/v1/mcp-integrations/acme-mcp").await.expect(200);
    gateway.get("/v1/gateway/servers/acme/notes").await.expect(404);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_and_layers_have_endpoints(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    admin
        .given()
        .workspace("acme")
        .integration("linear", "https://mcp.linear.app/mcp")
        .server("linear")
        .await;
    let named = |name: &str| json!({ "oauth_client_metadata": { "client_name": name } });
    let shown = async || {
        admin.get("/v1/mcp-servers/linear/client-metadata").await.expect(200).json()["metadata"]["client_name"].clone()
    };
    assert_eq!(shown().await, "Portkey (acme/linear)");
    admin.put("/v1/organisation/configuration", &json!({ "configurations": named("O") })).await.expect(200);
    assert_eq!(shown().await, "O");
    admin.put("/v1/mcp-integrations/linear", &json!({ "configurations": named("I") })).await.expect(200);
    assert_eq!(shown().await, "I");
    let access = json!({ "workspaces": [{ "id": "acme", "enabled": true, "configurations": named("W") }] });
    admin.put("/v1/mcp-integrations/linear/workspaces", &access).await.expect(200);
    assert_eq!(shown().await, "W");
    admin.put("/v1/mcp-servers/linear", &json!({ "configurations": named("S") })).await.expect(200);
    assert_eq!(shown().await, "S");
    admin.put("/v1/mcp-servers/linear", &json!({ "configurations": null })).await.expect(200);
    assert_eq!(shown().await, "W");
    admin.put("/v1/mcp-integrations/linear", &json!({ "configurations": named("I2") })).await.expect(200);
    let revisions = admin.get("/v1/mcp-integrations/linear/revisions").await.expect(200).json();
    assert_eq!(revisions["total"], 2);
    admin.post("/v1/mcp-integrations/linear/revisions/1/revert", &json!({})).await.expect(200);
    let now = admin.get("/v1/mcp-integrations/linear").await.expect(200).json();
    assert_eq!(now["configurations"], named("I"));
}
