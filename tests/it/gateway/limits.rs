//! What one gateway's key may ask of the database and of the listener.

use super::{configure, seed, until};
use registry::{AuditFilter, Error, PageRequest, RequestLimits, Settings};
use registry_core::permission::Role;
use reqwest::Method;
use std::time::Duration;
use support::{Client, Engine, TestRegistry, TestServer, follow};

/// Longer than every wait of these tests.
const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

async fn following(engine: Engine, limits: RequestLimits) -> TestServer {
    let settings = Settings { limits, ..TestRegistry::new(engine).await.settings.clone() };
    let t = TestServer::over(TestRegistry::with(engine, settings).await);
    seed(&t.inner).await;
    follow(&t.inner.registry, &t.inner.database.url).await;
    t
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limit_counts_uncached_documents_only() {
    let t = following(Engine::Sqlite, RequestLimits::default()).await;
    let (one, other) = (t.client(Role::Gateway, None).await, t.client(Role::Gateway, None).await);
    let document = "/v1/gateway/servers/acme/linear";
    until(WAIT_TIMEOUT, async || {
        one.get(document).await.expect(200);
        t.inner.registry.gateway().cached_documents().0 == 1
    })
    .await;
    let pages = async || one.get("/v1/gateway/servers?page_size=1").await;
    let mut heard = 0;
    let refused = loop {
        let told = pages().await;
        if told.status == 429 {
            break told;
        }
        heard += 1;
        assert!(heard <= 1_000, "no limit");
    };
    assert!(heard >= 400, "{heard}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json()["code"], "too_many_requests");
    // What is not cached: an unknown server, a generation.
    let actor = t.inner.actor(Role::Gateway, None).await;
    let mut heard = 0;
    let refused = loop {
        match t.inner.registry.gateway().load_document(&actor, "unknown", ("acme", "nothing"), 0).await {
            Err(Error::NotFound { .. }) => heard += 1,
            Err(other) => break other,
            Ok(_) => panic!("there is none"),
        }
        assert!(heard <= 4_000, "no limit");
    };
    assert!(matches!(refused, Error::TooManyRequests { .. }) && heard >= 2_000, "{heard}: {refused}");
    let refused = t.inner.registry.gateway().document_of(&actor, "acme", "linear", Some(1)).await;
    assert!(matches!(refused, Err(Error::TooManyRequests { .. })));
    // Others, and what is in memory, are answered all the same.
    t.inner.registry.gateway().load_document(&actor, "unknown", ("acme", "linear"), 0).await.unwrap();
    other.get(document).await.expect(200);
    one.get(document).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_uncached_reads_are_counted_in_the_audit_log() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestRegistry::new(engine).await;
        seed(&t).await;
        let stop = tokio_util::sync::CancellationToken::new();
        let following = tokio::spawn({
            let (registry, url, stop) = (t.registry.clone(), t.database.url.clone(), stop.clone());
            async move { registry.gateway().watch(&url, 1 << 20, stop.cancelled_owned()).await }
        });
        until(WAIT_TIMEOUT, async || t.registry.gateway().is_watching()).await;
        let gateway = t.actor(Role::Gateway, None).await;
        for _ in 0..7 {
            t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
        }
        for _ in 0..5 {
            t.registry.gateway().documents(&gateway, None, 0, 100).await.unwrap();
        }
        stop.cancel();
        following.await.unwrap();
        let filter = AuditFilter { action: Some("client_secret.".into()), ..AuditFilter::default() };
        let events = t.registry.audit().events(&t.admin(), filter, PageRequest::default()).await.unwrap();
        let of = |action: &str| events.items.iter().filter(|one| one.action == action).collect::<Vec<_>>();
        assert_eq!(of("client_secret.read").len(), 1);
        let again: Vec<_> = of("client_secret.read_again");
        let counted: u64 =
            again.iter().map(|one| one.after.as_ref().unwrap()["readings"].as_u64().unwrap()).sum();
        assert_eq!(counted, 11, "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_has_a_limit_of_concurrent_watches() {
    let t = following(Engine::Sqlite, RequestLimits { max_watchers: 3, ..RequestLimits::default() }).await;
    let (one, other) = (t.client(Role::Gateway, None).await, t.client(Role::Gateway, None).await);
    let stream = |who: &Client| {
        let request = who.request(Method::GET, "/v1/gateway/changes").header("accept", "text/event-stream");
        async move { request.send().await.unwrap() }
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(stream(&one).await);
    }
    assert!(held.iter().all(|answer| answer.status() == 200));
    let refused = stream(&one).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "5"));
    one.get("/v1/gateway/changes?since=0&wait=0").await.expect(429);
    one.get("/v1/gateway/servers/acme/linear").await.expect(200);
    assert_eq!(stream(&other).await.status(), 200, "another key has its own");
    held.pop();
    // A stream that is no longer read is closed when an event cannot be sent.
    let mut number = 0;
    until(Duration::from_secs(40), async || {
        number += 1;
        let name = format!("Name {number}");
        let text = serde_json::json!({ "oauth_client_metadata": { "client_name": name } }).to_string();
        configure(&t.inner.registry, "linear", &text).await;
        one.get("/v1/gateway/changes?since=0&wait=0").await.status == 200
    })
    .await;
}
