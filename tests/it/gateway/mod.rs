//! The gateway's door: documents from memory, changes followed live, steadiness.

mod capabilities;
mod changes;
mod deletions;
mod limits;
mod memory;
mod needs;
mod open_gateway;
mod outage;
mod replicas;
mod rolling;
mod schema;

use registry::{ConfigurationScope, NewApiKey, NewConfiguration, Registry};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use std::time::{Duration, Instant};
use support::TestRegistry;

/// A header that is sealed when it is stored; gateways get it.
const SECRET: &str = "gateway-canary-5c1f";

fn header(value: &str) -> String {
    format!(r#"{{"headers":{{"X-Secret":"{value}"}}}}"#)
}

/// Workspace `acme` with a server `linear` that has a secret header.
async fn seed(t: &TestRegistry) {
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", Some(&header(SECRET))).await;
    t.server("linear", "acme").await;
}

async fn configure(registry: &Registry, integration: &str, text: &str) {
    let new = NewConfiguration { text: Some(text.to_owned()), ..NewConfiguration::default() };
    let subject = ConfigurationScope::Integration(Reference::parse(integration));
    registry.configurations().save(&registry.operator(), &subject, new).await.unwrap();
}

/// A gateway's key, with its id.
async fn gateway_key(registry: &Registry, workspace: Option<&str>) -> (String, registry_core::id::ApiKeyId) {
    let new = NewApiKey {
        name: "gateway".into(),
        role: Role::Gateway,
        scopes: Vec::new(),
        workspace: workspace.map(Reference::parse),
        expires_at: None,
        reason: None,
    };
    let made = registry.api_keys().create(&registry.operator(), new).await.unwrap();
    (made.key, made.record.id)
}

/// Asks until `done` says so; how long it took. Fails after `patience`.
async fn until(patience: Duration, mut done: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < patience, "not within {patience:?}");
        // Polling without a pause takes the processor from the process under test.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    began.elapsed()
}
