//! A database that becomes read-only while it is served, and writable again.

use futures_util::future::join_all;
use registry_core::permission::Role;
use reqwest::Method;
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use std::time::Duration;
use support::{Client, Cluster, Engine, Installation, Serving, TestDatabase, disk_shim};

async fn make(client: &Client, slug: &str) -> (u16, String) {
    let body = json!({ "name": slug, "slug": slug });
    let reply = Client::send(client.request(Method::POST, "/v1/workspaces").json(&body)).await;
    (reply.status.as_u16(), reply.text)
}

/// Until something holds, looked at again and again.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// What is asked of a process whose database `block` makes read-only and `heal` writable.
async fn notices_and_heals(
    serving: Serving,
    key: &str,
    mut block: impl AsyncFnMut(),
    mut heal: impl AsyncFnMut(),
) {
    let client = serving.client(key);
    let probe = serving.client("");
    let writable = async |expected: &str| {
        let metrics = probe.get("/metrics").await.expect(200).text;
        metrics.contains(&format!("\nmcp_registry_database_writable {expected}\n"))
    };
    assert_eq!(make(&client, "before").await.0, 200);
    assert!(writable("1").await);
    for round in 0..2 {
        block().await;
        until("a write is refused", async || make(&client, &format!("lost-{round}")).await.0 == 503).await;
        // Many at once, so that connections are opened meanwhile; reads work.
        for _ in 0..3 {
            let tries: Vec<_> = (0..8).map(|one| format!("refused-{round}-{one}")).collect();
            for (status, text) in join_all(tries.iter().map(|slug| make(&client, slug))).await {
                assert_eq!(status, 503, "{text}");
                assert!(text.contains("read-only") && text.contains("without a restart"), "{text}");
            }
            client.get("/v1/workspaces").await.expect(200);
        }
        let ready = probe.get("/readyz").await.expect(200).json();
        assert_eq!(ready["status"], "degraded");
        assert!(ready["reason"].as_str().unwrap().contains("cannot be written"), "{ready}");
        assert!(writable("0").await);

        heal().await;
        until("it is ready again", async || {
            probe.get("/readyz").await.expect(200).json()["status"] == "ready"
        })
        .await;
        let tries: Vec<_> = (0..24).map(|one| format!("after-{round}-{one}")).collect();
        for (status, text) in join_all(tries.iter().map(|slug| make(&client, slug))).await {
            assert_eq!(status, 200, "round {round}: {text}");
        }
        client.get(&format!("/v1/workspaces/refused-{round}-0")).await.expect(404);
        assert!(writable("1").await);
    }
    let log = serving.end().await;
    let said =
        log.lines().filter(|line| line.contains("ERROR") && line.contains("cannot be written")).count();
    assert_eq!(said, 2, "once for each time, not for each request: {log}");
    assert_eq!(log.matches("the database can be written again").count(), 2, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_disk_is_noticed_and_healed_from_on_sqlite() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let tools = tempfile::tempdir().unwrap();
    let flag = tools.path().join("read-only");
    let mut command = installed.command(&["serve", "--no-worker"]);
    command
        .env("LD_PRELOAD", disk_shim(tools.path()).await)
        .env("READ_ONLY_DISK", &flag)
        .env("READ_ONLY_FOLDER", installed.database.folder.path());
    let serving = Installation::listening(command).await;
    let block = async || std::fs::write(&flag, "").unwrap();
    let heal = async || std::fs::remove_file(&flag).unwrap();
    notices_and_heals(serving, &admin, block, heal).await;
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
}

/// As when a server becomes a standby, or a provider closes a disk that is nearly full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_server_is_noticed_and_healed_from_on_postgres() {
    let cluster = Cluster::start().await;
    let installed = Installation::new(TestDatabase::in_cluster(cluster.url()));
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let serving = installed.serve(&["--no-worker"]).await;
    let switch = async |value: &str| {
        // A separate session that may still write.
        let url = format!("{}?options[default_transaction_read_only]=off", cluster.url());
        let db = Database::connect(url).await.unwrap();
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        db.execute_unprepared(&set).await.unwrap();
        db.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
        db.close().await.unwrap();
    };
    notices_and_heals(serving, &admin, async || switch("on").await, async || switch("off").await).await;
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
}
