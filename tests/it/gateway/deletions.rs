//! Deleted integrations and workspaces with many servers: their documents are forgotten in every process.

use super::{gateway_key, until};
use registry::{RolloutSizes, Settings};
use registry_core::slug::Reference;
use rstest::rstest;
use std::time::Duration;
use support::{Client, Engine, TestRegistry, TestServer, follow};

const SERVERS: usize = 5;
const PROPAGATION_TIMEOUT: Duration = Duration::from_secs(5);

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_a_deleted_parent_are_forgotten_everywhere(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values("integration", "workspace")] parent: &str,
) {
    let rollout_sizes = RolloutSizes { immediate: 2, batch: 2 };
    let t = TestRegistry::with(engine, Settings { rollout_sizes, ..Settings::default() }).await;
    for (integration, workspace) in [("linear", "acme"), ("notion", "globex")] {
        t.integration(integration, &format!("https://mcp.{integration}.example/mcp"), None).await;
        t.workspace(workspace).await;
    }
    t.servers("linear", "acme", SERVERS).await;
    t.server("notion", "globex").await;
    let server = TestServer::over(t);
    let t = &server.inner;
    follow(&t.registry, &t.database.url).await;
    let replica = server.replica().await;
    let (key, _) = gateway_key(&t.registry, None).await;
    let names: Vec<String> = (0..SERVERS).map(|number| format!("acme/linear-{number}")).collect();
    let processes =
        [(&t.registry, Client::new(&server.url, &key)), (&replica.registry, Client::new(&replica.url, &key))];
    for (registry, gateway) in &processes {
        for name in names.iter().map(String::as_str).chain(["globex/notion"]) {
            gateway.get(&format!("/v1/gateway/servers/{name}")).await.expect(200);
            assert!(registry.gateway().last_known_document(&key, name).is_some(), "{name} is held");
        }
    }
    let admin = t.admin();
    let deleted = match parent {
        "integration" => t.registry.integrations().delete(&admin, &Reference::parse("linear"), None).await,
        _ => t.registry.workspaces().delete(&admin, &Reference::parse("acme"), None).await,
    };
    deleted.unwrap().rollout.expect("five are many");
    // No batch deletes a server: one row in the change feed is enough.
    for (registry, gateway) in &processes {
        until(PROPAGATION_TIMEOUT, async || {
            names.iter().all(|name| registry.gateway().last_known_document(&key, name).is_none())
        })
        .await;
        for name in &names {
            gateway.get(&format!("/v1/gateway/servers/{name}")).await.expect(404);
            assert!(registry.gateway().last_known_document(&key, name).is_none(), "{name} is not held again");
        }
        assert!(registry.gateway().last_known_document(&key, "globex/notion").is_some(), "others are kept");
        gateway.get("/v1/gateway/servers/globex/notion").await.expect(200);
    }
}
