//! What the creation of a server costs, and what it waits for.

use registry::{IntegrationChange, NewServer, NewWorkspace};
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectionTrait, TransactionTrait};
use std::time::Duration;
use support::{Engine, TestRegistry, statements};

/// The most statements that the creation of one server may take.
const MAX_STATEMENTS: u64 = 10;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_is_created_with_few_statements(#[case] engine: Engine) {
    // Counted from the first look on.
    statements();
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    let layer = r#"{"oauth_client_metadata":{"client_name":"Acme"}}"#;
    t.integration("linear", "https://mcp.linear.app/mcp", Some(layer)).await;
    for (number, configuration) in [(1, None), (2, Some(layer)), (3, None)] {
        let new = NewServer {
            integration: Reference::parse("linear"),
            workspace: Some(Reference::parse("acme")),
            name: "Linear".to_owned(),
            slug: Some(format!("linear-{number}")),
            description: None,
            configuration: configuration.map(str::to_owned),
            secret_mappings: Vec::new(),
        };
        // An admin of the organisation grants the access with the first server.
        let grants = number == 1;
        let before = statements();
        let made = t.registry.servers().create(&t.admin(), new).await.unwrap();
        let taken = statements() - before;
        eprintln!("{engine:?}: {taken} statements for server {number}");
        assert!(made.value.registration.is_some(), "it is counted with its registration");
        assert!(taken > 0 && (grants || taken <= MAX_STATEMENTS), "server {number} took {taken} statements");
    }
}

/// While one write keeps the layers above workspaces as they are, servers are created beside it, and those layers are not
/// changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_different_workspaces_do_not_wait_for_each_other() {
    let t = TestRegistry::new(Engine::Postgres).await;
    t.workspace("acme").await;
    t.workspace("beta").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.server("linear", "acme").await;
    // What a write in one workspace holds until it ends.
    let db = t.database.connect().await;
    #[expect(clippy::disallowed_methods, reason = "another process that writes")]
    let write = db.begin().await.unwrap();
    let held = "SELECT pg_advisory_xact_lock_shared('deployment'::regclass::oid::int, 7301)";
    write.execute_unprepared(held).await.unwrap();

    let created = tokio::time::timeout(Duration::from_secs(30), t.server("linear", "beta"));
    created.await.expect("a server of another workspace does not wait");
    let change = IntegrationChange { name: Some("Linear".to_owned()), ..IntegrationChange::default() };
    let (registry, admin, linear) = (t.registry.clone(), t.admin(), Reference::parse("linear"));
    let mut update =
        tokio::spawn(async move { registry.integrations().update(&admin, &linear, change, None).await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut update).await;
    assert!(early.is_err(), "an integration is not changed under a write that reads it");
    write.commit().await.unwrap();
    update.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_in_schemas_of_one_database_do_not_wait_for_each_other() {
    let (one, other) = (TestRegistry::new(Engine::Postgres).await, TestRegistry::new(Engine::Postgres).await);
    one.workspace("acme").await;
    other.workspace("acme").await;
    let db = one.database.connect().await;
    #[expect(clippy::disallowed_methods, reason = "another process that writes")]
    let write = db.begin().await.unwrap();
    let held = "SELECT pg_advisory_xact_lock('deployment'::regclass::oid::int, 7301)";
    write.execute_unprepared(held).await.unwrap();

    let created = tokio::time::timeout(Duration::from_secs(30), other.workspace("beta"));
    created.await.expect("the other registry does not wait");
    let (registry, admin) = (one.registry.clone(), one.admin());
    let new = NewWorkspace { name: "Beta".to_owned(), slug: None, description: None };
    let mut here = tokio::spawn(async move { registry.workspaces().create(&admin, new).await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut here).await;
    assert!(early.is_err(), "this one waits");
    write.commit().await.unwrap();
    here.await.unwrap().unwrap();
}
