//! What one workspace, one hostile path or one hostile answer does to others: nothing, or for minutes.

use super::{Working, advance, registration_in, registration_when, upstream};
use chrono::Duration as Span;
use registry::{
    NewIntegration, NewServer, OrphanFilter, PageRequest, PreflightOverrides, Registration,
    RegistrationFilter, ServerRef, Settings,
};
use registry_core::permission::Role;
use registry_core::registration::{AuthType, State, Transport};
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::{Options, Quirks, Refusal, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Engine, TestRegistry};

const FOR_EVER: &str = "18446744073709551615";

async fn started(host: &str, quirks: Quirks) -> Sandbox {
    Sandbox::start(Options { quirks, host: host.to_owned(), ..Options::default() }).await.unwrap()
}

/// The registration of one server, once `done` says so of it.
async fn when(
    t: &TestRegistry,
    workspace: &str,
    server: &str,
    done: impl Fn(&Registration) -> bool,
) -> Registration {
    let mut seen = None;
    let found = tokio::time::timeout(std::time::Duration::from_secs(15), async {
        loop {
            let filter = RegistrationFilter { states: State::ALL.to_vec(), ..RegistrationFilter::default() };
            let all = t
                .registry
                .registrations()
                .list(&t.admin(), filter, PageRequest::default())
                .await
                .unwrap()
                .items;
            let one = all
                .into_iter()
                .find(|one| one.workspace.slug.as_str() == workspace && one.server_slug.as_str() == server);
            if let Some(one) = one {
                if done(&one) {
                    return one;
                }
                seen = Some(one);
            }
            t.registry.wait_for_commit(std::time::Duration::from_millis(50)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("it never came to that; last seen: {seen:#?}"))
}

async fn server(t: &TestRegistry, integration: &str, workspace: &str, slug: &str) {
    let new = NewServer {
        integration: Reference::parse(integration),
        workspace: Some(Reference::parse(workspace)),
        name: slug.to_owned(),
        slug: Some(slug.to_owned()),
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    t.registry.servers().create(&t.admin(), new).await.unwrap();
}

fn wait(registration: &Registration, t: &TestRegistry) -> Span {
    registration.not_before.map_or(Span::zero(), |until| until - t.registry.now())
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_pause_of_one_issuer_delays_no_other(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let victim = started("127.0.0.1", Quirks::default()).await;
    let attacker = started(
        "127.0.0.2",
        Quirks { rate_limited_requests: u32::MAX, retry_after: Some(FOR_EVER.into()), ..Quirks::default() },
    )
    .await;
    for workspace in ["hostile", "acme"] {
        t.workspace(workspace).await;
    }
    let manager = t.actor(Role::Manager, Some("hostile")).await;
    let claims = json!({ "oauth_client_metadata": {
        "issuer": victim.issuer(), "authorization_endpoint": format!("{}/authorize", victim.origin()),
        "token_endpoint": format!("{}/token", victim.origin()), "registration_endpoint": format!("{}/register", attacker.origin()),
    } });
    let new = NewIntegration {
        name: "Own".into(),
        slug: Some("own".into()),
        description: None,
        url: attacker.mcp_url(),
        auth_type: AuthType::OauthAuto,
        transport: Transport::Http,
        workspace: Some(Reference::parse("hostile")),
        configuration: Some(claims.to_string()),
        secret_mappings: Vec::new(),
    };
    t.registry.integrations().create(&manager, new).await.unwrap();
    server(&t, "own", "hostile", "own").await;
    let worker = Working::start(&t.registry, Limits::default());
    let held = when(&t, "hostile", "own", |one| one.state == State::Retrying).await;
    assert_eq!(held.reason.as_deref(), Some("rate_limited"));
    assert!(wait(&held, &t) > Span::hours(23), "it waits as long as it was asked to");
    // Without moving the clock: an issuer that was only named is asked immediately.
    t.integration("shared", &victim.mcp_url(), None).await;
    server(&t, "shared", "acme", "shared").await;
    when(&t, "acme", "shared", |one| one.state == State::Registered).await;
    t.registry
        .preflight()
        .run(&t.admin(), &Reference::parse("shared"), PreflightOverrides::default())
        .await
        .unwrap();
    worker.stop().await;
    attacker.stop().await;
    victim.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pause_of_one_path_ends_for_its_siblings_within_minutes(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let busy = Quirks { rate_limited_requests: 1, retry_after: Some(FOR_EVER.into()), ..Quirks::default() };
    let sandbox = upstream(&t, busy, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let held = when(&t, "acme", "linear", |one| one.state == State::Retrying).await;
    assert!(wait(&held, &t) > Span::hours(23));
    // Its sibling in the same workspace waits for a quarter of an hour, another workspace's for two minutes.
    t.workspace("other").await;
    server(&t, "linear", "acme", "sibling").await;
    server(&t, "linear", "other", "foreign").await;
    for (workspace, slug) in [("acme", "sibling"), ("other", "foreign")] {
        let waiting = when(&t, workspace, slug, |one| one.reason.as_deref() == Some("waiting_turn")).await;
        assert_eq!(waiting.state, State::Queued);
    }
    advance(&t, Span::minutes(3)).await;
    when(&t, "other", "foreign", |one| one.state == State::Registered).await;
    assert_eq!(when(&t, "acme", "sibling", |_| true).await.state, State::Queued);
    advance(&t, Span::minutes(13)).await;
    when(&t, "acme", "sibling", |one| one.state == State::Registered).await;
    assert_eq!(when(&t, "acme", "linear", |_| true).await.state, State::Retrying);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_pauses_of_one_workspace_do_not_delay_others(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let busy = Quirks { rate_limited_requests: 3, retry_after: Some(FOR_EVER.into()), ..Quirks::default() };
    let sandbox = upstream(&t, busy, None).await;
    for slug in ["two", "three"] {
        server(&t, "linear", "acme", slug).await;
    }
    let worker = Working::start(&t.registry, Limits::default());
    when(&t, "acme", "linear", |one| {
        one.state == State::Retrying || one.reason.as_deref() == Some("waiting_turn")
    })
    .await;
    t.workspace("other").await;
    sandbox.set_quirks(Quirks::default());
    server(&t, "linear", "other", "foreign").await;
    when(&t, "other", "foreign", |one| one.reason.as_deref() == Some("waiting_turn")).await;
    advance(&t, Span::minutes(3)).await;
    when(&t, "other", "foreign", |one| one.state == State::Registered).await;
    worker.stop().await;
    sandbox.stop().await;
}

fn the_server() -> ServerRef {
    ServerRef { server: Reference::parse("linear"), workspace: Some(Reference::parse("acme")) }
}

/// The only entry of the ledger, after the server was deleted: its reason and its words.
async fn ledger_after_deletion(t: &TestRegistry) -> (String, String) {
    t.registry.servers().delete(&t.admin(), &the_server(), None).await.unwrap();
    registration_in(t, State::Withdrawn).await;
    let ledger =
        t.registry.orphans().list(&t.admin(), OrphanFilter::default(), PageRequest::default()).await.unwrap();
    let [entry] = ledger.items.as_slice() else { panic!("{ledger:?}") };
    (entry.reason.clone(), entry.detail.clone())
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn management_address_on_another_origin_is_not_used(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let elsewhere = started("127.0.0.2", Quirks::default()).await;
    let quirks = Quirks { management_origin: Some(elsewhere.origin().to_owned()), ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    assert!(
        detail.clients[0]
            .warnings
            .iter()
            .any(|one| one.contains("management address") && one.contains(elsewhere.origin())),
        "{detail:#?}"
    );
    let (reason, words) = ledger_after_deletion(&t).await;
    worker.stop().await;
    assert_eq!(reason, "management_elsewhere");
    assert!(words.contains(elsewhere.origin()), "{words}");
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    sandbox.stop().await;
    elsewhere.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_management_address_is_checked_at_use(#[case] engine: Engine) {
    use sea_orm::ConnectionTrait;
    let t = TestRegistry::new(engine).await;
    let elsewhere = started("127.0.0.2", Quirks::default()).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    let statement =
        format!("UPDATE oauth_client SET registration_client_uri = '{}/steal'", elsewhere.origin());
    t.database.connect().await.execute_unprepared(&statement).await.unwrap();
    let (reason, _) = ledger_after_deletion(&t).await;
    worker.stop().await;
    assert_eq!(reason, "management_elsewhere");
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    sandbox.stop().await;
    elsewhere.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_members_of_an_answer_reach_no_gateway(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let ours = "http://localhost:8787/oauth/upstream-callback";
    let replaced = json!({
        "redirect_uris": ["https://evil.example/cb", ours], "policy_uri": "javascript:alert(1)", "logo_uri": "data:image/png;base64,x",
        "client_name": "Good\u{202e}\u{1b}[31m\u{0}\u{200b} name", "x_link_uri": "vbscript:x", "scope": "mcp:read\u{7}",
    });
    let Value::Object(replace_members) = replaced else { unreachable!() };
    let sandbox = upstream(&t, Quirks { replace_members, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_when(&t, |detail| detail.registration.state == State::Registered).await;
    worker.stop().await;
    let gateway = t.actor(Role::Gateway, None).await;
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let text = String::from_utf8(document.body.to_vec()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["client"]["redirect_uris"], json!([ours]), "{document:#}");
    for hostile in [
        "evil.example",
        "javascript:",
        "data:image",
        "vbscript:",
        "\u{202e}",
        "\\u001b",
        "\\u0000",
        "\u{200b}",
    ] {
        assert!(!text.contains(hostile), "{hostile:?}: {document:#}");
    }
    let warnings = detail.clients[0].warnings.join("\n");
    for said in ["not requested", "`policy_uri`", "`client_name`"] {
        assert!(warnings.contains(said), "{said}: {warnings}");
    }
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_server_does_not_lead_the_worker_inside(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let engine = t.database.engine;
    drop(t);
    let egress =
        serde_json::from_value(json!({ "allow": ["10.0.0.0/8"], "allow_http_loopback": true })).unwrap();
    let t = TestRegistry::with(engine, Settings { egress, ..Settings::default() }).await;
    let quirks =
        Quirks { registration_endpoint: Some("https://10.1.2.3/register".into()), ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    worker.stop().await;
    assert_eq!(failed.registration.reason.as_deref(), Some("address_blocked"));
    assert!(failed.registration.detail.unwrap().contains("only for integrations"));
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encoded_secrets_repeated_by_an_upstream_are_not_stored(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let token = "iat-canary-7Qx2Zk9Lm";
    let writings = [
        token,
        "%69%61%74%2d%63%61%6e%61%72%79%2d%37%51%78%32%5a%6b%39%4c%6d",
        "i a t - c a n a r y - 7 Q x 2 Z k 9 L m",
        "QmVhcmVyIGlhdC1jYW5hcnktN1F4MlprOUxt",
        "eHlpYXQtY2FuYXJ5LTdReDJaazlMbQ",
        "6961742d63616e6172792d375178325a6b394c6d",
    ];
    let replace_members =
        writings.iter().enumerate().map(|(number, text)| (format!("note_{number}"), json!(text))).collect();
    let quirks = Quirks { initial_access_token: Some(token.into()), replace_members, ..Quirks::default() };
    let text = json!({ "registration": { "initial_access_token": token } }).to_string();
    let sandbox = upstream(&t, quirks.clone(), Some(&text)).await;
    let worker = Working::start(&t.registry, Limits::default());
    let done = registration_in(&t, State::Registered).await;
    let gateway = t.actor(Role::Gateway, None).await;
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let document = String::from_utf8(document.body.to_vec()).unwrap();
    assert!(done.clients[0].warnings.iter().any(|one| one.contains("repeats a secret")), "{done:#?}");
    let refusal = Refusal { description: Some(writings.join(" / ")), ..Refusal::new(403, "access_denied") };
    sandbox.set_quirks(Quirks { registration_refusal: Some(refusal), ..quirks });
    t.registry.registrations().reregister(&t.admin(), done.registration.id).await.unwrap();
    let refused = registration_when(&t, |detail| {
        detail.attempts[0].reason.as_deref() == Some("registration_not_allowed")
    })
    .await;
    worker.stop().await;
    for shown in [format!("{done:?}"), document, format!("{refused:?}")] {
        for written in writings {
            assert!(!shown.contains(written), "{written}: {shown}");
        }
    }
    sandbox.stop().await;
}
