//! Lists from a replica (`database.read_url`), while it follows, falls behind and is gone.

use registry_core::permission::Role;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use support::{Client, Cluster, Installation, TestDatabase};

/// The lists that a replica answers, with what shows the second workspace and all in it.
const LISTS: [(&str, &str); 5] = [
    ("/v1/workspaces", "\"second\""),
    ("/v1/mcp-integrations", "\"second\""),
    ("/v1/mcp-servers", "\"second\""),
    ("/v1/registrations", "\"second\""),
    ("/v1/audit-events", "\"Second\""),
];

/// Until something holds, looked at again and again.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Those of [`LISTS`] that show the second workspace.
async fn shown(client: &Client) -> Vec<&'static str> {
    let mut shown = Vec::new();
    for (path, text) in LISTS {
        if client.get(path).await.expect(200).text.contains(text) {
            shown.push(path);
        }
    }
    shown
}

async fn create(client: &Client, slug: &str) {
    client
        .given()
        .workspace(slug)
        .integration(slug, &format!("https://{slug}.example/mcp"))
        .server(slug)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_from_the_replica_while_it_is_new_enough() {
    let primary = Cluster::start().await;
    let standby = primary.start_standby().await;
    let installed =
        Installation::new(TestDatabase::in_cluster(primary.url())).with("DATABASE__READ_URL", &standby.url());
    installed.run(&["migrate"]).await;
    let (writer, reader) = (installed.key(Role::Admin).await, installed.key(Role::Admin).await);
    let serving = installed.serve(&["--no-worker"]).await;
    let (writer, reader, probe) = (serving.client(&writer), serving.client(&reader), serving.client(""));
    let used = async |expected: &str| {
        let metrics = probe.get("/metrics").await.expect(200).text;
        metrics.contains(&format!("\nmcp_registry_database_replica_used {expected}\n"))
    };
    let every: Vec<_> = LISTS.iter().map(|(path, _)| *path).collect();
    until("the replica is used", async || used("1").await).await;
    create(&writer, "first").await;

    // It follows no more, and is still new enough: a caller who changed nothing reads there.
    standby.execute("SELECT pg_wal_replay_pause()").await;
    standby.until("SELECT (pg_get_wal_replay_pause_state() = 'paused')::text").await;
    create(&writer, "second").await;
    assert_eq!(shown(&reader).await, [""; 0]);
    assert_eq!(shown(&writer).await, every, "callers see what they changed");
    assert!(used("1").await);
    // Then it is too far behind.
    until("the reader sees it", async || shown(&reader).await == every).await;
    assert!(used("0").await);
    assert_eq!(shown(&writer).await, every);

    standby.execute("SELECT pg_wal_replay_resume()").await;
    until("the replica is used again", async || used("1").await).await;
    assert_eq!(shown(&reader).await, every);
    // With the standby gone no write would end: the primary waits for it.
    primary.execute("ALTER SYSTEM RESET synchronous_standby_names").await;
    primary.execute("SELECT pg_reload_conf()").await;
    standby.signal_every_process(Signal::KILL);
    until("the loss is noticed", async || {
        assert_eq!(shown(&reader).await, every, "the primary answers");
        used("0").await
    })
    .await;
    writer.post("/v1/workspaces", &json!({ "name": "Third", "slug": "third" })).await.expect(200);
    assert!(reader.get("/v1/workspaces").await.expect(200).text.contains("\"third\""));

    let log = serving.end().await;
    let told = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(told("lists are read from the replica"), 2, "{log}");
    assert_eq!(told("lists are read from the primary"), 2, "{log}");
}
