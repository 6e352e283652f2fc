//! `kill -9` of workers in the middle of deletions: every server is deleted once, and every registration is withdrawn.

use super::kills;
use super::rollouts::numbers;
use registry_core::permission::Role;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::time::Duration;
use support::{Engine, Installation, Random, TestDatabase};

const SERVERS: usize = 1_500;

/// The registration of the first server once more for each of its copies.
const REGISTRATIONS: &str = "INSERT INTO registration (id, server_id, workspace_id, integration_id, state, due_at, wanted, \
    upstream, settled, failures, lost_answers, lease_until, fence, created_at, updated_at) \
    SELECT NEW_ID, server.id, server.workspace_id, server.integration_id, one.state, 9000000000000, 1, one.upstream, 1, 0, 0, \
    0, 0, one.created_at, one.updated_at FROM server, registration one WHERE server.slug LIKE 'copy-%'";

async fn killed_in_the_middle(engine: Engine, parent: &str) {
    let seed = Random::seed();
    eprintln!("MCP_REGISTRY_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let installed = Installation::new(TestDatabase::new(engine).await)
        .with("LOG__LEVEL", "warn")
        .with("WORKER__POLL_MS", "100");
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    client
        .given()
        .workspace("acme")
        .integration("linear", "https://mcp.example.com/mcp")
        .server("linear")
        .await;
    let db = installed.database.connect().await;
    installed.database.copy_server("linear", SERVERS - 1).await;
    let new_id = match engine {
        Engine::Sqlite => "randomblob(16)",
        Engine::Postgres => "gen_random_uuid()",
    };
    db.execute_unprepared(&REGISTRATIONS.replace("NEW_ID", new_id)).await.unwrap();
    let deleted: Value = client.delete(&format!("/v1/{parent}")).await.expect(200).json();
    let rollout = deleted["rollout_id"].as_str().expect("the servers are many").to_owned();

    let mut cut = 0;
    for _ in 0..kills() / 3 {
        let mut worker = installed.work();
        // The moment is random on purpose.
        tokio::time::sleep(Duration::from_millis(random.between(0, 1_500))).await;
        worker.kill().await.unwrap();
        let left = numbers(&db, "SELECT COUNT(*) FROM server WHERE deleted_at IS NULL").await[0];
        cut += i64::from((1..1_500).contains(&left));
        if left == 0 {
            break;
        }
        // A dead worker's lease need not be waited for.
        db.execute_unprepared("UPDATE rollout SET lease_until = 0").await.unwrap();
    }
    assert!(cut > 0, "no kill ever came in the middle of the deletion");

    let mut worker = installed.work();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(5);
    let withdrawn = "SELECT COUNT(*) FROM registration WHERE state = 'withdrawn'";
    loop {
        let now: Value = client.get(&format!("/v1/rollouts/{rollout}")).await.expect(200).json();
        let count = numbers(&db, withdrawn).await[0];
        if now["state"] == "done" && count == 1_500 {
            assert_eq!(now["processed"], SERVERS, "{now}");
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the deletion does not end: {count} withdrawn, {now}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.kill().await.unwrap();
    assert_eq!(numbers(&db, "SELECT COUNT(*) FROM server WHERE deleted_at IS NULL").await, [0]);
    let twice = "SELECT COUNT(*) FROM (SELECT subject_id FROM audit_event WHERE action = 'server.deleted' \
                 GROUP BY subject_id HAVING COUNT(*) > 1) AS counted";
    assert_eq!(numbers(&db, twice).await, [0], "no server is deleted twice");
    let audit = installed.run(&["audit", "verify"]).await;
    assert!(audit.contains("form an unbroken chain"), "{audit}");
    eprintln!("{engine:?}: {cut} kills in the middle of the deletion of {SERVERS} servers");
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_survives_kills_on_sqlite() {
    killed_in_the_middle(Engine::Sqlite, "mcp-integrations/linear").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_survives_kills_on_postgres() {
    killed_in_the_middle(Engine::Postgres, "workspaces/acme").await;
}
