//! The OpenAPI document and the published schema.

use registry_core::permission::Role;
use serde_json::Value;
use support::{Engine, TestServer};

#[test]
fn served_openapi_document_equals_the_committed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/registry.json");
    let served = serde_json::to_value(registry_api::document()).unwrap();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if serde_json::from_str::<Value>(&text).ok().as_ref() == Some(&served) {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a switch for people who change the API")]
    let update = std::env::var("MCP_REGISTRY_TEST_UPDATE").is_ok();
    assert!(
        update,
        "openapi/registry.json is old: run `mcp-registry openapi --write openapi/registry.json` and commit it"
    );
    std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&served).unwrap())).unwrap();
}

#[tokio::test]
async fn document_reference_schema_and_probes_are_served() {
    let t = TestServer::new(Engine::Sqlite).await;
    let nobody = t.anonymous();
    let document = nobody.get("/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let reference = nobody.get("/docs/").await.expect(200);
    assert!(reference.header("content-type").starts_with("text/html"));
    assert!(!reference.text.contains("https://"), "no foreign request: {}", reference.text);
    nobody.get("/healthz").await.expect(200);
    nobody.get("/readyz").await.expect(200);
    let metrics = nobody.get("/metrics").await.expect(200);
    assert!(metrics.text.contains("mcp_registry_registrations{state=\"registered\"} 0"), "{}", metrics.text);
    let viewer = t.client(Role::Viewer, None).await;
    let schema = viewer.get("/v1/schemas/advanced-configuration").await.expect(200).json();
    assert!(jsonschema::validator_for(&schema).is_ok());
}
