//! The registry's own look at MCP servers: what it stores, when it is due, and what hostile servers come to.

use chrono::TimeDelta;
use registry::{CapabilityPage, Error, IntegrationChange, KnownServerInfo, NewIntegration};
use registry_core::permission::Role;
use registry_core::registration::{AuthType, Transport};
use registry_core::server_info::SyncStatus;
use registry_core::slug::Reference;
use registry_sandbox::{Options, Quirks, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Answer, Engine, FakeUpstream, Received, TestRegistry, UpstreamScript};

const KEY: &str = "sesame-7431-open";

async fn sandbox(quirks: Quirks) -> Sandbox {
    Sandbox::start(Options { quirks, ..Options::default() }).await.unwrap()
}

async fn integration(t: &TestRegistry, url: &str, auth_type: AuthType, configuration: Option<Value>) {
    let new = NewIntegration {
        name: "notes".to_owned(),
        slug: Some("notes".to_owned()),
        description: None,
        url: url.to_owned(),
        auth_type,
        transport: Transport::Http,
        workspace: None,
        configuration: configuration.map(|one| one.to_string()),
        secret_mappings: Vec::new(),
    };
    t.registry.integrations().create(&t.admin(), new).await.unwrap();
}

fn notes() -> Reference {
    Reference::parse("notes")
}

async fn look(t: &TestRegistry) -> KnownServerInfo {
    t.registry.capabilities().look(&t.admin(), &notes()).await.unwrap()
}

async fn offered(t: &TestRegistry) -> CapabilityPage {
    t.registry.capabilities().of_integration(&t.admin(), &notes(), None, None).await.unwrap()
}

async fn names(t: &TestRegistry) -> Vec<String> {
    let page = offered(t).await.page;
    page.items.iter().map(|one| format!("{} {}", one.kind, one.key)).collect()
}

const ALL: [&str; 6] = [
    "tool read_note",
    "tool whoami",
    "tool write_note",
    "prompt summary",
    "resource notes://all",
    "resource_template notes://{number}",
];

fn sorted<T: ToString>(names: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    names.sort();
    names
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_stores_what_a_server_offers(#[case] engine: Engine) {
    for quirks in [
        Quirks { no_auth: true, ..Quirks::default() },
        Quirks { no_auth: true, event_streams: true, list_page_size: 1, ..Quirks::default() },
    ] {
        let t = TestRegistry::new(engine).await;
        let upstream = sandbox(quirks).await;
        integration(&t, &upstream.mcp_url(), AuthType::None, None).await;
        let known = look(&t).await;
        assert_eq!((known.status, &known.error), (SyncStatus::Synced, &None));
        assert_eq!(known.info.server_name.as_deref(), Some("registry-sandbox"));
        assert_eq!(known.info.protocol_version.as_deref(), Some("2025-11-25"));
        assert_eq!(known.info.instructions.as_deref(), Some("Ask for notes by their number."));
        assert_eq!(known.info.capability_flags.unwrap()["tools"], json!({ "listChanged": true }));
        assert_eq!(sorted(names(&t).await), sorted(ALL));
        let tool = offered(&t).await.page.items.into_iter().find(|one| one.key == "read_note").unwrap();
        assert_eq!(tool.definition["input_schema"]["type"], "object", "{:?}", tool.definition);
        upstream.stop().await;
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_sends_configured_headers_and_says_when_a_user_is_needed(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks =
        Quirks { no_auth: true, required_header: Some(format!("X-Key: {KEY}")), ..Quirks::default() };
    let upstream = sandbox(quirks).await;
    let configuration = |key: &str| json!({ "headers": { "X-Key": key } });
    integration(&t, &upstream.mcp_url(), AuthType::Headers, Some(configuration("wrong"))).await;
    let known = look(&t).await;
    assert_eq!((known.status, known.synced_at), (SyncStatus::Pending, None));
    assert!(known.error.unwrap().contains("users"));
    assert_eq!(offered(&t).await.page.total, 0);

    let set = |key: &str| registry_core::patch::Patch::Set(configuration(key).to_string());
    let change = IntegrationChange { configuration: set(KEY), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &notes(), change, None).await.unwrap();
    t.registry.integrations().test_connection(&t.admin(), &notes()).await.unwrap();
    assert_eq!(sorted(names(&t).await), sorted(ALL), "the test of the connection looks too");

    // What gateways see of a server that needs a user stays good.
    let change = IntegrationChange { auth_type: Some(AuthType::OauthAuto), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &notes(), change, None).await.unwrap();
    let asked = upstream.requests().len();
    assert_eq!(look(&t).await.status, SyncStatus::Synced);
    assert_eq!(upstream.requests().len(), asked, "nothing is sent where users sign in");

    let change = IntegrationChange { enabled: Some(false), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &notes(), change, None).await.unwrap();
    let refused = t.registry.capabilities().look(&t.admin(), &notes()).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { .. }), "{refused}");
    let viewer = t.actor(Role::Viewer, None).await;
    let refused = t.registry.capabilities().look(&viewer, &notes()).await.unwrap_err();
    assert!(matches!(refused, Error::Forbidden { .. }), "{refused}");
    upstream.stop().await;
}

/// An MCP server that answers each method by a function of the request.
async fn scripted(
    answer: impl Fn(&str, &Received, &mut UpstreamScript) -> Option<Value> + Send + Sync + 'static,
) -> FakeUpstream {
    FakeUpstream::start(|script| {
        script.route("POST /mcp", move |request, script| {
            let id = request.body["id"].clone();
            if id.is_null() {
                return Some(Answer::text(202, ""));
            }
            let result = answer(request.body["method"].as_str().unwrap_or_default(), request, script)?;
            let answer = Answer::json(200, &json!({ "jsonrpc": "2.0", "id": id, "result": result }));
            Some(answer.header("mcp-session-id", "s-1"))
        });
        script.fixed("DELETE /mcp", Answer::text(200, ""));
    })
    .await
}

fn hello() -> Value {
    json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": { "name": "odd" } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_servers_keep_what_can_be_read() {
    let endless = Arc::new(AtomicUsize::new(0));
    let pages = Arc::clone(&endless);
    let upstream = scripted(move |method, request, _| match method {
        "initialize" => Some(hello()),
        "tools/list" => {
            let page = pages.fetch_add(1, Ordering::SeqCst);
            let tools = [
                json!({ "name": format!("t{page}"), "odd": [1], "description": format!("knows {}", request.authorization.trim_start_matches("Bearer ")) }),
                json!(7),
                json!({ "title": "no name" }),
            ];
            Some(json!({ "tools": tools, "nextCursor": format!("c{page}") }))
        }
        _ => None,
    })
    .await;
    let t = TestRegistry::new(Engine::Sqlite).await;
    let configuration = json!({ "headers": { "Authorization": format!("Bearer {KEY}") } });
    integration(&t, &upstream.mcp_url(), AuthType::Headers, Some(configuration)).await;
    let known = look(&t).await;
    assert_eq!((known.status, known.info.server_name.as_deref()), (SyncStatus::Synced, Some("odd")));
    assert_eq!(endless.load(Ordering::SeqCst), 20, "pages without an end are ended");
    let page = offered(&t).await.page;
    assert_eq!(page.total, 20);
    for one in page.items {
        let text = one.definition["description"].as_str().unwrap();
        assert!(!text.contains(KEY) && one.definition["odd"] == json!([1]), "{text}");
    }
    let last = upstream.received().pop().unwrap();
    assert_eq!((last.method.as_str(), last.path.as_str()), ("DELETE", "/mcp"), "the session is ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_answers_fail_with_a_sentence() {
    let elsewhere = FakeUpstream::start(|_| {}).await;
    let target = elsewhere.mcp_url();
    let big = "x".repeat(3 * 1024 * 1024);
    let deep = format!("{{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let stream = |text: &str| Answer::new(200, "text/event-stream", text);
    let cases: Vec<(&str, Answer, &str)> = vec![
        ("a page", Answer::page(200, "Hello"), "no response"),
        ("no JSON", Answer::new(200, "application/json", "{"), "no response"),
        ("no object", Answer::json(200, &json!([1])), "no response"),
        (
            "another id",
            Answer::json(200, &json!({ "jsonrpc": "2.0", "id": "x", "result": hello() })),
            "no response",
        ),
        ("odd result", Answer::json(200, &json!({ "jsonrpc": "2.0", "id": 0, "result": 7 })), "no response"),
        (
            "error",
            Answer::json(200, &json!({ "jsonrpc": "2.0", "id": 0, "error": { "code": 1, "message": "m" } })),
            "initialize",
        ),
        ("too deep", Answer::new(200, "application/json", deep), "no response"),
        ("huge", Answer::new(200, "application/json", big.clone()), "more than"),
        ("huge stream", stream(&format!("data: {big}\n\n")), "more than"),
        ("empty stream", stream(": nothing\n\n"), "event stream"),
        ("404", Answer::text(404, ""), "answered 404"),
        ("redirect", Answer::text(307, "").header("location", &target), "answered 307"),
        (
            "cut",
            Answer::raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"),
            "could not be reached",
        ),
        ("nothing", Answer::raw(b""), "could not be reached"),
    ];
    let t = TestRegistry::new(Engine::Sqlite).await;
    let upstream = FakeUpstream::start(|_| {}).await;
    integration(&t, &upstream.mcp_url(), AuthType::None, None).await;
    for (name, answer, expected) in cases {
        upstream.change(|script| script.fixed("POST /mcp", answer));
        let known = look(&t).await;
        let said = known.error.unwrap_or_default();
        assert!(known.status == SyncStatus::Error && said.contains(expected), "{name}: {said}");
    }
    assert!(elsewhere.received().is_empty(), "a redirect is not followed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_needs_a_user_after_initialize_is_pending() {
    let upstream = scripted(|method, _, _| (method == "initialize").then(hello)).await;
    let t = TestRegistry::new(Engine::Sqlite).await;
    integration(&t, &upstream.mcp_url(), AuthType::None, None).await;
    assert_eq!(look(&t).await.status, SyncStatus::Pending, "the list is answered with 401");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integrations_are_looked_at_when_new_when_saved_and_once_a_day(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let upstream = sandbox(Quirks { no_auth: true, ..Quirks::default() }).await;
    let due = async || t.registry.capabilities().look_at_due("w").await.unwrap();
    t.integration("oauth", &upstream.mcp_url(), None).await;
    assert_eq!(due().await, 0, "users sign in there");
    integration(&t, &upstream.mcp_url(), AuthType::None, None).await;
    assert_eq!((due().await, due().await), (1, 0));
    assert_eq!(sorted(names(&t).await), sorted(ALL));
    let asked = upstream.requests().len();
    t.clock.advance(TimeDelta::hours(1));
    assert_eq!(due().await, 0);
    let change = IntegrationChange { name: Some("Notes".into()), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &notes(), change, None).await.unwrap();
    t.clock.advance(TimeDelta::seconds(1));
    let other = t.second_process().await;
    let (one, two) =
        tokio::join!(t.registry.capabilities().look_at_due("w1"), other.capabilities().look_at_due("w2"));
    assert_eq!(one.unwrap() + two.unwrap(), 1, "one of two workers looks");
    assert_eq!(due().await, 0);
    t.clock.advance(TimeDelta::minutes(22 * 60 + 59));
    assert_eq!(due().await, 0);
    t.clock.advance(TimeDelta::hours(3));
    assert_eq!((due().await, due().await), (1, 0), "once a day, within an hour");
    assert!(upstream.requests().len() > asked);
    upstream.stop().await;
}
