//! What is done about clients that the authorization server does not know any more, or that belong to another one.

use super::{Working, advance, registration_in, registration_when, upstream};
use chrono::Duration as Span;
use registry::{ConfigurationScope, Ensured, Verdict};
use registry_core::permission::Role;
use registry_core::registration::AttemptOutcome;
use registry_core::registration::AttemptStep;
use registry_core::registration::{RegistrationMethod, State};
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::{Options, Quirks, Sandbox};
use rstest::rstest;
use serde_json::Value;
use std::time::Duration;
use support::{Engine, TestRegistry};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_update_response_is_resolved_first(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let client_id = first.registration.client_id.clone().unwrap();
    let rename = async |name: &str| {
        let subject = ConfigurationScope::Integration(Reference::parse("linear"));
        let text = format!(r#"{{"oauth_client_metadata":{{"client_name":"{name}"}}}}"#);
        t.registry.configurations().set(&t.admin(), &subject, Some(text), None, None).await.unwrap();
    };
    sandbox.set_quirks(Quirks { lost_management_answers: 1, ..Quirks::default() });
    rename("One").await;
    let lost = registration_in(&t, State::Unconfirmed).await;
    assert_eq!(lost.registration.reason.as_deref(), Some("management_answer_lost"));
    assert_eq!((lost.attempts[0].step.as_str(), lost.attempts[0].outcome.as_str()), ("update", "lost"));
    assert_eq!(lost.clients[0].doubt.as_deref(), Some("update_lost"));
    assert!(lost.registration.usable && lost.registration.not_before.is_some());
    advance(&t, Span::minutes(2)).await;
    let cleared = registration_in(&t, State::Registered).await;
    assert_eq!(
        cleared.attempts.iter().take(2).map(|one| one.step.as_str()).collect::<Vec<_>>(),
        ["update", "verify"]
    );
    assert_eq!(sandbox.client(&client_id).unwrap().metadata["client_name"], "One");
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 0, "no client came of it");

    // With a rotating token the lost answer took the new token along: the client lives on, unmanageable.
    let gateway = t.actor(Role::Gateway, None).await;
    t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    sandbox.set_quirks(Quirks {
        lost_management_answers: 1,
        rotate_registration_access_token: true,
        ..Quirks::default()
    });
    rename("Two").await;
    registration_in(&t, State::Unconfirmed).await;
    advance(&t, Span::minutes(2)).await;
    let stuck = registration_in(&t, State::Outdated).await;
    assert!(stuck.registration.usable && !stuck.clients[0].manageable);
    assert_eq!(stuck.registration.client_id.as_ref(), Some(&client_id));
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_of_one_gateway_replaces_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks { no_management: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    let (first, second) = (t.actor(Role::Gateway, None).await, t.actor(Role::Gateway, None).await);
    let report = async |gateway: &registry::Actor, generation: i64, error: &str| {
        t.registry.gateway().report(gateway, "acme", "linear", generation, error).await.unwrap()
    };
    assert_eq!(report(&first, 7, "invalid_client").await, Verdict::Stale);
    assert_eq!(report(&first, 1, "invalid_grant").await, Verdict::Ignored);
    assert_eq!(report(&first, 1, "invalid_client").await, Verdict::Noted);
    assert_eq!(report(&first, 1, "invalid_client").await, Verdict::Noted, "the same one, at once");
    assert_eq!(sandbox.registrations().len(), 1);
    assert_eq!(report(&second, 1, "unauthorized_client").await, Verdict::Replacing, "a second one");
    let replaced = registration_when(&t, |detail| {
        detail.registration.generation == Some(2) && detail.registration.usable
    })
    .await;
    assert_eq!(replaced.clients[1].doubt.as_deref(), Some("forgotten"));
    assert_eq!(report(&second, 1, "invalid_client").await, Verdict::Stale, "a word about the past");
    // Again: once per cool-down.
    assert_eq!(report(&first, 2, "invalid_client").await, Verdict::Noted);
    assert_eq!(report(&second, 2, "invalid_client").await, Verdict::Replacing);
    let cooling = registration_when(&t, |detail| detail.registration.state == State::Retrying).await;
    assert_eq!(
        (cooling.registration.usable, cooling.registration.reason.as_deref()),
        (false, Some("cooling_down"))
    );
    advance(&t, Span::minutes(58)).await;
    let Ensured::NotYet(_) =
        t.registry.gateway().ensure(&first, "acme", "linear", Duration::ZERO).await.unwrap()
    else {
        panic!("too early")
    };
    assert_eq!(sandbox.registrations().len(), 2, "no gateway beats the cool-down");
    advance(&t, Span::minutes(3)).await;
    let Ensured::Ready(_) =
        t.registry.gateway().ensure(&first, "acme", "linear", Duration::from_secs(10)).await.unwrap()
    else {
        panic!("not there")
    };
    assert_eq!(sandbox.registrations().len(), 3);
    // Two gateways are no proof, and nothing can be deleted there: the old ones may still exist.
    advance(&t, Span::days(8)).await;
    registration_when(&t, |detail| {
        detail.clients[2].withdrawal.is_some() && detail.clients[1].withdrawal.is_some()
    })
    .await;
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 2);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manageable_client_is_read_before_it_is_replaced(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox =
        upstream(&t, Quirks { rotate_registration_access_token: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let known = registration_in(&t, State::Registered).await;
    let client_id = known.registration.client_id.unwrap();
    let gateway = t.actor(Role::Gateway, None).await;
    t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let report = || t.registry.gateway().report(&gateway, "acme", "linear", 1, "invalid_client");
    assert_eq!(report().await.unwrap(), Verdict::Checking);
    let well = registration_when(&t, |detail| {
        detail.attempts[0].step == AttemptStep::Verify
            && detail.attempts[0].outcome == AttemptOutcome::Succeeded
    })
    .await;
    assert_eq!(well.registration.client_id.as_ref(), Some(&client_id), "it is known there: a false alarm");
    assert!(well.clients[0].doubt.is_none() && well.clients[0].verified_at.is_some());

    assert!(sandbox.forget(&client_id));
    advance(&t, Span::minutes(2)).await;
    assert_eq!(report().await.unwrap(), Verdict::Checking);
    let replaced = registration_when(&t, |detail| {
        detail.registration.generation == Some(2) && detail.registration.usable
    })
    .await;
    assert_ne!(replaced.registration.client_id.as_ref(), Some(&client_id));
    assert_eq!(sandbox.registrations().len(), 2);
    // What the gateway and the authorization server both say is gone, is.
    advance(&t, Span::days(8)).await;
    registration_when(&t, |detail| detail.clients[1].withdrawal.as_deref() == Some("forgotten")).await;
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 0);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_issuer_gets_a_new_client(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let other = Sandbox::start(Options::default()).await.unwrap();
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let gateway = t.actor(Role::Gateway, None).await;
    t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    sandbox.set_quirks(Quirks { authorization_servers: Some(vec![other.issuer()]), ..Quirks::default() });
    let report = || t.registry.gateway().report(&gateway, "acme", "linear", 1, "issuer_changed");
    assert_eq!(report().await.unwrap(), Verdict::Noted, "it was looked for a moment ago");
    advance(&t, Span::minutes(2)).await;
    assert_eq!(report().await.unwrap(), Verdict::Rediscovering);
    let moved = registration_when(&t, |detail| {
        detail.registration.generation == Some(2) && detail.registration.state == State::Registered
    })
    .await;
    assert_eq!(moved.registration.issuer, Some(other.issuer()));
    assert_eq!(moved.clients[1].issuer, first.registration.issuer.unwrap());
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    assert_eq!(document["client"]["issuer"], other.issuer());
    assert_eq!(document["authorization_server"]["issuer"], other.issuer());
    assert_eq!(other.registrations().len(), 1);
    worker.stop().await;
    sandbox.stop().await;
    other.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_registered_client_is_not_used_at_another_issuer(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let entered = r#"{"oauth_client_metadata":{"client_id":"by-hand"}}"#;
    let sandbox = upstream(&t, Quirks::default(), Some(entered)).await;
    let other = Sandbox::start(Options::default()).await.unwrap();
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    assert_eq!(first.registration.method, Some(RegistrationMethod::PreRegistered));
    sandbox.set_quirks(Quirks { authorization_servers: Some(vec![other.issuer()]), ..Quirks::default() });
    advance(&t, Span::days(2)).await;
    let stopped = registration_in(&t, State::Failed).await;
    assert_eq!(stopped.registration.reason.as_deref(), Some("issuer_changed"));
    assert_eq!(stopped.registration.issuer, Some(sandbox.issuer()), "it is used with its own issuer only");
    // A person says that it is right.
    let vouched =
        format!(r#"{{"oauth_client_metadata":{{"client_id":"by-hand","issuer":"{}"}}}}"#, other.issuer());
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    t.registry.configurations().set(&t.admin(), &subject, Some(vouched), None, None).await.unwrap();
    let moved = registration_in(&t, State::Registered).await;
    assert_eq!((moved.registration.issuer, moved.registration.generation), (Some(other.issuer()), Some(2)));
    worker.stop().await;
    sandbox.stop().await;
    other.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_client_check_changes_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    sandbox.set_quirks(Quirks { unavailable_metadata_requests: 1, ..Quirks::default() });
    advance(&t, Span::hours(25)).await;
    let looked = registration_when(&t, |detail| {
        detail.attempts[0].step == AttemptStep::Discover
            && detail.attempts[0].outcome == AttemptOutcome::Failed
    })
    .await;
    assert_eq!((looked.registration.state, looked.registration.reason), (State::Registered, None));
    advance(&t, Span::minutes(1)).await;
    let well = registration_when(&t, |detail| {
        detail.attempts[0].step == AttemptStep::Discover
            && detail.attempts[0].outcome == AttemptOutcome::Succeeded
    })
    .await;
    assert_eq!(well.registration.state, State::Registered);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_of_2025_03_26_is_discovered_when_enabled(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { resource_metadata: registry_sandbox::ResourceMetadata::None, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    assert_eq!(failed.registration.reason.as_deref(), Some("authorization_server_not_found"));
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    let on = Some(r#"{"registration":{"legacy_discovery":true}}"#.to_owned());
    t.registry.configurations().set(&t.admin(), &subject, on, None, None).await.unwrap();
    let found = registration_in(&t, State::Registered).await;
    assert_eq!(found.registration.issuer.as_deref(), Some(sandbox.origin()));
    worker.stop().await;
    sandbox.stop().await;
}
