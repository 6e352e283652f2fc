//! Documents from memory: as fast as memory, as true as the database.

use super::{SECRET, configure, gateway_key, header, seed, until};
use actix_web::dev::Service;
use futures_util::FutureExt;
use registry::{NewApiKey, ServerRef};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use reqwest::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Client, Engine, TestRegistry, TestServer, statements};

const DOCUMENT: &str = "/v1/gateway/servers/acme/linear";
const PROPAGATION_TIMEOUT: Duration = Duration::from_secs(1);

async fn secret(client: &Client) -> String {
    let document = client.get(DOCUMENT).await.expect(200).json();
    document["headers"]["X-Secret"].as_str().unwrap().to_owned()
}

/// On one thread, so that no other task queries the database between two requests.
#[actix_web::test]
async fn cached_document_needs_no_statement() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::following(engine).await;
        seed(&t.inner).await;
        let key = t.key(Role::Gateway, None).await;
        let app = actix_web::test::init_service(mcp_registry::app::build(t.parts())).await;
        let request = || {
            let request = actix_web::test::TestRequest::get().uri(DOCUMENT);
            request.insert_header(("x-portkey-api-key", key.as_str())).to_request()
        };
        // The first readings go on record; the key itself is a change that must be heard of before it is believed.
        until(PROPAGATION_TIMEOUT, async || {
            assert_eq!(actix_web::test::call_service(&app, request()).await.status(), 200);
            t.inner.registry.gateway().cached_document(&key, "acme/linear").is_some()
        })
        .await;
        let before = statements();
        for _ in 0..500 {
            let answer = app.call(request()).now_or_never().expect("at once, from memory");
            assert_eq!(answer.unwrap().status(), 200);
        }
        assert_eq!(statements() - before, 0, "{engine:?}");
        assert!(before > 0, "statements are counted");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cache_miss_is_loaded_once_for_concurrent_requests(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let gateway = t.client(Role::Gateway, None).await;
    secret(&gateway).await;
    configure(&t.inner.registry, "linear", &header("one")).await;
    until(PROPAGATION_TIMEOUT, async || secret(&gateway).await == "one").await;
    let before = statements();
    configure(&t.inner.registry, "linear", &header("two")).await;
    until(PROPAGATION_TIMEOUT, async || secret(&gateway).await == "two").await;
    let alone = statements() - before;
    let before = statements();
    configure(&t.inner.registry, "linear", &header("three")).await;
    let all = (0..50).map(|_| {
        let gateway = gateway.clone();
        tokio::spawn(async move { secret(&gateway).await })
    });
    for one in all.collect::<Vec<_>>() {
        assert_ne!(one.await.unwrap(), "one");
    }
    let crowded = statements() - before;
    assert!(crowded < alone + 100, "{crowded} statements, {alone} when nobody asks");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_is_visible_on_every_replica_and_never_reverts(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let replica = t.replica().await;
    let key = t.key(Role::Gateway, None).await;
    let clients = [Client::new(&t.url, &key), Client::new(&replica.url, &key)];
    for round in 0..10 {
        let value = format!("round {round}");
        configure(&t.inner.registry, "linear", &header(&value)).await;
        for client in &clients {
            until(PROPAGATION_TIMEOUT, async || secret(client).await == value).await;
            for _ in 0..20 {
                assert_eq!(secret(client).await, value, "it does not go back");
            }
        }
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_with_a_known_version_gets_nothing_older(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let replica = t.replica().await;
    let key = t.key(Role::Gateway, None).await;
    let (here, there) = (Client::new(&t.url, &key), Client::new(&replica.url, &key));
    secret(&there).await;
    let mut revision = 0;
    for round in 0..20 {
        let value = format!("round {round}");
        configure(&t.inner.registry, "linear", &header(&value)).await;
        revision = here.get("/v1/gateway/servers?page_size=500").await.expect(200).json()["revision"]
            .as_i64()
            .unwrap();
        let document = there.get(&format!("{DOCUMENT}?at_least={revision}")).await.expect(200).json();
        assert_eq!(document["headers"]["X-Secret"], value.as_str());
    }
    there.get(&format!("{DOCUMENT}?at_least={}", revision + 1_000)).await.expect(404);
    there.get(&format!("{DOCUMENT}?at_least=soon")).await.expect(400);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_key_is_refused_on_every_replica_within_a_second(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let replica = t.replica().await;
    let registry = &t.inner.registry;
    let (key, id) = gateway_key(registry, None).await;
    let clients = [Client::new(&t.url, &key), Client::new(&replica.url, &key)];
    for client in &clients {
        secret(client).await;
    }
    registry.api_keys().revoke(&registry.operator(), id, false).await.unwrap();
    for client in &clients {
        until(PROPAGATION_TIMEOUT, async || client.get(DOCUMENT).await.status == 401).await;
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_key_is_refused_by_the_cache(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let registry = &t.inner.registry;
    let expires_at = Some(registry.now() + chrono::Duration::hours(1));
    let new = NewApiKey {
        name: "short".into(),
        role: Role::Gateway,
        scopes: Vec::new(),
        workspace: None,
        expires_at,
        reason: None,
    };
    let key = registry.api_keys().create(&registry.operator(), new).await.unwrap().key;
    let gateway = t.with_token(&key);
    secret(&gateway).await;
    t.inner.clock.advance(chrono::Duration::minutes(61));
    gateway.get(DOCUMENT).await.expect(401);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cached_document_is_not_given_to_another_key(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    t.inner.workspace("other").await;
    secret(&t.client(Role::Gateway, None).await).await;
    secret(&t.client(Role::Gateway, Some("acme")).await).await;
    let other = t.client(Role::Gateway, Some("other")).await;
    for _ in 0..3 {
        other.get(DOCUMENT).await.expect(404);
    }
    // Nor is what holds no secret, although its reading leaves no record.
    t.inner.integration("plain", "https://mcp.plain.example/mcp", None).await;
    t.inner.server("plain", "acme").await;
    let (own, plain) = (t.client(Role::Gateway, Some("acme")).await, "/v1/gateway/servers/acme/plain");
    for _ in 0..3 {
        own.get(plain).await.expect(200);
        other.get(plain).await.expect(404);
    }
    for role in [Role::Admin, Role::Manager, Role::Viewer] {
        t.client(role, None).await.get(DOCUMENT).await.expect(403);
    }
    t.with_token("mcpr_000000000000000000000000000000000000").get(DOCUMENT).await.expect(401);
    t.anonymous().get(DOCUMENT).await.expect(401);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_content_coding_has_its_etag(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let key = t.key(Role::Gateway, None).await;
    // This one leaves codings alone.
    #[expect(clippy::disallowed_methods, reason = "tests are clients, on loopback only")]
    let raw = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = |coding: &str| {
        raw.get(format!("{}{DOCUMENT}", t.url)).bearer_auth(&key).header(ACCEPT_ENCODING, coding)
    };
    let plain = Client::send(ask("identity")).await.expect(200);
    let mut tags = vec![plain.header("etag").to_owned()];
    for (asked, given) in
        [("gzip, deflate", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0, gzip;q=0.5", "gzip")]
    {
        for _ in 0..2 {
            let response = ask(asked).send().await.unwrap();
            assert_eq!(response.headers()["content-encoding"], given, "{asked}");
            let tag = response.headers()["etag"].to_str().unwrap().to_owned();
            let coded = response.bytes().await.unwrap();
            assert_eq!(decoded(given, &coded), plain.text.as_bytes());
            let again = Client::send(ask(asked).header(IF_NONE_MATCH, &tag)).await.expect(304);
            assert_eq!((again.header("etag"), again.text.as_str()), (tag.as_str(), ""));
            Client::send(ask(asked).header(IF_NONE_MATCH, &tags[0])).await.expect(200);
            tags.push(tag);
        }
    }
    for nothing in ["identity", "*;q=0.1", "br;q=0", "deflate"] {
        let answer = Client::send(ask(nothing)).await.expect(200);
        assert_eq!(
            (answer.text.as_str(), answer.header("content-encoding")),
            (plain.text.as_str(), ""),
            "{nothing}"
        );
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3);
}

fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        "gzip" => std::io::copy(&mut flate2::read::GzDecoder::new(bytes), &mut plain),
        _ => std::io::copy(&mut brotli::Decompressor::new(bytes, 4096), &mut plain),
    }
    .unwrap();
    plain
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_server_document_has_only_a_reason(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let gateway = t.client(Role::Gateway, None).await;
    let admin = t.client(Role::Admin, None).await;
    secret(&gateway).await;
    let off = json!({ "workspaces": [{ "id": "acme", "enabled": false }] });
    admin.put("/v1/mcp-integrations/linear/workspaces", &off).await.expect(200);
    until(PROPAGATION_TIMEOUT, async || {
        gateway.get(DOCUMENT).await.expect(200).json()["status"] == "disabled"
    })
    .await;
    let document = gateway.get(DOCUMENT).await.expect(200);
    assert_eq!(document.json()["reason"], "access_disabled");
    assert!(!document.text.contains(SECRET) && document.json().get("client").is_none());
    let schema = t.anonymous().get("/docs/gateway-document.schema.json").await.expect(200).json();
    assert!(jsonschema::is_valid(&schema, &document.json()), "{}", document.text);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cache_memory_is_bounded_and_every_document_is_served(#[case] engine: Engine) {
    const ROOM: usize = 40_000;
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    t.inner.servers("linear", "acme", 40).await;
    let small = t.inner.second_process().await;
    let url = t.inner.database.url.clone();
    tokio::spawn({
        let small = small.clone();
        async move { small.gateway().watch(&url, ROOM, std::future::pending()).await }
    });
    until(PROPAGATION_TIMEOUT, async || small.gateway().is_watching()).await;
    let gateway = t.inner.actor(Role::Gateway, None).await;
    for round in 0..3 {
        for number in 0..40 {
            let name = format!("linear-{number}");
            let document = small.gateway().load_document(&gateway, "", ("acme", &name), 0).await.unwrap();
            let document: Value =
                serde_json::from_slice(&document.coded(registry::Coding::Identity).body).unwrap();
            assert_eq!(document["server"], name.as_str(), "{round}");
            let (_, bytes) = small.gateway().cached_documents();
            assert!(bytes <= ROOM + 5_000, "{bytes} bytes are held");
        }
    }
    assert!(small.gateway().cached_documents().0 > 5);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recreated_server_of_the_same_slug_is_another_server(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    let gateway = t.client(Role::Gateway, None).await;
    secret(&gateway).await;
    let server = ServerRef { server: Reference::parse("linear"), workspace: Some(Reference::parse("acme")) };
    t.inner.registry.servers().delete(&t.inner.admin(), &server, None).await.unwrap();
    until(PROPAGATION_TIMEOUT, async || gateway.get(DOCUMENT).await.status == 404).await;
    t.inner.integration("notion", "https://mcp.notion.com/mcp", Some(&header("another"))).await;
    let new = registry::NewServer {
        integration: Reference::parse("notion"),
        workspace: Some(Reference::parse("acme")),
        name: "Linear".into(),
        slug: Some("linear".into()),
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    t.inner.registry.servers().create(&t.inner.admin(), new).await.unwrap();
    assert_eq!(secret(&gateway).await, "another");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_listed_in_pages(#[case] engine: Engine) {
    let t = TestServer::following(engine).await;
    seed(&t.inner).await;
    t.inner.workspace("other").await;
    t.inner.servers("linear", "other", 7).await;
    let gateway = t.client(Role::Gateway, None).await;
    let admin = t.client(Role::Admin, None).await;
    let mut names = Vec::new();
    let (mut since, mut pages) = (0, 0);
    loop {
        let page =
            gateway.get(&format!("/v1/gateway/servers?page_size=3&since={since}")).await.expect(200).json();
        for document in page["data"].as_array().unwrap() {
            assert_eq!(document["headers"]["X-Secret"], SECRET);
            names.push(format!(
                "{}/{}",
                document["workspace"].as_str().unwrap(),
                document["server"].as_str().unwrap()
            ));
        }
        since = page["revision"].as_i64().unwrap();
        pages += 1;
        if page["has_more"] == false {
            break;
        }
    }
    assert!(pages >= 3);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8);
    let nothing = gateway.get(&format!("/v1/gateway/servers?since={since}")).await.expect(200).json();
    assert_eq!((&nothing["data"], &nothing["revision"]), (&json!([]), &json!(since)));
    admin.delete("/v1/mcp-servers/linear-3").await.expect(200);
    let other = gateway.get("/v1/gateway/servers?workspace=other").await.expect(200).json();
    assert_eq!(other["data"].as_array().unwrap().len(), 6);
    let bound = t.client(Role::Gateway, Some("acme")).await;
    assert_eq!(
        bound.get("/v1/gateway/servers").await.expect(200).json()["data"].as_array().unwrap().len(),
        1
    );
    bound.get("/v1/gateway/servers?workspace=other").await.expect(404);
    gateway.get("/v1/gateway/servers?page_size=0").await.expect(400);
    gateway.get("/v1/gateway/servers?page_size=501").await.expect(400);
    admin.get("/v1/gateway/servers").await.expect(403);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_reads_of_a_page_are_audited_in_one_statement(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    seed(&t.inner).await;
    for (workspace, count) in [("few", 2), ("many", 40)] {
        t.inner.workspace(workspace).await;
        t.inner.servers("linear", workspace, count).await;
    }
    let gateway = t.client(Role::Gateway, None).await;
    let admin = t.client(Role::Admin, None).await;
    let mut taken = Vec::new();
    for (workspace, count) in [("few", 2), ("many", 40)] {
        let before = statements();
        let page =
            gateway.get(&format!("/v1/gateway/servers?workspace={workspace}")).await.expect(200).json();
        taken.push(statements() - before);
        assert_eq!(page["data"].as_array().unwrap().len(), count);
    }
    // One for the event of each.
    assert!(taken[1] <= taken[0] + 38 + 5, "{taken:?}");
    let events =
        admin.get("/v1/audit-events?action=client_secret.read&page_size=100").await.expect(200).json();
    assert_eq!(events["total"], 42);
    gateway.get("/v1/gateway/servers").await.expect(200);
    let events =
        admin.get("/v1/audit-events?action=client_secret.read&page_size=100").await.expect(200).json();
    assert_eq!(events["total"], 43, "each once");
}

/// Readings from memory are counted, and the counts are written down when the process ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cached_reads_are_audited() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestRegistry::new(engine).await;
        seed(&t).await;
        let stop = tokio_util::sync::CancellationToken::new();
        let following = tokio::spawn({
            let (registry, url, stop) = (t.registry.clone(), t.database.url.clone(), stop.clone());
            async move { registry.gateway().watch(&url, 1 << 20, stop.cancelled_owned()).await }
        });
        until(PROPAGATION_TIMEOUT, async || t.registry.gateway().is_watching()).await;
        let (key, _) = gateway_key(&t.registry, None).await;
        let told = || registry::RequestContext::new(registry::Channel::Api);
        let mut loaded = 0;
        until(PROPAGATION_TIMEOUT, async || {
            // The key is itself a change: until it is processed, no key is authenticated from the cache.
            let gateway =
                t.registry.callers().authenticate(registry::Credential::Token(&key), told()).await.unwrap();
            t.registry.gateway().load_document(&gateway, &key, ("acme", "linear"), 0).await.unwrap();
            loaded += 1;
            t.registry.gateway().cached_document(&key, "acme/linear").is_some()
        })
        .await;
        for _ in 0..40 {
            assert!(t.registry.gateway().cached_document(&key, "acme/linear").is_some());
        }
        stop.cancel();
        following.await.unwrap();
        let filter = registry::AuditFilter { action: Some("client_secret.".into()), ..Default::default() };
        let events =
            t.registry.audit().events(&t.admin(), filter, registry::PageRequest::default()).await.unwrap();
        let told: Vec<_> = events.items.iter().map(|one| (one.action.as_str(), one.after.clone())).collect();
        assert!(told.iter().any(|(action, _)| *action == "client_secret.read"), "{told:?}");
        let again = told.iter().find(|(action, _)| *action == "client_secret.read_again").unwrap();
        // The first has its own entry.
        assert_eq!(again.1.as_ref().unwrap()["readings"], 41 + loaded - 1);
    }
}

/// What one request costs does not depend on how many servers there are.
#[actix_web::test]
async fn request_allocations_do_not_grow_with_cached_documents() {
    let mut spent = Vec::new();
    for count in [10, 1_000] {
        let t = TestServer::following(Engine::Sqlite).await;
        seed(&t.inner).await;
        t.inner.servers("linear", "acme", count).await;
        let key = t.key(Role::Gateway, None).await;
        let registry = &t.inner.registry;
        let gateway = t.inner.actor(Role::Gateway, None).await;
        for number in 0..count {
            registry
                .gateway()
                .load_document(&gateway, &key, ("acme", &format!("linear-{number}")), 0)
                .await
                .unwrap();
        }
        let app = actix_web::test::init_service(mcp_registry::app::build(t.parts())).await;
        let request = || {
            actix_web::test::TestRequest::get()
                .uri(&format!("/v1/gateway/servers/acme/linear-{}", count / 2))
                .insert_header(("x-portkey-api-key", key.as_str()))
                .to_request()
        };
        // The first takes the uncached path, with its audit entries.
        assert_eq!(actix_web::test::call_service(&app, request()).await.status(), 200);
        assert_eq!(registry.gateway().cached_documents().0, count);
        let next = request();
        let name = format!("acme/linear-{}", count / 2);
        let mut answer = None;
        let info = allocation_counter::measure(|| answer = app.call(next).now_or_never());
        assert_eq!(answer.expect("at once, from memory").unwrap().status(), 200);
        spent.push(info.count_total);
        let held = allocation_counter::measure(|| {
            assert!(registry.gateway().cached_document(&key, &name).is_some());
        });
        assert_eq!(held.count_total, 0, "memory is only read");
    }
    assert_eq!(spent[0], spent[1]);
    assert!(spent[0] < 20, "{} allocations", spent[0]);
}
