//! The Rust library against a real registry: every typed request once. Settings (environment): `REGISTRY_URLS` (one URL),
//! `REGISTRY_KEY` of an admin, `REGISTRY_GATEWAY_KEY`. Prints what it saw.

#![expect(clippy::print_stdout, reason = "the test reads it")]

use mcp_registry_client::{BoxError, Ensured, Registry, RegistryError};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (admin, gateway) = (connect("REGISTRY_KEY")?, connect("REGISTRY_GATEWAY_KEY")?);
    let mut seen = json!({});
    let body = json!({ "name": "Rs", "slug": "rslib", "url": "https://mcp.example.com/rslib", "auth_type": "oauth_auto", "transport": "http" });
    let id = admin.integrations().create(body).await?.id.unwrap_or_default();
    let version = Some(admin.integrations().get(&id).await?.version);
    admin.integrations().update("rslib", json!({ "name": "Rust" }), version).await?;
    let late = admin.integrations().update("rslib", json!({ "name": "Late" }), version).await;
    seen["late"] = json!(late.map_err(|error| error.status).err());
    seen["name"] = admin.integrations().get("rslib").await?.more["name"].clone();
    let body =
        json!({ "name": "Rs", "slug": "rslib", "mcp_integration_id": "rslib", "workspace_id": "acme" });
    admin.servers().create(body).await?;
    let listed = admin.servers().list(None).await?.data;
    seen["servers"] =
        listed.iter().filter_map(|one| one.slug.clone()).filter(|slug| slug == "rslib").collect();
    admin.servers().update("rslib", json!({ "description": "by Rust" }), None).await?;
    seen["description"] = admin.servers().get("rslib").await?.more["description"].clone();
    seen["integrations"] = json!(!admin.integrations().list(None).await?.data.is_empty());
    let configuration = json!({ "oauth_client_metadata": { "client_name": "Acme" } });
    admin.configurations().put(configuration, None).await?;
    seen["configuration"] = json!(admin.configurations().get().await?.configurations);
    let refused =
        admin.configurations().put(json!({ "oauth_client_metadata": { "scope": ["a"] } }), None).await;
    seen["finding"] = json!(refused.map_err(|error| error.findings[0].code.clone()).err());
    seen["role"] = json!(status(&admin.document("acme/rslib", None, None).await));
    seen["gateway"] = asked(&gateway).await?;
    admin.servers().delete("rslib").await?;
    admin.integrations().delete("rslib").await?;
    let gone = admin.integrations().get("rslib").await;
    seen["deleted"] = json!(gone.is_err_and(|error| error.is_not_found()));
    println!("{seen}");
    Ok(())
}

/// What gateways ask.
async fn asked(gateway: &Registry) -> Result<Value, BoxError> {
    let document = gateway.document("acme/rslib", None, None).await?;
    let paged = gateway.page(0).await?.data.iter().any(|one| one.name() == "acme/rslib");
    let revision = gateway.changes(None, Duration::ZERO).await?.revision;
    let ensured = matches!(gateway.ensure("acme/rslib", Duration::ZERO).await?, Ensured::NotYet { .. });
    let verdict = gateway.report("acme/rslib", 1, "invalid_client").await?.verdict;
    let followed = revision >= document.revision;
    Ok(
        json!({ "url": document.url, "paged": paged, "followed": followed, "ensured": ensured, "verdict": verdict }),
    )
}

fn status<T>(answer: &Result<T, RegistryError>) -> Option<u16> {
    answer.as_ref().err().map(|error| error.status)
}

/// The first replica is not there.
#[expect(clippy::disallowed_methods, reason = "the settings of this program")]
fn connect(key: &str) -> Result<Registry, BoxError> {
    let (key, url) = (std::env::var(key)?, std::env::var("REGISTRY_URLS")?);
    let registry = Registry::new(["http://127.0.0.1:9".to_owned(), url], move || key.clone())?;
    registry.avoid();
    Ok(registry)
}
