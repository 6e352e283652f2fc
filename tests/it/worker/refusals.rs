//! What authorization servers refuse, and what people are told.

use super::{Working, registration_in, registration_when, upstream};
use registry::RegistrationDetail;
use registry_core::registration::State;
use registry_outbound::Limits;
use registry_sandbox::{Options, Quirks, Refusal, Sandbox};
use rstest::rstest;
use support::{Engine, TestRegistry};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_server_is_retried_after_retry_after(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { rate_limited_requests: 1, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let waiting = registration_in(&t, State::Retrying).await;
    assert_eq!(waiting.registration.reason.as_deref(), Some("rate_limited"));
    assert!(waiting.registration.not_before.unwrap() > t.registry.now());
    t.clock.advance(chrono::Duration::hours(7));
    registration_in(&t, State::Registered).await;
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusal_needs_admin_and_keeps_the_server_error(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let refusal = Refusal {
        status: 400,
        error: "invalid_redirect_uri".into(),
        description: Some("callback host not on our list\u{7}".into()),
    };
    let sandbox =
        upstream(&t, Quirks { registration_refusal: Some(refusal), ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    assert_eq!(failed.registration.reason.as_deref(), Some("invalid_redirect_uri"));
    assert_eq!(failed.registration.error_description.as_deref(), Some("callback host not on our list"));
    assert!(!failed.registration.usable);
    t.clock.advance(chrono::Duration::days(3));
    let sent = sandbox.registrations().len();
    sandbox.set_quirks(Quirks::default());
    t.registry.registrations().retry(&t.admin(), failed.registration.id).await.unwrap();
    registration_in(&t, State::Registered).await;
    assert_eq!(sandbox.registrations().len(), sent + 1, "nothing was sent between refusal and retry");
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_failure_is_retried_when_metadata_change(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { required_client_name: Some("Acme".into()), ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    assert_eq!(failed.registration.reason.as_deref(), Some("registration_not_allowed"));
    let subject = registry::ConfigurationScope::Integration("linear".into());
    let named = Some(r#"{"oauth_client_metadata":{"client_name":"Acme"}}"#.to_owned());
    t.registry.configurations().set(&t.admin(), &subject, named, None, None).await.unwrap();
    registration_in(&t, State::Registered).await;
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_registration_needs_a_pre_registered_client(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks { no_registration_endpoint: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    assert_eq!(failed.registration.reason.as_deref(), Some("registration_not_supported"));
    assert_eq!(failed.callback_urls, ["http://localhost:8787/oauth/upstream-callback"]);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mismatched_issuer_is_a_security_stop(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { metadata_issuer: Some("https://evil.example".into()), ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    assert_eq!(failed.registration.reason.as_deref(), Some("issuer_mismatch"));
    assert!(sandbox.registrations().is_empty(), "nothing is registered there");
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn initial_access_token_is_sent_and_never_shown(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { initial_access_token: Some("iat-canary".into()), ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_in(&t, State::Failed).await;
    assert_eq!(failed.registration.reason.as_deref(), Some("initial_access_token_needed"));
    let subject = registry::ConfigurationScope::Integration("linear".into());
    let text = Some(r#"{"registration":{"initial_access_token":"iat-canary"}}"#.to_owned());
    t.registry.configurations().set(&t.admin(), &subject, text, None, None).await.unwrap();
    let done = registration_when(&t, |detail| detail.registration.state == State::Registered).await;
    assert!(!format!("{done:?}").contains("iat-canary"));

    // The server names another authorization server now: the token is not sent there.
    let other = Sandbox::start(Options::default()).await.unwrap();
    let moved = Quirks { authorization_servers: Some(vec![other.issuer()]), ..Quirks::default() };
    sandbox.set_quirks(moved);
    t.clock.advance(chrono::Duration::hours(2));
    t.registry.registrations().reregister(&t.admin(), done.registration.id).await.unwrap();
    let stopped =
        |detail: &RegistrationDetail| detail.attempts[0].reason.as_deref() == Some("issuer_changed");
    let kept = registration_when(&t, stopped).await;
    assert!(kept.registration.usable, "the client that works stays");
    assert!(other.registrations().is_empty());
    other.stop().await;
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_registered_secret_is_not_sent_to_another_issuer(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let text = r#"{"oauth_client_metadata":{"client_id":"by-hand","client_secret":"s3cret"}}"#;
    let sandbox = upstream(&t, Quirks::default(), Some(text)).await;
    let worker = Working::start(&t.registry, Limits::default());
    let adopted = registration_in(&t, State::Registered).await;
    let other = Sandbox::start(Options::default()).await.unwrap();
    sandbox.set_quirks(Quirks { authorization_servers: Some(vec![other.issuer()]), ..Quirks::default() });
    t.clock.advance(chrono::Duration::hours(2));
    t.registry.registrations().reregister(&t.admin(), adopted.registration.id).await.unwrap();
    let stopped =
        |detail: &RegistrationDetail| detail.attempts[0].reason.as_deref() == Some("issuer_changed");
    let kept = registration_when(&t, stopped).await;
    assert!(kept.clients.iter().all(|client| client.issuer == sandbox.issuer()));
    worker.stop().await;
    sandbox.stop().await;
    other.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_pkce_is_reported_as_unusable_for_sign_in(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks { no_code_challenge_methods: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let detail = registration_in(&t, State::Registered).await;
    assert!(detail.clients[0].warnings[0].contains("PKCE"), "{:?}", detail.clients[0].warnings);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_entered_again_keeps_its_client_and_confirms_a_new_issuer(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let text = |secret: &str| {
        format!(r#"{{"oauth_client_metadata":{{"client_id":"by-hand","client_secret":"{secret}"}}}}"#)
    };
    let sandbox = upstream(&t, Quirks::default(), Some(&text("s3cret"))).await;
    let worker = Working::start(&t.registry, Limits::default());
    let adopted = registration_in(&t, State::Registered).await;
    let subject = registry::ConfigurationScope::Integration("linear".into());
    let enter = async |secret: &str| {
        t.registry.configurations().set(&t.admin(), &subject, Some(text(secret)), None, None).await.unwrap()
    };
    // The same again, as automation sends it: no new generation.
    assert_eq!(enter("s3cret").await.affected.reached, 0);
    enter("s3cret-2").await;
    let second = registration_when(&t, |detail| detail.registration.generation == Some(2)).await;
    assert_eq!((adopted.registration.generation, second.clients.len()), (Some(1), 2));

    // The server names another authorization server: the stored secret is not used there, and entering it again says
    // that it may be.
    let other = Sandbox::start(Options::default()).await.unwrap();
    sandbox.set_quirks(Quirks { authorization_servers: Some(vec![other.issuer()]), ..Quirks::default() });
    t.clock.advance(chrono::Duration::hours(2));
    t.registry.registrations().reregister(&t.admin(), adopted.registration.id).await.unwrap();
    let stopped = |detail: &RegistrationDetail| {
        detail.registration.state == State::Failed
            && detail.registration.reason.as_deref() == Some("issuer_changed")
    };
    registration_when(&t, stopped).await;
    enter("s3cret-2").await;
    let confirmed = registration_when(&t, |detail| detail.registration.generation == Some(3)).await;
    assert_eq!(confirmed.registration.issuer, Some(other.issuer()));
    let kept = enter("s3cret-2").await;
    assert_eq!(kept.affected.reached, 0, "it belongs to the new issuer now");
    worker.stop().await;
    sandbox.stop().await;
    other.stop().await;
}
