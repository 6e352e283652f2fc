//! The database is away: gateways get what was known last, and the truth as soon as it is back.

use super::until;
use registry_core::permission::Role;
use serde_json::json;
use std::time::{Duration, Instant};
use support::{Client, Engine, Installation, TcpGate, TestDatabase};

const DOCUMENT: &str = "/v1/gateway/servers/acme/linear";
/// How long the database is away.
const OUTAGE_DURATION: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateway_reads_survive_thirty_seconds_without_database() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let url = url::Url::parse(&database.url).unwrap();
    let gate = TcpGate::start(&format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))).await;
    let mut through = url.clone();
    through.set_host(Some("127.0.0.1")).unwrap();
    through.set_port(Some(gate.address.port())).unwrap();

    let installed = Installation::new(database);
    installed.run(&["migrate"]).await;
    let unseen = installed.key(Role::Gateway).await;
    let (admin, key) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let apart = installed.serve(&["--no-worker"]).await;
    let admin = Client::new(&apart.url, &admin);
    admin
        .given()
        .workspace("acme")
        .integration("linear", "https://mcp.linear.app/mcp")
        .with("auth_type", "headers")
        .with("configurations", json!({ "headers": { "X-Secret": "before" } }))
        .await;
    for slug in ["linear", "never-read"] {
        admin.given().server_of("linear", slug).await;
    }

    let installed = installed.with("DATABASE__URL", through.as_str());
    let serving = installed.serve(&["--no-worker"]).await;
    let gateway = Client::new(&serving.url, &key);
    gateway.get(DOCUMENT).await.expect(200);
    let known = gateway.get(DOCUMENT).await.expect(200);
    assert_eq!(known.header("registry-stale-since"), "");
    assert_eq!(gateway.get("/readyz").await.expect(200).json()["status"], "ready");

    gate.shut();
    let began = Instant::now();
    until(Duration::from_secs(5), async || {
        !gateway.get(DOCUMENT).await.expect(200).header("registry-stale-since").is_empty()
    })
    .await;
    let ready = gateway.get("/readyz").await.expect(200).json();
    assert_eq!(ready["status"], "degraded");
    assert!(ready["stale_since"].is_string());
    let missing = gateway.get("/v1/gateway/servers/acme/never-read").await.expect(503);
    assert!(!missing.text.contains("before"));
    // A key that was not seen before cannot be judged; it is not refused as wrong either.
    let other = Client::new(&serving.url, &unseen);
    other.get(DOCUMENT).await.expect(503);
    let mut readings = 0;
    while began.elapsed() < OUTAGE_DURATION {
        assert_eq!(gateway.get(DOCUMENT).await.expect(200).text, known.text);
        readings += 1;
    }
    // More than a thousand where nothing else runs; machines are busy.
    assert!(readings > 100, "{readings}");
    // What changes meanwhile, where the database can be reached:
    admin
        .put(
            "/v1/mcp-integrations/linear",
            &json!({ "configurations": { "headers": { "X-Secret": "after" } } }),
        )
        .await
        .expect(200);
    assert_eq!(gateway.get(DOCUMENT).await.expect(200).text, known.text);

    gate.open();
    let took = until(Duration::from_secs(1), async || {
        let told = gateway.get(DOCUMENT).await.expect(200);
        told.json()["headers"]["X-Secret"] == "after" && told.header("registry-stale-since").is_empty()
    })
    .await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    until(Duration::from_secs(2), async || gateway.get("/readyz").await.json()["status"] == "ready").await;
    gateway.get("/v1/gateway/servers/acme/never-read").await.expect(200);
    let log = serving.end().await;
    assert!(!log.contains("before") && !log.contains(&key), "no secret in the log");
}
