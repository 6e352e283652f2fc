//! What becomes of a client: updated, replaced, renewed, drained, withdrawn, published.

use super::{Working, advance, registration_in, registration_when, upstream};
use chrono::Duration as Span;
use registry::{
    AccessChange, AccessUpdate, Affected, Check, ClientCredentials, ConfigurationScope, OrphanFilter,
    PageRequest, ServerRef, Settings,
};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::AttemptOutcome;
use registry_core::registration::AttemptStep;
use registry_core::registration::{ClientStatus, RegistrationMethod, State};
use registry_core::secret::Secret;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::{Options, Quirks, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Engine, TestRegistry, TestServer};

/// A gateway has the client, so that replacing it costs people their consent.
async fn fetched(t: &TestRegistry) -> Value {
    let gateway = t.actor(Role::Gateway, None).await;
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    serde_json::from_slice(&document.body).unwrap()
}

/// Saves the integration's Advanced Configuration.
async fn configure(t: &TestRegistry, text: &str) -> Affected {
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    t.registry
        .configurations()
        .set(&t.admin(), &subject, Some(text.to_owned()), None, None)
        .await
        .unwrap()
        .affected
}

fn named(name: &str) -> String {
    json!({ "oauth_client_metadata": { "client_name": name } }).to_string()
}

fn the_server() -> ServerRef {
    ServerRef { server: Reference::parse("linear"), workspace: Some(Reference::parse("acme")) }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_updates_a_manageable_client_in_place_with_rotated_secrets(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks {
        rotate_registration_access_token: true,
        rotate_secret: true,
        accepted_auth_methods: Some(vec!["client_secret_post".into()]),
        auth_methods_supported: Some(vec!["client_secret_post".into()]),
        omit_management_members: vec!["client_name".into(), "redirect_uris".into()],
        ..Quirks::default()
    };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let (client_id, secret) =
        (first.registration.client_id.clone().unwrap(), fetched(&t).await["client"]["client_secret"].clone());
    for name in ["One", "Two"] {
        let check = Check {
            subject: Some(ConfigurationScope::Integration(Reference::parse("linear"))),
            text: named(name),
            preview: None,
        };
        let said = t.registry.configurations().check(&t.admin(), check).await.unwrap().affected;
        assert_eq!((said.updated, said.replaced, said.asked), (1, 0, 0), "said before");
        assert_eq!(configure(&t, &named(name)).await.updated, 1);
        registration_when(&t, |detail| {
            detail.registration.state == State::Registered
                && detail.clients[0].response["client_name"] == name
        })
        .await;
        assert_eq!(sandbox.client(&client_id).unwrap().metadata["client_name"], name);
    }
    let document = fetched(&t).await;
    worker.stop().await;
    assert_eq!((&document["generation"], &document["client"]["client_id"]), (&json!(1), &json!(client_id)));
    assert_eq!(document["client"]["client_name"], "Two", "what the answer left out is as it was asked for");
    assert_ne!(document["client"]["client_secret"], secret);
    assert_eq!(document["client"]["client_secret"].as_str(), sandbox.client(&client_id).unwrap().secret());
    assert_eq!(sandbox.registrations().len(), 1);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_update_waits_for_approval(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    fetched(&t).await;
    sandbox
        .set_quirks(Quirks { redirect_hosts: Some(vec!["elsewhere.example".into()]), ..Quirks::default() });
    configure(&t, &named("New")).await;
    let outdated = registration_in(&t, State::Outdated).await;
    assert_eq!(outdated.registration.reason.as_deref(), Some("metadata_changed"));
    assert_eq!(outdated.attempts[0].step, AttemptStep::Update);
    assert!(outdated.registration.usable);
    t.registry.registrations().skip(&t.admin(), outdated.registration.id).await.unwrap();
    let kept = registration_in(&t, State::Registered).await;
    assert_eq!(kept.registration.client_id, first.registration.client_id);
    assert_eq!(sandbox.registrations().len(), 1, "nothing was sent for what is skipped");
    // The next change asks again.
    configure(&t, &named("Newer")).await;
    let again = registration_in(&t, State::Outdated).await;
    sandbox.set_quirks(Quirks::default());
    t.registry.registrations().approve(&t.admin(), again.registration.id).await.unwrap();
    let replaced = registration_when(&t, |detail| {
        detail.registration.state == State::Registered && detail.registration.generation == Some(2)
    })
    .await;
    assert_eq!(replaced.clients[1].status, ClientStatus::Draining);
    assert_eq!(
        sandbox.client(replaced.registration.client_id.as_deref().unwrap()).unwrap().metadata["client_name"],
        "Newer"
    );
    assert!(
        t.registry.registrations().approve(&t.admin(), again.registration.id).await.is_err(),
        "nothing waits any more"
    );
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_client_drains_and_is_deleted_upstream(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let old = first.registration.client_id.unwrap();
    t.registry.registrations().reregister(&t.admin(), first.registration.id).await.unwrap();
    let replaced = registration_when(&t, |detail| {
        detail.registration.generation == Some(2) && detail.registration.state == State::Registered
    })
    .await;
    assert!(sandbox.client(&old).is_some(), "it drains");
    let gateway = t.actor(Role::Gateway, None).await;
    let draining = t.registry.gateway().document_of(&gateway, "acme", "linear", Some(1)).await.unwrap();
    let draining: Value = serde_json::from_slice(&draining.body).unwrap();
    assert_eq!((&draining["client"]["client_id"], &draining["generation"]), (&json!(old), &json!(1)));
    advance(&t, Span::days(8)).await;
    let done = registration_when(&t, |detail| detail.clients[1].status == ClientStatus::Withdrawn).await;
    worker.stop().await;
    assert_eq!(done.clients[1].withdrawal.as_deref(), Some("deleted"));
    assert!(sandbox.client(&old).is_none());
    assert!(sandbox.client(&replaced.registration.client_id.unwrap()).is_some());
    assert!(t.registry.gateway().document_of(&gateway, "acme", "linear", Some(1)).await.is_err());
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undeletable_client_becomes_an_orphan(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { no_management: true, ..Quirks::default() };
    let contacts = r#"{"oauth_client_metadata":{"client_name":"=Acme","contacts":["security@acme.com"]}}"#;
    let sandbox = upstream(&t, quirks, Some(contacts)).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    t.registry.servers().delete(&t.admin(), &the_server(), None).await.unwrap();
    registration_in(&t, State::Withdrawn).await;
    worker.stop().await;
    let ledger =
        t.registry.orphans().list(&t.admin(), OrphanFilter::default(), PageRequest::default()).await.unwrap();
    let [entry] = ledger.items.as_slice() else { panic!("{ledger:?}") };
    assert_eq!((&*entry.kind, &*entry.reason), ("not_withdrawn", "deletion_not_offered"));
    assert_eq!(entry.client_id, detail.registration.client_id);
    assert_eq!((entry.issuer.as_deref(), &*entry.server), (Some(&*sandbox.issuer()), "acme/linear"));
    assert_eq!(entry.contacts, ["security@acme.com"]);
    let noted =
        t.registry.orphans().resolve(&t.admin(), entry.id, Some("deleted by hand".into())).await.unwrap();
    assert!(noted.resolved_at.is_some());
    assert!(t.registry.orphans().resolve(&t.admin(), entry.id, None).await.is_err(), "once");
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 0);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_client_deletion_is_retried(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks { lost_management_answers: 0, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    let client_id = detail.registration.client_id.unwrap();
    sandbox.set_quirks(Quirks { unavailable_management_requests: 2, ..Quirks::default() });
    t.registry.servers().delete(&t.admin(), &the_server(), None).await.unwrap();
    registration_when(&t, |detail| {
        detail.attempts[0].step == AttemptStep::Withdraw
            && detail.attempts[0].outcome == AttemptOutcome::Failed
    })
    .await;
    advance(&t, Span::hours(1)).await;
    registration_when(&t, |detail| {
        detail
            .attempts
            .iter()
            .filter(|one| one.step == AttemptStep::Withdraw && one.outcome == AttemptOutcome::Failed)
            .count()
            == 2
    })
    .await;
    assert_eq!(
        registration_when(&t, |_| true).await.registration.state,
        State::Withdrawing,
        "not given up yet"
    );
    advance(&t, Span::hours(1)).await;
    registration_in(&t, State::Withdrawn).await;
    worker.stop().await;
    assert!(sandbox.client(&client_id).is_none());
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 0);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_id_of_another_server_is_never_deleted(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let mut body = Value::Object(first.clients[0].response.clone());
    let registered = sandbox.client(first.registration.client_id.as_deref().unwrap()).unwrap();
    body["registration_access_token"] = json!(registered.registration_access_token());
    // An authorization server that knows each software once answers with the same client.
    sandbox.set_quirks(Quirks { registration_body: Some(body), ..Quirks::default() });
    t.workspace("beta").await;
    t.server("linear", "beta").await;
    let all = async || {
        t.registry
            .registrations()
            .list(&t.admin(), registry::RegistrationFilter::default(), PageRequest::default())
            .await
            .unwrap()
    };
    while all().await.items.iter().filter(|one| one.usable).count() < 2 {
        t.registry.wait_for_commit(std::time::Duration::from_millis(50)).await;
    }
    let ids: Vec<_> = all().await.items.into_iter().map(|one| one.client_id).collect();
    assert_eq!(ids[0], ids[1]);
    t.registry.servers().delete(&t.admin(), &the_server(), None).await.unwrap();
    let id = first.registration.id;
    let gone = loop {
        let detail = t.registry.registrations().get(&t.admin(), id).await.unwrap();
        if detail.registration.state == State::Withdrawn {
            break detail;
        }
        t.registry.wait_for_commit(std::time::Duration::from_millis(50)).await;
    };
    worker.stop().await;
    assert_eq!(gone.clients[0].withdrawal.as_deref(), Some("shared"));
    assert!(sandbox.client(ids[0].as_deref().unwrap()).is_some());
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_is_kept_for_a_while_after_access_ends(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    let client_id = detail.registration.client_id.unwrap();
    let access = async |enabled: bool| {
        let change = AccessChange {
            workspace: Reference::parse("acme"),
            enabled: Some(enabled),
            configuration: Patch::Keep,
        };
        let update = AccessUpdate { workspaces: vec![change], ..AccessUpdate::default() };
        t.registry.access().update(&t.admin(), &Reference::parse("linear"), update).await.unwrap();
    };
    access(false).await;
    advance(&t, Span::days(29)).await;
    registration_in(&t, State::Registered).await;
    assert!(sandbox.client(&client_id).is_some());
    advance(&t, Span::days(2)).await;
    registration_in(&t, State::Withdrawn).await;
    assert!(sandbox.client(&client_id).is_none());
    access(true).await;
    let back = registration_in(&t, State::Registered).await;
    worker.stop().await;
    assert_eq!(back.registration.generation, Some(2));
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_can_be_deregistered_and_restored(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    let id = detail.registration.id;
    t.registry.registrations().deregister(&t.admin(), id).await.unwrap();
    registration_in(&t, State::Withdrawn).await;
    configure(&t, &named("New")).await;
    advance(&t, Span::days(400)).await;
    registration_in(&t, State::Withdrawn).await;
    assert_eq!(sandbox.registrations().len(), 1, "not until a person asks");
    t.registry.registrations().retry(&t.admin(), id).await.unwrap();
    registration_in(&t, State::Registered).await;
    // And enters a client by hand, in the server's own layer.
    let entered = ClientCredentials {
        client_id: "by-hand".into(),
        client_secret: Some(Secret::new("s3cret")),
        token_endpoint_auth_method: None,
    };
    t.registry.registrations().set_client_credentials(&t.admin(), id, entered).await.unwrap();
    let adopted = registration_when(&t, |detail| {
        detail.registration.client_id.as_deref() == Some("by-hand")
            && detail.registration.state == State::Registered
    })
    .await;
    worker.stop().await;
    assert_eq!(adopted.registration.method, Some(RegistrationMethod::PreRegistered));
    let subject = ConfigurationScope::Server(the_server());
    let stored = t.registry.configurations().get(&t.admin(), &subject).await.unwrap().text.unwrap();
    assert!(stored.contains("by-hand") && !stored.contains("s3cret"), "{stored}");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_renewed_before_they_expire(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let secretive = Quirks {
        accepted_auth_methods: Some(vec!["client_secret_post".into()]),
        auth_methods_supported: Some(vec!["client_secret_post".into()]),
        secret_expires_in: Some(3 * 3600),
        rotate_secret: true,
        ..Quirks::default()
    };
    let sandbox = upstream(&t, secretive.clone(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let client_id = first.registration.client_id.clone().unwrap();
    let expiry = first.clients[0].client_secret_expires_at.unwrap();
    advance(&t, Span::minutes(119)).await;
    // Nothing yet: two thirds are not over. Then the same client gets a new secret.
    sandbox.set_quirks(Quirks { secret_expires_in: Some(9 * 3600), ..secretive.clone() });
    advance(&t, Span::minutes(3)).await;
    let renewed =
        registration_when(&t, |detail| detail.clients[0].client_secret_expires_at > Some(expiry)).await;
    assert_eq!(
        (renewed.registration.client_id.as_ref(), renewed.registration.generation),
        (Some(&client_id), Some(1))
    );
    assert_eq!(sandbox.registrations().len(), 1);
    // Where an update brings no new secret, a new client does, before the old one is useless.
    sandbox.set_quirks(Quirks { rotate_secret: false, secret_expires_in: Some(30 * 3600), ..secretive });
    advance(&t, Span::hours(6)).await;
    let replaced = registration_when(&t, |detail| {
        detail.registration.generation == Some(2) && detail.registration.state == State::Registered
    })
    .await;
    worker.stop().await;
    assert_eq!(replaced.clients[1].status, ClientStatus::Draining);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_one_authorization_server_are_rate_limited(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let engine = t.database.engine;
    drop(t);
    let egress = serde_json::from_value(json!({ "allow": [], "allow_http_loopback": true })).unwrap();
    let rate = registry::IssuerRate { burst: 2, per_minute: 60 };
    let t = TestRegistry::with(engine, Settings { egress, issuer_rate: rate, ..Settings::default() }).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    t.workspace("acme").await;
    t.integration("linear", &sandbox.mcp_url(), None).await;
    t.servers("linear", "acme", 5).await;
    let second = t.second_process().await;
    let workers =
        [Working::start(&t.registry, Limits::default()), Working::start(&second, Limits::default())];
    let waiting = async |count: usize| loop {
        let all = t
            .registry
            .registrations()
            .list(&t.admin(), registry::RegistrationFilter::default(), PageRequest::default())
            .await
            .unwrap()
            .items;
        if all.iter().filter(|one| one.reason.as_deref() == Some("waiting_turn")).count() == count
            && all.iter().filter(|one| one.state == State::Registered).count() == 5 - count
        {
            return;
        }
        t.registry.wait_for_commit(std::time::Duration::from_millis(50)).await;
    };
    for (waits, registered) in [(3, 2), (2, 3), (1, 4), (0, 5)] {
        tokio::time::timeout(std::time::Duration::from_secs(15), waiting(waits)).await.unwrap();
        assert_eq!(sandbox.registrations().len(), registered, "all workers together");
        advance(&t, Span::seconds(1)).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    sandbox.stop().await;
}

/// With documents published at the address of the app itself.
async fn publishing(engine: Engine) -> TestServer {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let egress = serde_json::from_value(json!({ "allow": [], "allow_http_loopback": true })).unwrap();
    let settings =
        Settings { egress, cimd_public_url: Some(format!("http://127.0.0.1:{port}")), ..Settings::default() };
    TestServer::over_at(TestRegistry::with(engine, settings).await, port)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_id_document_is_used_where_supported(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let engine = t.database.engine;
    drop(t);
    let server = publishing(engine).await;
    let t = &server.inner;
    let reads = Quirks { cimd_supported: true, ..Quirks::default() };
    let sandbox = upstream(
        t,
        reads,
        Some(r#"{"oauth_client_metadata":{"client_name":"Acme","client_name#fr":"Acmé"}}"#),
    )
    .await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(t, State::Registered).await;
    assert_eq!(first.registration.method, Some(RegistrationMethod::Cimd));
    assert!(sandbox.registrations().is_empty(), "nobody is asked");
    let url = first.registration.client_id.unwrap();
    let path = url.strip_prefix(&server.url).unwrap().to_owned();
    let anonymous = server.anonymous();
    let read = anonymous.get(&path).await.expect(200);
    let document = read.json();
    assert_eq!((&document["client_id"], &document["client_name"]), (&json!(url), &json!("Acme")));
    assert_eq!(document["token_endpoint_auth_methods_supported"], json!(["none"]));
    assert_eq!(document["redirect_uris"], json!(["http://localhost:8787/oauth/upstream-callback"]));
    assert!(document.get("client_secret").is_none() && document.get("scope").is_none());
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=3600"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(read.headers[name], value);
    }
    assert!(read.headers.get("set-cookie").is_none());
    let etag = read.headers["etag"].to_str().unwrap().to_owned();
    let request = anonymous.request(reqwest::Method::GET, &path).header("if-none-match", &etag);
    assert_eq!(support::Client::send(request).await.status.as_u16(), 304);
    let head = support::Client::send(anonymous.request(reqwest::Method::HEAD, &path)).await;
    assert_eq!((head.status.as_u16(), head.headers["etag"].to_str().unwrap()), (200, &*etag));
    assert!(head.text.is_empty());
    // A change is served at the same address; no user must consent again.
    let before = fetched(t).await;
    assert_eq!(configure(t, &named("Other")).await.updated, 1);
    registration_when(t, |detail| {
        detail.registration.state == State::Registered && detail.clients[0].updated_at.is_some()
    })
    .await;
    let changed = anonymous.get(&path).await.expect(200);
    assert_eq!(changed.json()["client_name"], "Other");
    assert_ne!(changed.headers["etag"].to_str().unwrap(), etag);
    assert_eq!(before["generation"], fetched(t).await["generation"]);
    // And it is gone with the server.
    t.registry.servers().delete(&t.admin(), &the_server(), None).await.unwrap();
    let gone = registration_in(t, State::Withdrawn).await;
    assert_eq!(gone.clients[0].withdrawal.as_deref(), Some("unpublished"));
    anonymous.get(&path).await.expect(404);
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 0);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_client_id_document_is_not_used(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let engine = t.database.engine;
    drop(t);
    let egress = serde_json::from_value(json!({ "allow": [], "allow_http_loopback": true })).unwrap();
    // No server listens there.
    let settings =
        Settings { egress, cimd_public_url: Some("http://127.0.0.1:9".into()), ..Settings::default() };
    let t = TestRegistry::with(engine, settings).await;
    let sandbox = upstream(&t, Quirks { cimd_supported: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    assert_eq!(detail.registration.method, Some(RegistrationMethod::Dcr), "the next way is taken");
    assert_eq!(
        detail.attempts.iter().rev().map(|one| one.step.as_str()).collect::<Vec<_>>(),
        ["discover", "publish", "register"]
    );
    assert_eq!(detail.attempts[1].reason.as_deref(), Some("cimd_self_check_failed"));
    configure(&t, r#"{"registration":{"method":"cimd"}}"#).await;
    t.registry.registrations().reregister(&t.admin(), detail.registration.id).await.unwrap();
    let forced = registration_in(&t, State::Retrying).await;
    assert_eq!(forced.registration.reason.as_deref(), Some("cimd_self_check_failed"));
    assert!(forced.registration.usable, "what there is serves on");
    worker.stop().await;
    sandbox.stop().await;
}
