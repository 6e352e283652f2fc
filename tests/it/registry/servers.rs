//! What the creation of a server costs.

use registry::NewServer;
use registry_core::slug::Reference;
use rstest::rstest;
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
        println!("{engine:?}: {taken} statements for server {number}");
        assert!(made.value.registration.is_some(), "it is counted with its registration");
        assert!(taken > 0 && (grants || taken <= MAX_STATEMENTS), "server {number} took {taken} statements");
    }
}
