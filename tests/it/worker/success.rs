//! From a saved configuration to a client that gateways can fetch.

use super::{Working, registration_in, registration_when, upstream};
use registry::{ConfigurationScope, IntegrationChange, ServerRef};
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::AttemptOutcome;
use registry_core::registration::{ClientStatus, RegistrationMethod, State};
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Engine, TestRegistry};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enterprise_example_is_registered_and_given_to_gateways(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), Some(ENTERPRISE_COMPLIANCE)).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    worker.stop().await;

    // What was sent: the documented example, the defaults, the callback, `application_type`; nothing else.
    let mut expected: Value = serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap();
    let mut expected = expected["oauth_client_metadata"].take();
    for (name, value) in [
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!("none")),
        ("application_type", json!("native")),
        ("redirect_uris", json!(["http://localhost:8787/oauth/upstream-callback"])),
    ] {
        expected[name] = value;
    }
    let sent = sandbox.registrations();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body, expected);

    let client = &detail.clients[0];
    assert_eq!(Some(&client.client_id), sent[0].client_id.as_ref());
    assert_eq!(
        (client.generation, client.status, client.method),
        (1, ClientStatus::Active, RegistrationMethod::Dcr)
    );
    assert_eq!(client.issuer, sandbox.issuer());
    assert!(client.manageable && !client.has_secret);
    assert_eq!(
        detail.attempts.iter().map(|one| one.step.as_str()).collect::<Vec<_>>(),
        ["register", "discover"]
    );
    assert!(detail.attempts.iter().all(|one| one.outcome == AttemptOutcome::Succeeded));
    assert_eq!(detail.attempts[0].request.as_ref(), Some(&expected));

    let gateway = t.actor(Role::Gateway, None).await;
    let fetched = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let document: Value = serde_json::from_slice(&fetched.body).unwrap();
    assert_eq!(document["client"]["client_id"], client.client_id.as_str());
    assert_eq!(document["client"]["issuer"], sandbox.issuer());
    assert_eq!(document["client"]["client_name"], "Acme Corp MCP Gateway");
    assert_eq!(document["registration"], json!({ "state": "registered", "method": "dcr" }));
    assert_eq!(document["resource"], sandbox.mcp_url());
    assert_eq!(document["authorization_server"]["issuer"], sandbox.issuer());
    assert!(!holds_null_or_empty(&document), "{document:#}");
    let again = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    assert_eq!(again.etag, fetched.etag, "nothing changed, so the same bytes");
    sandbox.stop().await;
}

fn holds_null_or_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().any(holds_null_or_empty),
        Value::Object(members) => members.values().any(holds_null_or_empty),
        _ => false,
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_metadata_wait_for_approval_and_make_a_new_generation(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { no_management: true, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    // While no gateway has it, no user can have consented to it, and it is replaced without approval.
    let early = Some(r#"{"oauth_client_metadata":{"client_name":"Early"}}"#.to_owned());
    t.registry.configurations().set(&t.admin(), &subject, early, None, None).await.unwrap();
    registration_when(&t, |detail| {
        detail.registration.state == State::Registered && detail.registration.generation == Some(2)
    })
    .await;
    let gateway = t.actor(Role::Gateway, None).await;
    t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let headers =
        Some(r#"{"oauth_client_metadata":{"client_name":"Early"},"headers":{"X-A":"b"}}"#.to_owned());
    t.registry.configurations().set(&t.admin(), &subject, headers, None, None).await.unwrap();
    let named = Some(r#"{"oauth_client_metadata":{"client_name":"New"}}"#.to_owned());
    t.registry.configurations().set(&t.admin(), &subject, named, None, None).await.unwrap();
    let outdated = registration_in(&t, State::Outdated).await;
    assert!(outdated.registration.usable, "the old client still serves");
    assert_eq!(sandbox.registrations().len(), 2, "nothing was sent for it");

    t.registry.registrations().approve(&t.admin(), outdated.registration.id).await.unwrap();
    let renewed = registration_when(&t, |detail| {
        detail.registration.state == State::Registered && detail.registration.generation == Some(3)
    })
    .await;
    worker.stop().await;
    assert_eq!(
        renewed.clients.iter().map(|one| one.status).collect::<Vec<_>>(),
        [ClientStatus::Active, ClientStatus::Draining, ClientStatus::Draining]
    );
    assert_eq!(sandbox.registrations()[2].body["client_name"], "New");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_registered_client_is_used_without_a_registration_request(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let text = r#"{"oauth_client_metadata":{"client_id":"by-hand","client_secret":"s3cret"}}"#;
    let sandbox = upstream(&t, Quirks::default(), Some(text)).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    assert!(sandbox.registrations().is_empty());
    assert_eq!(detail.registration.method, Some(RegistrationMethod::PreRegistered));
    assert!(detail.clients[0].has_secret);
    let gateway = t.actor(Role::Gateway, None).await;
    let fetch = async || {
        let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
        serde_json::from_slice::<Value>(&document.body).unwrap()
    };
    let document = fetch().await;
    assert_eq!(document["client"]["client_id"], "by-hand");
    assert_eq!(document["client"]["client_secret"], "s3cret");
    assert_ne!(document["client"]["token_endpoint_auth_method"], "none");

    // Another secret: followed by itself, because it costs no consent.
    let change = IntegrationChange {
        configuration: Patch::Set(text.replace("s3cret", "other")),
        ..IntegrationChange::default()
    };
    t.registry.integrations().update(&t.admin(), &Reference::parse("linear"), change, None).await.unwrap();
    registration_when(&t, |detail| detail.registration.generation == Some(2)).await;
    assert_eq!(fetch().await["client"]["client_secret"], "other");
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_of_a_deleted_server_is_deleted_upstream(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    let client_id = detail.registration.client_id.unwrap();
    assert!(sandbox.client(&client_id).is_some());
    let server = ServerRef { server: Reference::parse("linear"), workspace: Some(Reference::parse("acme")) };
    t.registry.servers().delete(&t.admin(), &server, None).await.unwrap();
    let gone = registration_in(&t, State::Withdrawn).await;
    assert_eq!(gone.clients[0].withdrawal.as_deref(), Some("deleted"));
    assert_eq!(gone.clients[0].status, ClientStatus::Withdrawn);
    assert!(!gone.clients[0].has_secret && !gone.clients[0].manageable);
    assert!(sandbox.client(&client_id).is_none());
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_register_each_server_once(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    t.servers("linear", "acme", 11).await;
    let second = t.second_process().await;
    let workers =
        [Working::start(&t.registry, Limits::default()), Working::start(&second, Limits::default())];
    let all = async {
        loop {
            let counts = t
                .registry
                .registrations()
                .counts(&t.admin(), registry::RegistrationFilter::default())
                .await
                .unwrap();
            if counts.contains(&(State::Registered, 12)) {
                return;
            }
            t.registry.wait_for_commit(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), all).await.unwrap();
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(sandbox.registrations().len(), 12);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_url_removes_the_client_from_the_document(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    worker.stop().await;
    let gateway = t.actor(Role::Gateway, None).await;
    let fetch = async || {
        let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
        serde_json::from_slice::<Value>(&document.body).unwrap()
    };
    assert!(fetch().await.get("client").is_some());
    let moved =
        IntegrationChange { url: Some("https://other.example/mcp".into()), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &Reference::parse("linear"), moved, None).await.unwrap();
    let document = fetch().await;
    assert_eq!(document["url"], "https://other.example/mcp");
    assert!(
        document.get("client").is_none() && document.get("authorization_server").is_none(),
        "never a mix"
    );
    sandbox.stop().await;
}
