//! The sealing keys over time, on both databases: changed while others work, interrupted, lost.

use crate::resilience::backup::rows;
use registry::{
    AccessChange, AccessUpdate, Actor, ConfigurationScope, Error, IntegrationChange, NewIntegration,
    NewServer, RegistrationFilter, RegistrationQueue, Registry, SealingKey, SealingKeyUse, ServerChange,
    ServerRef, StepError,
};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::AttemptStep;
use registry_core::registration::{AuthType, State, Transport};
use registry_core::secret::Secret;
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::future::Future;
use support::{Client, Engine, TestRegistry, TestServer, claim_one};

/// A server whose gateway document holds this secret.
async fn with_secret(t: &TestRegistry, slug: &str, secret: &str) {
    let text = json!({ "headers": { "X-Key": secret } }).to_string();
    t.integration(slug, &format!("https://{slug}.example.com/mcp"), Some(&text)).await;
    t.server(slug, "acme").await;
}

async fn enter(registry: &Registry, slug: &str, secret: &str) {
    let text = json!({ "headers": { "X-Key": secret } }).to_string();
    let change = IntegrationChange { configuration: Patch::Set(text), ..IntegrationChange::default() };
    let slug = Reference::parse(slug);
    registry.integrations().update(&registry.operator(), &slug, change, None).await.unwrap();
}

async fn document(t: &TestRegistry, registry: &Registry, slug: &str) -> Value {
    let gateway = t.actor(Role::Gateway, None).await;
    let document = registry.gateway().document(&gateway, "acme", slug).await.unwrap();
    serde_json::from_slice(&document.body).unwrap()
}

async fn keys(registry: &Registry) -> Vec<SealingKeyUse> {
    registry.secrets().keys(&registry.operator()).await.unwrap()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_rotation_runs_beside_other_work_and_frees_the_old_key(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    for number in 0..250 {
        with_secret(&t, &format!("server-{number}"), &format!("secret {number}")).await;
    }
    let new = SealingKey::generate().unwrap();
    // First below the old key everywhere, then above it.
    let both = t.process_with_keys(vec![t.key.clone(), new.clone()]).await;
    both.deployment().ready().await.unwrap();
    let rotating = t.process_with_keys(vec![new.clone(), t.key.clone()]).await;
    rotating.deployment().migrate().await.unwrap();

    // Meanwhile a user saves through a process that still encrypts with the old key.
    let writing = async {
        for number in 0..20 {
            enter(&both, &format!("server-{number}"), &format!("changed {number}")).await;
        }
    };
    let operator = rotating.operator();
    let (done, ()) = tokio::join!(rotating.secrets().reseal(&operator), writing);
    assert!(done.unwrap().values >= 230);
    // What was saved after the rotation had ended is for the next one.
    rotating.secrets().reseal(&rotating.operator()).await.unwrap();
    let used = keys(&rotating).await;
    assert_eq!(used.iter().map(|key| key.values).sum::<u64>(), 250);
    assert!(used.iter().all(|key| key.primary == (key.values == 250) && key.unreadable == 0), "{used:?}");
    assert_eq!(rotating.secrets().reseal(&rotating.operator()).await.unwrap().values, 0);

    let without_old = t.process_with_keys(vec![new]).await;
    without_old.deployment().migrate().await.unwrap();
    without_old.deployment().ready().await.unwrap();
    assert_eq!(document(&t, &without_old, "server-3").await["headers"]["X-Key"], "changed 3");
    assert_eq!(document(&t, &without_old, "server-249").await["headers"]["X-Key"], "secret 249");
    let refused = t.registry.deployment().ready().await.unwrap_err().to_string();
    assert!(refused.contains("missing from `sealing`"), "a process with the old key alone: {refused}");

    // One that still seals with the old key saves something late: who lacks that key says so.
    enter(&both, "server-5", "late").await;
    let refused = without_old.deployment().ready().await.unwrap_err().to_string();
    assert!(refused.contains("missing from `sealing`"), "{refused}");
    // A damaged row does not block the others.
    enter(&both, "server-6", "damaged").await;
    let db = t.database.connect().await;
    let damaged = "UPDATE sealed_value SET data_key = nonce WHERE owner_id = (SELECT id FROM integration WHERE slug = 'server-6')";
    db.execute_unprepared(damaged).await.unwrap();
    let done = rotating.secrets().reseal(&rotating.operator()).await.unwrap();
    assert_eq!((done.values, done.left), (1, 1));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_key_is_reported_with_its_secrets_and_can_be_abandoned(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    with_secret(&t, "linear", "s3cret").await;
    with_secret(&t, "notion", "other").await;
    let fresh = t.process_with_keys(vec![SealingKey::generate().unwrap()]).await;
    let operator = fresh.operator();
    let refused = fresh.deployment().migrate().await.unwrap_err().to_string();
    assert!(refused.contains("seal status"), "{refused}");
    assert!(fresh.deployment().ready().await.is_err());
    let used = keys(&fresh).await;
    let lost = used.iter().find(|key| !key.present).unwrap();
    assert_eq!((lost.values, lost.unreadable), (2, 2));
    assert_eq!(
        lost.costs,
        ["integration linear: enter /headers/X-Key again", "integration notion: enter /headers/X-Key again"]
    );

    assert!(matches!(fresh.secrets().abandon_key(&operator, "nobody").await, Err(Error::NotFound { .. })));
    let present = t.registry.secrets().abandon_key(&operator, &lost.id).await;
    assert!(matches!(present, Err(Error::Conflict { code: registry::ConflictCode::SealingKeyPresent, .. })));
    assert_eq!(fresh.secrets().abandon_key(&operator, &lost.id).await.unwrap(), 2);
    fresh.deployment().migrate().await.unwrap();
    fresh.deployment().ready().await.unwrap();

    // The document says so, holds nothing of the secret, and is whole again once it is entered.
    let found = document(&t, &fresh, "linear").await;
    assert_eq!(found["registration"]["reason"], "sealing_key_missing");
    assert!(!found.to_string().contains("$sealed"), "{found}");
    enter(&fresh, "linear", "again").await;
    assert_eq!(document(&t, &fresh, "linear").await["headers"]["X-Key"], "again");
    assert_eq!(document(&t, &fresh, "notion").await["registration"]["reason"], "sealing_key_missing");
    assert_eq!(fresh.secrets().reseal(&operator).await.unwrap().left, 1);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_secret_affects_one_document_only(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    with_secret(&t, "linear", "s3cret").await;
    with_secret(&t, "notion", "other").await;
    let db = t.database.connect().await;
    let damage = "UPDATE sealed_value SET ciphertext = nonce WHERE owner_id = (SELECT id FROM integration WHERE slug = 'linear')";
    db.execute_unprepared(damage).await.unwrap();
    let gateway = t.actor(Role::Gateway, None).await;
    let page = t.registry.gateway().documents(&gateway, None, 0, 100).await.unwrap();
    assert_eq!(page.documents.len(), 2);
    let found = document(&t, &t.registry, "linear").await;
    assert_eq!(found["registration"]["reason"], "stored_data_damaged");
    assert!(!found.to_string().contains("$sealed"), "{found}");
    assert_eq!(document(&t, &t.registry, "notion").await["headers"]["X-Key"], "other");
    enter(&t.registry, "linear", "again").await;
    assert_eq!(document(&t, &t.registry, "linear").await["headers"]["X-Key"], "again");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealing_keys_require_the_operator(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let admin = t.actor(Role::Admin, None).await;
    assert!(matches!(t.registry.secrets().keys(&admin).await, Err(Error::Unauthenticated(_))));
    assert!(matches!(t.registry.secrets().reseal(&admin).await, Err(Error::Unauthenticated(_))));
    assert!(matches!(t.registry.secrets().abandon_key(&admin, "k").await, Err(Error::Unauthenticated(_))));
}

/// The behaviour of a process with another key of the same name, and of one with an unannounced key.
async fn with_wrong_keys(t: &TestRegistry) -> Vec<(&'static str, Registry)> {
    let line = t.key.to_line();
    let id = line.split_once(':').unwrap().0;
    vec![
        ("another key of the same name", t.process_with_keys(vec![SealingKey::new(id, [7; 32])]).await),
        (
            "a key that nobody announced",
            t.process_with_keys(vec![SealingKey::new("own", [8; 32]), t.key.clone()]).await,
        ),
        (
            "another key below the right one",
            t.process_with_keys(vec![SealingKey::new("own", [8; 32]), SealingKey::new(id, [7; 32])]).await,
        ),
    ]
}

async fn refused<T>(what: &str, done: impl Future<Output = registry::Result<T>>) {
    match done.await {
        Err(Error::CannotSeal(why)) => {
            assert!(why.contains("sealing key") && why.contains("nothing was saved"), "{why}");
        }
        Err(other) => panic!("{what}: {other:?}"),
        Ok(_) => panic!("{what}: was acknowledged"),
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_with_a_wrong_key_encrypts_nothing_and_saves_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    with_secret(&t, "linear", "s3cret").await;
    let admin = t.actor(Role::Admin, None).await;
    let every = RegistrationFilter { states: State::ALL.to_vec(), ..RegistrationFilter::default() };
    let registrations = t
        .registry
        .registrations()
        .list(&admin, every.clone(), registry::PageRequest::default())
        .await
        .unwrap();
    let registration = registrations.items[0].id;
    let draft = t
        .registry
        .drafts()
        .create(
            &admin,
            registry::DraftAddress {
                url: "https://draft.example.com/mcp".into(),
                name: None,
                slug: None,
                transport: Transport::Http,
            },
        )
        .await
        .unwrap();
    let text = || json!({ "headers": { "X-Key": "lost" } }).to_string();
    let linear = Reference::parse("linear");
    let server = ServerRef { server: linear.clone(), workspace: Some(Reference::parse("acme")) };
    let db = t.database.connect().await;
    for (which, wrong) in with_wrong_keys(&t).await {
        let before = rows(&db).await;
        let integration = NewIntegration {
            name: "New".into(),
            slug: None,
            description: None,
            url: "https://new.example.com/mcp".into(),
            auth_type: AuthType::Headers,
            transport: Transport::Http,
            workspace: None,
            configuration: Some(text()),
            secret_mappings: Vec::new(),
        };
        let new_server = NewServer {
            integration: linear.clone(),
            workspace: Some(Reference::parse("acme")),
            name: "Another".into(),
            slug: None,
            description: None,
            configuration: Some(text()),
            secret_mappings: Vec::new(),
        };
        let change = IntegrationChange { configuration: Patch::Set(text()), ..IntegrationChange::default() };
        let server_change = ServerChange { configuration: Patch::Set(text()), ..ServerChange::default() };
        let access = AccessUpdate {
            workspaces: vec![AccessChange {
                workspace: Reference::parse("acme"),
                enabled: None,
                configuration: Patch::Set(text()),
            }],
            ..AccessUpdate::default()
        };
        refused("an integration", wrong.integrations().create(&admin, integration)).await;
        refused("a change", Box::pin(wrong.integrations().update(&admin, &linear, change, None))).await;
        refused("a server", Box::pin(wrong.servers().create(&admin, new_server))).await;
        refused("a server's change", wrong.servers().update(&admin, &server, server_change, None)).await;
        refused("access", wrong.access().update(&admin, &linear, access)).await;
        for subject in [
            ConfigurationScope::Organisation,
            ConfigurationScope::Integration(linear.clone()),
            ConfigurationScope::Server(server.clone()),
        ] {
            let saved = wrong.configurations().set(&admin, &subject, Some(text()), None, None);
            refused("a layer", Box::pin(saved)).await;
        }
        refused("a draft", Box::pin(wrong.drafts().set_configuration(&admin, draft.id, Some(&text())))).await;
        let client = registry::ClientCredentials {
            client_id: "abc".into(),
            client_secret: Some(Secret::new("lost")),
            token_endpoint_auth_method: None,
        };
        refused(
            "a client",
            Box::pin(wrong.registrations().set_client_credentials(&admin, registration, client)),
        )
        .await;
        refused(
            "a token",
            Box::pin(wrong.registrations().set_initial_access_token(
                &admin,
                registration,
                Secret::new("lost"),
            )),
        )
        .await;
        refused("the audit log's key", Box::pin(wrong.audit().maintain())).await;
        refused("a rotation", wrong.secrets().reseal(&wrong.operator())).await;
        assert!(rows(&db).await == before, "{which}: something was saved");

        // A worker sends nothing whose answer it could not keep.
        let claim = claim_one(&wrong, "wrong").await;
        let context = wrong.registration_queue().load(&claim).await.unwrap();
        let queue = wrong.registration_queue();
        let attempt = queue.begin(&claim, &context, AttemptStep::Register, None, &[]);
        refused("an attempt", Box::pin(async { attempt.await.map_err(registry_error) })).await;
        let free = "UPDATE registration SET lease_until = 0, lease_owner = NULL";
        db.execute_unprepared(free).await.unwrap();

        // Reads work, and writes without secrets are saved.
        wrong.integrations().get(&admin, &linear).await.unwrap();
        wrong.registrations().get(&admin, registration).await.unwrap();
        let described =
            IntegrationChange { description: Patch::Set(which.into()), ..IntegrationChange::default() };
        wrong.integrations().update(&admin, &linear, described, None).await.unwrap();
        assert!(wrong.deployment().ready().await.is_err(), "{which}");
        t.registry.deployment().ready().await.unwrap();
    }
    let gateway: Actor = t.actor(Role::Gateway, None).await;
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    assert_eq!(document["headers"]["X-Key"], "s3cret");
    assert!(t.registry.audit().maintain().await.is_ok());
    assert!(keys(&t.registry).await.iter().all(|key| key.unreadable == 0));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_with_a_wrong_key_reports_key_missing_and_others_work(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    t.inner.workspace("acme").await;
    with_secret(&t.inner, "linear", "s3cret").await;
    let key = t.key(Role::Admin, None).await;
    let (_, wrong) = with_wrong_keys(&t.inner).await.remove(0);
    let replica = t.replica_of(wrong);
    let client = Client::new(&replica.url, &key);
    client.get("/readyz").await.expect(503);
    let configurations = json!({ "headers": { "X-Key": "lost" } });
    let integration = json!({ "name": "New", "url": "https://new.example.com/mcp", "auth_type": "headers", "transport": "http", "configurations": configurations });
    let server = json!({ "name": "Two", "mcp_integration_id": "linear", "workspace_id": "acme", "configurations": configurations });
    let changed = json!({ "configurations": configurations });
    let writes = [
        client.post("/v1/mcp-integrations", &integration).await,
        client.put("/v1/mcp-integrations/linear", &changed).await,
        client.post("/v1/mcp-servers", &server).await,
        client.put("/v1/mcp-servers/linear?workspace_id=acme", &changed).await,
    ];
    for reply in writes {
        assert_eq!(reply.status, 503, "{}", reply.text);
        assert_eq!(reply.json()["code"], "key_missing", "{}", reply.text);
        assert!(!reply.header("retry-after").is_empty());
    }
    client.get("/v1/mcp-integrations/linear").await.expect(200);
    let healthy = t.with_token(&key);
    healthy.get("/readyz").await.expect(200);
    healthy.put("/v1/mcp-integrations/linear", &changed).await.expect(200);
    assert_eq!(document(&t.inner, &t.inner.registry, "linear").await["headers"]["X-Key"], "lost");
}

fn registry_error(error: StepError) -> Error {
    match error {
        StepError::Registry(error) => error,
        other => panic!("{other:?}"),
    }
}
