//! What a registration asks of the database, from its claim to the client that gateways can use.

use registration_worker::WorkerOptions;
use registry_outbound::{Limits, UpstreamClient};
use registry_sandbox::{Options, Sandbox};
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use std::sync::Arc;
use std::time::Duration;
use support::{Engine, TestRegistry, statements};
use tokio_util::sync::CancellationToken;

/// The most statements that one registration may take.
const MAX_STATEMENTS: u64 = 20;

/// A worker with a poll that does not matter while something is counted.
async fn work(t: &TestRegistry) {
    let options = WorkerOptions {
        name: "one".to_owned(),
        concurrency: 8,
        poll: Duration::from_secs(5),
        drain: Duration::from_secs(5),
    };
    let stop = CancellationToken::new();
    let upstream = Arc::new(UpstreamClient::new(t.registry.settings().egress.clone(), Limits::default()));
    let worker = tokio::spawn(registration_worker::run(t.registry.clone(), upstream, options, stop.clone()));
    let db = t.database.connect().await;
    let sql = "SELECT id FROM registration WHERE state <> 'registered' OR lease_until > 0 LIMIT 1";
    let left = Statement::from_string(db.get_database_backend(), sql);
    let done = async {
        while db.query_one_raw(left.clone()).await.unwrap().is_some() {
            t.registry.wait_for_commit(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), done).await.expect("everything is registered");
    stop.cancel();
    worker.await.unwrap();
}

/// How many statements a worker runs from its start until everything is registered.
async fn taken(t: &TestRegistry) -> u64 {
    let before = statements();
    work(t).await;
    statements() - before
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_takes_few_statements(#[case] engine: Engine) {
    // Counted from the first look on.
    statements();
    let t = TestRegistry::new(engine).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    t.integration("linear", &sandbox.mcp_url(), None).await;
    let mut servers = 0;
    let mut create = async |count: u64| {
        for number in servers..servers + count {
            let workspace = format!("team-{number}");
            t.workspace(&workspace).await;
            t.server("linear", &workspace).await;
        }
        servers += count;
    };
    // The first one is the first at its authorization server, and its worker makes the first checkpoint of the audit log.
    create(1).await;
    taken(&t).await;
    let idle = taken(&t).await;
    // A single one bears all looks of the loop of claims, and what the worker does at its start.
    for (count, most) in [(1, 2 * MAX_STATEMENTS), (24, MAX_STATEMENTS)] {
        create(count).await;
        let taken = taken(&t).await - idle;
        let each = taken.div_ceil(count);
        eprintln!("{engine:?}: {count} registrations, {taken} statements, {each} each");
        assert!((1..=most).contains(&each), "{count} registrations took {taken} statements");
    }
    assert_eq!(sandbox.registrations().len(), 26);
    sandbox.stop().await;
}
