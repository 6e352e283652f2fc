//! What gateways say back, over HTTP: idempotent, cheap, and not too often.

use super::seed;
use crate::worker::Working;
use registry_core::permission::Role;
use registry_outbound::Limits;
use registry_sandbox::{Options, Sandbox};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use std::time::{Duration, Instant};
use support::{Engine, TestServer};

const ENSURE: &str = "/v1/gateway/servers/acme/linear/ensure";
const REPORT: &str = "/v1/gateway/servers/acme/linear/report";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_for_one_server_start_one_registration() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        seed(&t.inner).await;
        let wanted = async || {
            let db = t.inner.database.connect().await;
            let statement =
                Statement::from_string(db.get_database_backend(), "SELECT wanted FROM registration");
            db.query_one_raw(statement).await.unwrap().unwrap().try_get::<i64>("", "wanted").unwrap()
        };
        let before = wanted().await;
        let gateway = t.client(Role::Gateway, None).await;
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let gateway = gateway.clone();
                tokio::spawn(async move { gateway.post(ENSURE, &json!({ "wait": 0 })).await })
            })
            .collect();
        for one in asking {
            let told = one.await.unwrap().expect(202);
            assert_eq!(told.json()["state"], "queued");
            assert!(told.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
        assert!(wanted().await <= before + 1, "{} after {before}", wanted().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frequent_requests_are_answered_with_retry_after() {
    let t = TestServer::following(Engine::Sqlite).await;
    seed(&t.inner).await;
    let gateway = t.client(Role::Gateway, None).await;
    let report = json!({ "generation": 1, "error": "invalid_client" });
    let mut heard = 0;
    let refused = loop {
        let told = gateway.post(REPORT, &report).await;
        if told.status != 200 {
            break told.expect(429);
        }
        assert_eq!(told.json()["verdict"], "stale");
        heard += 1;
    };
    assert_eq!(heard, 100);
    assert_eq!(refused.header("retry-after"), "2");
    assert!(refused.json()["detail"].as_str().unwrap().contains("Try again in"), "{}", refused.text);
    // Another gateway is heard, and documents are given out as before.
    t.client(Role::Gateway, None).await.post(REPORT, &report).await.expect(200);
    gateway.get("/v1/gateway/servers/acme/linear").await.expect(200);
    t.inner.clock.advance(chrono::Duration::seconds(2));
    gateway.post(REPORT, &report).await.expect(200);
}

/// A caller that waits for a client is told at the commit, also when another process commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_ends_when_the_client_is_registered() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        t.inner.workspace("acme").await;
        t.inner.integration("linear", &sandbox.mcp_url(), None).await;
        t.inner.server("linear", "acme").await;
        let second = t.inner.second_process().await;
        let gateway = t.client(Role::Gateway, None).await;
        gateway.post(ENSURE, &json!({ "wait": 0 })).await.expect(202);
        let waiting = tokio::spawn({
            let gateway = gateway.clone();
            async move { gateway.post(ENSURE, &json!({ "wait": 20 })).await }
        });
        let began = Instant::now();
        let working = Working::start(&second, Limits::default());
        let document = waiting.await.unwrap().expect(200).json();
        assert_eq!(document["registration"]["state"], "registered");
        assert!(document["client"]["client_id"].is_string());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let schema = t.anonymous().get("/docs/gateway-document.schema.json").await.expect(200).json();
        let wrong: Vec<_> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&document)
            .map(|one| one.to_string())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let mut broken = document.clone();
        broken["client"]["client_id"] = json!(null);
        assert!(!jsonschema::is_valid(&schema, &broken), "the schema says what a client is");
        working.stop().await;
    }
}
