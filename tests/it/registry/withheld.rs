//! Secrets of the organisation's layer go only to URLs chosen by a user who may write that layer.

use registry::{ConfigurationScope, IntegrationChange, NewIntegration, PreflightOverrides, ServerRef};
use registry_core::permission::Role;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use rstest::rstest;
use std::sync::{Arc, Mutex};
use support::{Engine, TestRegistry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LAYER: &str = r#"{"headers":{"x-org":"ORGSECRET"},"passthrough_headers":{"x-more":"ORGSECRET"},"registration":{"initial_access_token":"ORGSECRET-iat"}}"#;

/// A listener that answers everything, and what it was sent.
async fn listening() -> (String, Arc<Mutex<String>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(String::new()));
    let hearing = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 16 * 1024];
            let length = stream.read(&mut bytes).await.unwrap_or(0);
            hearing.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
        }
    });
    (url, heard)
}

fn new(slug: &str, url: &str, workspace: Option<&str>) -> NewIntegration {
    NewIntegration {
        name: slug.to_owned(),
        slug: Some(slug.to_owned()),
        description: None,
        url: url.to_owned(),
        auth_type: AuthType::Headers,
        transport: Transport::Http,
        workspace: workspace.map(Reference::parse),
        configuration: None,
        secret_mappings: Vec::new(),
    }
}

fn moved(url: &str) -> IntegrationChange {
    IntegrationChange { url: Some(url.to_owned()), ..IntegrationChange::default() }
}

/// Whether a test of the connection sends the organisation's secrets, and whether a server of it would have them.
async fn is_sent(t: &TestRegistry, slug: &str, heard: &Mutex<String>) -> (bool, bool) {
    heard.lock().unwrap().clear();
    t.registry.integrations().test_connection(&t.admin(), &Reference::parse(slug)).await.unwrap();
    let tested = heard.lock().unwrap().contains("ORGSECRET");
    let server = t.server(slug, "acme").await;
    let reference = ServerRef { server: Reference::Id(server.id.0), workspace: None };
    let effective =
        t.registry.servers().client_metadata(&t.admin(), &reference).await.unwrap().resolution.effective;
    let held =
        effective.gateway.contains_key("headers") || effective.registration.initial_access_token.is_some();
    t.registry.servers().delete(&t.admin(), &reference, None).await.unwrap();
    (tested, held)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organisation_secrets_go_only_where_its_writers_send_them(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.registry
        .configurations()
        .set(&t.admin(), &ConfigurationScope::Organisation, Some(LAYER.into()), None, None)
        .await
        .unwrap();
    let (url, heard) = listening().await;
    let other = format!("{url}/other");
    let manager = t.actor(Role::Manager, None).await;
    let bound = t.actor(Role::Manager, Some("acme")).await;
    let admin = t.actor(Role::Admin, None).await;
    let open = async |slug: &str| {
        let change =
            registry::AccessUpdate { global_access: Some(true), ..registry::AccessUpdate::default() };
        let _ = t.registry.access().update(&t.admin(), &Reference::parse(slug), change).await;
    };
    // Made.
    for (slug, actor, workspace, sent) in [
        ("by-admin", &admin, None, true),
        ("by-operator", &t.admin(), None, true),
        ("by-manager", &manager, None, false),
        ("by-bound", &bound, Some("acme"), false),
    ] {
        let saved = t.registry.integrations().create(actor, new(slug, &url, workspace)).await.unwrap();
        let said = saved.findings.iter().any(|one| one.code == "secret_withheld");
        assert_eq!(said, slug == "by-manager", "{slug}: {:?}", saved.findings);
        open(slug).await;
        assert_eq!(is_sent(&t, slug, &heard).await, (sent, sent), "{slug}");
    }
    // Moved, sent again, vouched for.
    let change = async |actor, slug: &str, change| {
        t.registry.integrations().update(actor, &Reference::parse(slug), change, None).await.unwrap()
    };
    change(&manager, "by-admin", moved(&url)).await;
    assert_eq!(is_sent(&t, "by-admin", &heard).await, (true, true), "the same address is no choice");
    let saved = change(&manager, "by-admin", moved(&other)).await;
    assert!(saved.findings.iter().any(|one| one.code == "secret_withheld" && one.pointer == "/url"));
    assert_eq!(is_sent(&t, "by-admin", &heard).await, (false, false), "moved by a manager");
    change(&manager, "by-admin", moved(&url)).await;
    assert_eq!(is_sent(&t, "by-admin", &heard).await, (false, false), "and back by a manager");
    let named = IntegrationChange { name: Some("Other".into()), ..IntegrationChange::default() };
    change(&admin, "by-admin", named).await;
    assert_eq!(
        is_sent(&t, "by-admin", &heard).await,
        (false, false),
        "an admin who does not look at the address"
    );
    change(&admin, "by-admin", moved(&url)).await;
    assert_eq!(is_sent(&t, "by-admin", &heard).await, (true, true), "vouched for by an admin");
    change(&admin, "by-manager", moved(&other)).await;
    assert_eq!(is_sent(&t, "by-manager", &heard).await, (true, true), "moved by an admin");
    // DuplicatedIntegration and imported.
    for (actor, name, sent) in [(&manager, "copy-m", false), (&admin, "copy-a", true)] {
        t.registry
            .integrations()
            .duplicate(actor, &Reference::parse("by-admin"), name.into(), Some(name.into()))
            .await
            .unwrap();
        open(name).await;
        assert_eq!(is_sent(&t, name, &heard).await, (sent, sent), "{name}");
    }
    for (actor, slug, sent) in [(&manager, "import-m", false), (&admin, "import-a", true)] {
        let item = serde_json::json!({ "name": slug, "slug": slug, "url": url, "auth_type": "headers", "transport": "http", "global_workspace_access": { "enabled": true } });
        let imported = t.registry.integrations().import(actor, &item.to_string()).await.unwrap();
        assert_eq!(imported.findings.iter().any(|one| one.code == "secret_withheld"), !sent, "{slug}");
        assert_eq!(is_sent(&t, slug, &heard).await, (sent, sent), "{slug}");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_counts_no_secret_of_the_organisation_for_a_manager_s_address(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.registry
        .configurations()
        .set(&t.admin(), &ConfigurationScope::Organisation, Some(LAYER.into()), None, None)
        .await
        .unwrap();
    let sandbox = registry_sandbox::Sandbox::start(registry_sandbox::Options::default()).await.unwrap();
    t.integration("linear", &sandbox.mcp_url(), None).await;
    let manager = t.actor(Role::Manager, None).await;
    let linear = Reference::parse("linear");
    let elsewhere =
        PreflightOverrides { url: Some(format!("{}?x", sandbox.mcp_url())), ..PreflightOverrides::default() };
    for (actor, what_if, counts) in [
        (&manager, PreflightOverrides::default(), true),
        (&manager, elsewhere.clone(), false),
        (&t.admin(), elsewhere, true),
    ] {
        let flown = t.registry.preflight().run(actor, &linear, what_if).await.unwrap();
        assert_eq!(flown.with_initial_access_token, counts, "{}", flown.url);
    }
    let new = NewIntegration { auth_type: AuthType::OauthAuto, ..new("fresh", &sandbox.mcp_url(), None) };
    assert!(!t.registry.preflight().run_new(&manager, new.clone()).await.unwrap().with_initial_access_token);
    assert!(t.registry.preflight().run_new(&t.admin(), new).await.unwrap().with_initial_access_token);
    sandbox.stop().await;
}
