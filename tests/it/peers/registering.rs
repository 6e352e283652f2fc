//! Every server registers a client that a real gateway signs in with; and the hosted product's own SDK.

use super::{Circumstances, Life};
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Engine, Peer, TestServer, portkey_sdk};

/// Registers, compares with what the authorization server says it registered, and lets a real client sign in with it.
async fn works(at: Circumstances<'_>, peer: Peer, configurations: &Value) -> Value {
    let mut life = Life::begin_in(at, peer, configurations).await;
    let document = life.registered().await;
    life.remembers(&[&document["client"]["client_id"]]).await;
    document
}

fn seed() -> Value {
    serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_on_sqlite() {
    works(Circumstances::default(), Peer::start("oidc-provider.mjs", &[]).await, &seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_on_postgres() {
    let at = Circumstances { engine: Engine::Postgres, ..Circumstances::default() };
    works(at, Peer::start("oidc-provider.mjs", &[]).await, &seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_with_an_initial_access_token() {
    let peer = Peer::start("oidc-provider.mjs", &[("INITIAL_ACCESS_TOKEN", "iat-1234567890")]).await;
    let mut configurations = seed();
    configurations["registration"] = json!({ "initial_access_token": "iat-1234567890" });
    works(Circumstances::default(), peer, &configurations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_whose_issuer_has_a_path_and_metadata_at_the_root() {
    let peer = Peer::start("oidc-provider.mjs", &[("ISSUER_PATH", "/tenant1")]).await;
    let at = Circumstances { mcp: &[("PRM", "root"), ("HINT", "0")], ..Circumstances::default() };
    works(at, peer, &json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_with_a_confidential_client() {
    let configurations =
        json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_basic" } });
    works(Circumstances::default(), Peer::start("oidc-provider.mjs", &[]).await, &configurations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_sdk() {
    let at = Circumstances { mcp: &[("PRM", "header")], ..Circumstances::default() };
    works(at, Peer::start("sdk-authorization-server.mjs", &[]).await, &seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_sdk_s_own_example() {
    let life = Life::begin(Peer::start("sdk-example.mjs", &[]).await, &json!({})).await;
    let document = life.document_when(|seen| seen["registration"]["state"] == "registered").await;
    assert_eq!(document["client"]["issuer"], life.peer.ready["issuer"], "verbatim, with its trailing slash");
    let tools = life.tools_of(&document).await;
    assert!(tools > 3, "{tools}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_sdk() {
    let document = works(Circumstances::default(), Peer::start("python_sdk.py", &[]).await, &json!({})).await;
    assert_eq!(document["client"]["token_endpoint_auth_method"], "client_secret_post", "the first it lists");
}

/// Metadata in the form of OpenID Connect only, and 200 for a new client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn glewlwyd() {
    let document = works(Circumstances::default(), Peer::start("glewlwyd.mjs", &[]).await, &json!({})).await;
    assert!(document["client"]["client_secret"].is_string());
}

#[rstest]
#[case::pypi("portkey_sdk.py")]
#[case::npm("portkey_sdk.mjs")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosted_sdk_works_with_another_url_and_key(#[case] script: &str) {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    let key = t.key(Role::Admin, None).await;
    let sandbox = registry_sandbox::Sandbox::start(registry_sandbox::Options::default()).await.unwrap();
    portkey_sdk(script, &format!("{}/v1", t.url), &key, "acme", &sandbox.mcp_url()).await;
    sandbox.stop().await;
}
