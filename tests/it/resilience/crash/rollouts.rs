//! `kill -9` of workers in the middle of rollouts, one save after the other: every server ends at the newest revision, and
//! none was moved twice by one rollout.

use super::kills;
use registry_core::permission::Role;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Client, Engine, Installation, Random, TestDatabase, optional_variable};

/// Servers in the short form; in the long one (`./test --long`) there are 10,000.
const SERVERS: usize = 3_000;
const MANY_SERVERS: usize = 10_000;
/// A kill of so many is followed by another save.
const KILLS_PER_SAVE: usize = 5;

pub(super) async fn numbers(db: &DatabaseConnection, query: &str) -> Vec<i64> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn save(client: &Client, number: usize) -> String {
    let path = "/v1/organisation/configuration?canary_percent=0&max_failures=none";
    let body = json!({ "configurations": { "headers": { "X-Save": number.to_string() } } });
    let saved: Value = client.put(path, &body).await.expect(200).json();
    saved["rollout_id"].as_str().expect("the servers are many").to_owned()
}

async fn killed_in_the_middle(engine: Engine) {
    let seed = Random::seed();
    eprintln!("MCP_REGISTRY_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let long = optional_variable("MCP_REGISTRY_TEST_KILLS").is_some();
    let servers = if long { MANY_SERVERS } else { SERVERS };
    let kills = if long { kills() } else { kills() / 3 };
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
        .with("auth_type", "none")
        .server("linear")
        .await;
    let db = installed.database.connect().await;
    installed.database.copy_server("linear", servers - 1).await;
    let before = numbers(&db, "SELECT revision FROM sequence").await[0];

    let (mut saves, mut last) = (0, String::new());
    for kill in 0..kills {
        if kill % KILLS_PER_SAVE == 0 {
            saves += 1;
            last = save(&client, saves).await;
        }
        let mut worker = installed.work();
        // The moment is random on purpose.
        tokio::time::sleep(Duration::from_millis(random.between(0, 1_500))).await;
        worker.kill().await.unwrap();
    }
    let cut = numbers(&db, "SELECT COUNT(*) FROM rollout WHERE state <> 'done' AND processed > 0").await[0];
    assert!(cut > 0, "no kill ever came in the middle of a rollout");

    let mut workers = [installed.work(), installed.work()];
    let deadline = tokio::time::Instant::now() + Duration::from_mins(10);
    loop {
        let now: Value = client.get(&format!("/v1/rollouts/{last}")).await.expect(200).json();
        if now["state"] == "done" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the last rollout does not end: {now}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for worker in &mut workers {
        worker.kill().await.unwrap();
    }

    let revisions = numbers(&db, "SELECT DISTINCT organisation_revision FROM server").await;
    assert_eq!(revisions, [i64::try_from(saves).unwrap()], "every server has the newest revision");
    let moved = numbers(&db, "SELECT CAST(SUM(processed) AS BIGINT) FROM rollout").await[0];
    let told = numbers(&db, "SELECT revision FROM sequence").await[0] - before;
    assert_eq!(moved, told, "gateways were told of each server once for each rollout that moved it");
    let most =
        numbers(&db, "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM change GROUP BY server_id) AS counted")
            .await[0];
    assert!(most <= i64::try_from(saves).unwrap() + 1, "a server was moved {most} times by {saves} rollouts");
    let audit = installed.run(&["audit", "verify"]).await;
    assert!(audit.contains("form an unbroken chain"), "{audit}");
    eprintln!("{engine:?}: {kills} kills, {saves} saves, {moved} moves of {servers} servers");
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollouts_survive_kills_on_sqlite() {
    killed_in_the_middle(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollouts_survive_kills_on_postgres() {
    killed_in_the_middle(Engine::Postgres).await;
}
