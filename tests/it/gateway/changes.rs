//! FollowerPermit what changes: everything once, in the order of commits, over every kind of interruption.

use super::{configure, gateway_key, header, seed, until};
use registry::{ChangeEvent, NewServer, ServerRef, WatchResult};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use reqwest::{Method, Response};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Client, Engine, TestRegistry, TestServer, follow};

const EVENT_TIMEOUT: Duration = Duration::from_mins(2);
const PROPAGATION_TIMEOUT: Duration = Duration::from_secs(1);

/// A stream of server-sent events, read one by one.
struct Events {
    response: Response,
    text: String,
}

/// One event.
#[derive(Debug)]
struct Event {
    id: i64,
    name: String,
    data: Value,
}

impl Events {
    async fn open(client: &Client, since: Option<i64>, last: Option<i64>) -> Self {
        let query = since.map(|since| format!("?since={since}")).unwrap_or_default();
        let mut request = client
            .request(Method::GET, &format!("/v1/gateway/changes{query}"))
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next block; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk =
                tokio::time::timeout(EVENT_TIMEOUT, self.response.chunk()).await.expect("a sign of life");
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {block}")).trim().to_owned()
            };
            let data = serde_json::from_str(&field("data:")).unwrap();
            return Some(Event { id: field("id:").parse().unwrap(), name: field("event:"), data });
        }
    }

    /// The next event, which has this name. Keys that a test made before may still be told of meanwhile.
    async fn expect(&mut self, name: &str) -> Event {
        let mut event = self.next().await.expect("an event");
        while event.name == "identities" && name != "identities" {
            event = self.next().await.expect("an event");
        }
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

async fn delete(t: &TestRegistry, workspace: &str, server: &str) {
    let server = ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
    t.registry.servers().delete(&t.admin(), &server, None).await.unwrap();
}

/// Many writers in two processes, watchers in both: each watcher sees every change once, in the order of commits.
async fn many_write_and_nobody_misses_anything(engine: Engine) {
    const WRITERS: usize = 8;
    const EACH: usize = 15;
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    for writer in 0..WRITERS {
        let slug = format!("service-{writer}");
        t.integration(&slug, &format!("https://mcp-{writer}.example.com/mcp"), None).await;
        t.server(&slug, "acme").await;
    }
    let second = t.second_process().await;
    for registry in [&t.registry, &second] {
        follow(registry, &t.database.url).await;
    }
    let gateway = t.actor(Role::Gateway, None).await;
    let start = t.registry.gateway().documents(&gateway, None, 0, 100).await.unwrap().revision;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let registry = if writer % 2 == 0 { t.registry.clone() } else { second.clone() };
        writers.push(tokio::spawn(async move {
            for round in 0..EACH {
                configure(&registry, &format!("service-{writer}"), &header(&format!("{writer}.{round}")))
                    .await;
            }
        }));
    }
    let last = start + i64::try_from(WRITERS * EACH).unwrap();
    let mut followers = Vec::new();
    for follower in 0..6 {
        let registry = if follower % 2 == 0 { t.registry.clone() } else { second.clone() };
        let gateway = gateway.clone();
        followers.push(tokio::spawn(async move {
            let (mut since, mut seen) = (start, Vec::new());
            let began = Instant::now();
            while since < last {
                assert!(began.elapsed() < EVENT_TIMEOUT, "{since} of {last}");
                // Some are impatient: they come back all the time.
                let wait = Duration::from_millis(follower * 50);
                let WatchResult::Changes { changes, revision } =
                    registry.gateway().watch_changes(&gateway, Some(since), wait).await.unwrap()
                else {
                    panic!("nothing was pruned")
                };
                assert!(revision >= since, "{since} then {revision}");
                for change in changes {
                    assert!(change.revision > since && change.revision <= revision);
                    if let ChangeEvent::Changed { server, .. } = &change.happening {
                        seen.push((change.revision, server.clone()));
                    }
                }
                since = revision;
            }
            seen
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let statement = format!(
        "SELECT change.revision AS revision, server.slug AS slug FROM change JOIN server ON server.id = change.server_id \
         WHERE change.revision > {start} ORDER BY change.revision"
    );
    let db = t.database.connect().await;
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), statement)).await.unwrap();
    let stored: Vec<(i64, String)> = rows
        .iter()
        .map(|row| (row.try_get("", "revision").unwrap(), row.try_get("", "slug").unwrap()))
        .collect();
    assert_eq!(stored.len(), WRITERS * EACH);
    for follower in followers {
        assert_eq!(follower.await.unwrap(), stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_miss_no_change_under_concurrent_writes_on_sqlite() {
    many_write_and_nobody_misses_anything(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_miss_no_change_under_concurrent_writes_on_postgres() {
    many_write_and_nobody_misses_anything(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poll_waits_for_a_change_and_continues_from_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        seed(&t.inner).await;
        let replica = t.replica().await;
        let gateway = Client::new(&replica.url, &t.key(Role::Gateway, None).await);
        let start = gateway.get("/v1/gateway/changes").await.expect(200).json();
        assert_eq!((&start["changes"], &start["reset"]), (&json!([]), &json!(false)));
        let mut revision = start["revision"].as_i64().unwrap();
        // The replica may still hear of what was seeded.
        loop {
            let more =
                gateway.get(&format!("/v1/gateway/changes?since={revision}&wait=0")).await.expect(200).json();
            if more["changes"] == json!([]) {
                break;
            }
            revision = more["revision"].as_i64().unwrap();
        }
        let waiting = tokio::spawn({
            let gateway = gateway.clone();
            async move { gateway.get(&format!("/v1/gateway/changes?since={revision}&wait=20")).await }
        });
        let began = Instant::now();
        configure(&t.inner.registry, "linear", &header("new")).await;
        let told = waiting.await.unwrap().expect(200).json();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let change = &told["changes"][0];
        assert_eq!(
            (&change["event"], &change["workspace"], &change["server"]),
            (&json!("changed"), &json!("acme"), &json!("linear"))
        );
        assert_eq!(told["revision"], change["revision"]);
        for bad in ["since=-1", "since=x", "since=1&wait=61"] {
            gateway.get(&format!("/v1/gateway/changes?{bad}")).await.expect(400);
        }
        t.client(Role::Admin, None).await.get("/v1/gateway/changes").await.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_stream_reports_changes_and_deletions() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        seed(&t.inner).await;
        let replica = t.replica().await;
        let gateway = Client::new(&replica.url, &t.key(Role::Gateway, None).await);
        let mut events = Events::open(&gateway, None, None).await;
        let start = events.expect("start").await;
        configure(&t.inner.registry, "linear", &header("a")).await;
        let changed = events.expect("changed").await;
        assert!(changed.id > start.id);
        assert_eq!(changed.data["server"], "linear");
        // Interrupted here: what comes meanwhile is told afterwards, once.
        drop(events);
        configure(&t.inner.registry, "linear", &header("b")).await;
        delete(&t.inner, "acme", "linear").await;
        let mut events = Events::open(&gateway, Some(0), Some(changed.id)).await;
        let mut told = Vec::new();
        loop {
            let event = events.next().await.unwrap();
            assert!(event.id > changed.id, "it was told before");
            told.push(event.name.clone());
            if event.name == "deleted" {
                assert_eq!(event.data["workspace"], "acme");
                break;
            }
        }
        assert_eq!(told.iter().filter(|name| *name == "deleted").count(), 1, "{told:?}");
        assert!(told.len() <= 2, "{told:?}");
        // Another of that name: a change, not an end.
        t.inner.server("linear", "acme").await;
        assert_eq!(events.expect("changed").await.data["server"], "linear");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watcher_of_one_workspace_sees_only_its_changes() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        seed(&t.inner).await;
        t.inner.workspace("other").await;
        let key = t.key(Role::Gateway, Some("acme")).await;
        let mut events = Events::open(&t.with_token(&key), None, None).await;
        events.expect("start").await;
        let new = NewServer {
            integration: Reference::parse("linear"),
            workspace: Some(Reference::parse("other")),
            name: "Hidden".into(),
            slug: Some("hidden".into()),
            description: None,
            configuration: None,
            secret_mappings: Vec::new(),
        };
        t.inner.registry.servers().create(&t.inner.admin(), new).await.unwrap();
        configure(&t.inner.registry, "linear", &header("a")).await;
        let event = events.expect("changed").await;
        assert_eq!((&event.data["workspace"], &event.data["server"]), (&json!("acme"), &json!("linear")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watcher_with_a_revoked_key_is_told_and_closed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        seed(&t.inner).await;
        let replica = t.replica().await;
        let (key, id) = gateway_key(&t.inner.registry, None).await;
        let other = t.key(Role::Gateway, None).await;
        let mut ended = Events::open(&Client::new(&replica.url, &key), None, None).await;
        ended.expect("start").await;
        let mut goes_on = Events::open(&Client::new(&replica.url, &other), None, None).await;
        goes_on.expect("start").await;
        let began = Instant::now();
        t.inner.registry.api_keys().revoke(&t.inner.admin(), id, false).await.unwrap();
        ended.expect("identities").await;
        while let Some(event) = ended.next().await {
            // The making of the keys, which this replica hears of late.
            assert_eq!(event.name, "identities");
        }
        assert!(began.elapsed() < PROPAGATION_TIMEOUT, "{:?}", began.elapsed());
        goes_on.expect("identities").await;
        configure(&t.inner.registry, "linear", &header("a")).await;
        goes_on.expect("changed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_watch_position_is_answered_with_a_reset() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::new(engine).await;
        seed(&t.inner).await;
        for round in 0..5 {
            configure(&t.inner.registry, "linear", &header(&round.to_string())).await;
        }
        let db = t.inner.database.connect().await;
        db.execute_unprepared("DELETE FROM change WHERE revision <= 3").await.unwrap();
        db.execute_unprepared(
            "INSERT INTO deployment (key, value, updated_at) VALUES ('changes.pruned', '3', 0)",
        )
        .await
        .unwrap();
        follow(&t.inner.registry, &t.inner.database.url).await;
        let gateway = t.client(Role::Gateway, None).await;
        let told = gateway.get("/v1/gateway/changes?since=2").await.expect(200).json();
        assert_eq!(told["reset"], true);
        let revision = told["revision"].as_i64().unwrap();
        let known = gateway.get("/v1/gateway/changes?since=3").await.expect(200).json();
        assert_eq!(
            (&known["reset"], known["changes"].as_array().unwrap().is_empty()),
            (&json!(false), false)
        );
        // A revision that was never given is of another database, or of this one before it was restored.
        let unknown =
            gateway.get(&format!("/v1/gateway/changes?since={}", revision + 1_000)).await.expect(200);
        assert_eq!(unknown.json()["reset"], true);
        let mut events = Events::open(&gateway, Some(2), None).await;
        assert_eq!(events.expect("reset").await.id, revision);
        configure(&t.inner.registry, "linear", &header("after")).await;
        assert!(events.expect("changed").await.id > revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_stream_sends_keepalives() {
    let t = TestServer::following(Engine::Sqlite).await;
    let gateway = t.client(Role::Gateway, None).await;
    let mut events = Events::open(&gateway, None, None).await;
    assert!(events.block().await.unwrap().starts_with("id:"));
    // The key of this very test is a change that may still come.
    let began = Instant::now();
    until(EVENT_TIMEOUT, async || events.block().await.unwrap().starts_with(':')).await;
    assert!(began.elapsed() < Duration::from_secs(17));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_closes_streams() {
    let t = TestServer::following(Engine::Sqlite).await;
    let gateway = t.client(Role::Gateway, None).await;
    let mut events = Events::open(&gateway, None, None).await;
    let start = events.expect("start").await.id;
    let poll = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.get(&format!("/v1/gateway/changes?since={start}&wait=60")).await }
    });
    let began = Instant::now();
    t.inner.registry.gateway().close();
    while events.block().await.is_some() {}
    poll.await.unwrap().expect(200);
    assert!(began.elapsed() < PROPAGATION_TIMEOUT, "{:?}", began.elapsed());
}

/// Old changes go in batches; the newest of each server stays, because it dates the server's document.
#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_changes_are_pruned_but_the_newest_of_each_server(#[case] engine: Engine) {
    /// What is kept for followers.
    const MAX_CHANGES: i64 = 200_000;
    let t = TestRegistry::new(engine).await;
    seed(&t).await;
    let db = t.database.connect().await;
    let number = async |sql: &str| -> i64 {
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    };
    let server = match engine {
        Engine::Sqlite => "randomblob(16)",
        Engine::Postgres => "gen_random_uuid()",
    };
    // Four servers that change in turn, one that changed once, and what is of no server.
    db.execute_unprepared("CREATE TABLE five (k BIGINT, id UUID)").await.unwrap();
    for k in 0..5 {
        db.execute_unprepared(&format!("INSERT INTO five VALUES ({k}, {server})")).await.unwrap();
    }
    let grow = async |from: i64, to: i64| {
        db.execute_unprepared(&format!(
            "WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) \
             INSERT INTO change (revision, kind, server_id, at) \
             SELECT n.i, CASE WHEN n.i % 7 = 0 THEN 'identity' ELSE 'server' END, \
             CASE WHEN n.i % 7 = 0 THEN NULL ELSE five.id END, 0 FROM n \
             JOIN five ON five.k = CASE WHEN n.i = 1002 THEN 4 ELSE n.i % 4 END"
        ))
        .await
        .unwrap();
        db.execute_unprepared(&format!("UPDATE sequence SET revision = {to}")).await.unwrap();
        // PostgreSQL does this by itself, sooner or later, and then chooses other plans.
        db.execute_unprepared("ANALYZE").await.unwrap();
    };
    db.execute_unprepared("DELETE FROM change").await.unwrap();
    grow(1, 230_000).await;
    t.registry.gateway().prune_changes().await.unwrap();
    let through = 230_000 - MAX_CHANGES;
    assert_eq!(number(&format!("SELECT COUNT(*) FROM change WHERE revision > {through}")).await, MAX_CHANGES);
    assert_eq!(number(&format!("SELECT COUNT(*) FROM change WHERE revision <= {through}")).await, 1);
    assert_eq!(number("SELECT MIN(revision) FROM change").await, 1002, "it dates a document");
    // The one server changes again: then the old row goes with the batch of the new one.
    db.execute_unprepared(
        "UPDATE change SET server_id = (SELECT id FROM five WHERE k = 4) WHERE revision = 230000",
    )
    .await
    .unwrap();
    grow(230_001, 460_000).await;
    t.registry.gateway().prune_changes().await.unwrap();
    let rest =
        number(&format!("SELECT COUNT(*) FROM change WHERE revision <= {}", 460_000 - MAX_CHANGES)).await;
    assert_eq!((rest, number("SELECT MIN(revision) FROM change").await), (1, 230_000));
}
