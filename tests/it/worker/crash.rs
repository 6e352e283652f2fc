//! What a worker that dies leaves behind.

use super::{Working, registration_in, registration_when, upstream};
use registry::{AfterStep, ConfigurationScope, NewClient, RegistrationQueue, StepError, StepRecord};
use registry_core::permission::Role;
use registry_core::registration::AttemptOutcome;
use registry_core::registration::AttemptStep;
use registry_core::registration::State;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use rstest::rstest;
use serde_json::json;
use std::time::Duration;
use support::{Engine, TestRegistry, claim_one};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_response_is_reported_and_retried_once(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { lost_answers: 2, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let lost = registration_in(&t, State::Unconfirmed).await;
    assert_eq!(lost.registration.reason.as_deref(), Some("answer_lost"));
    assert_eq!(lost.attempts[0].outcome, AttemptOutcome::Lost);
    assert!(lost.registration.not_before.is_some(), "once more after a pause");
    assert_eq!(sandbox.registrations().len(), 1);
    t.clock.advance(chrono::Duration::minutes(2));
    let twice = registration_when(&t, |detail| {
        detail.attempts.iter().filter(|one| one.outcome == AttemptOutcome::Lost).count() == 2
            && detail.registration.not_before.is_none()
    })
    .await;
    assert_eq!(twice.registration.state, State::Unconfirmed, "a second loss waits for a person");
    t.clock.advance(chrono::Duration::hours(48));
    t.registry.registrations().retry(&t.admin(), twice.registration.id).await.unwrap();
    registration_in(&t, State::Registered).await;
    worker.stop().await;
    assert_eq!(sandbox.registrations().len(), 3, "never repeated silently");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_without_lease_writes_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let first = claim_one(&t.registry, "first").await;
    let context = t.registry.registration_queue().load(&first).await.unwrap();
    let attempt = t
        .registry
        .registration_queue()
        .begin(&first, &context, AttemptStep::Register, None, &[])
        .await
        .unwrap();
    assert!(
        t.registry.registration_queue().claim("second", 10, 10, |_| None).await.unwrap().claimed.is_empty(),
        "it is leased"
    );

    // The first one stalls; its lease ends; another takes over.
    end_leases(&t).await;
    let second = claim_one(&t.registry, "second").await;
    let failure = registry_core::oauth::Failure::answer_lost();
    let late = registry::StepRecord::Failed(failure);
    let queue = t.registry.registration_queue();
    let lost =
        Box::pin(queue.finish(&first, &context, attempt, late, Vec::new(), |_| AfterStep::Other)).await;
    assert!(matches!(lost, Err(StepError::LeaseLost)), "{lost:?}");
    assert!(matches!(t.registry.registration_queue().load(&first).await, Err(StepError::LeaseLost)));
    // The new owner finds the request without an answer.
    let taken = t.registry.registration_queue().load(&second).await.unwrap();
    assert!(taken.observed.not_before.is_some());
    registration_in(&t, State::Unconfirmed).await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_replaced_during_an_attempt_causes_a_new_plan(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let entered = |secret: &str| {
        let metadata = json!({ "client_id": "by-hand", "client_secret": secret });
        json!({ "oauth_client_metadata": metadata }).to_string()
    };
    let sandbox = upstream(&t, Quirks::default(), Some(&entered("s3cret-one"))).await;
    let claim = claim_one(&t.registry, "first").await;
    let context = t.registry.registration_queue().load(&claim).await.unwrap();
    let credentials = context.desired.effective.credentials.clone().unwrap();
    let attempt =
        t.registry.registration_queue().begin(&claim, &context, AttemptStep::Adopt, None, &[]).await.unwrap();
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    let text = Some(entered("s3cret-two"));
    t.registry.configurations().set(&t.admin(), &subject, text, None, None).await.unwrap();

    let sealed = credentials.client_secret.unwrap();
    let revealed = t.registry.registration_queue().reveal_bound(&claim, sealed, &sandbox.issuer()).await;
    assert!(
        matches!(&revealed, Err(StepError::Refused(failure)) if failure.code == "interrupted"),
        "{revealed:?}"
    );
    let client = NewClient::PreRegistered {
        credentials,
        token_endpoint_auth_method: "client_secret_basic".into(),
        metadata: serde_json::Map::new(),
    };
    let record = StepRecord::Client(Box::new(client), None);
    let queue = t.registry.registration_queue();
    Box::pin(queue.finish(&claim, &context, attempt, record, Vec::new(), |_| AfterStep::Other))
        .await
        .unwrap();
    let reloaded = t.registry.registration_queue().load(&claim).await.unwrap();
    assert_ne!(reloaded.desired.effective.credentials.unwrap().client_secret, Some(sealed));
    assert!(reloaded.observed.not_before.is_none(), "at once");

    end_leases(&t).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    let gateway = t.actor(Role::Gateway, None).await;
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    assert!(String::from_utf8_lossy(&document.body).contains("s3cret-two"));
    worker.stop().await;
    sandbox.stop().await;
}

/// Lets every lease end, by the clock that judges leases on each engine.
async fn end_leases(t: &TestRegistry) {
    use sea_orm::ConnectionTrait;
    let db = t.database.connect().await;
    db.execute_unprepared("UPDATE registration SET lease_until = 1").await.unwrap();
    t.clock.advance(chrono::Duration::seconds(1));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_worker_finishes_requests_in_flight(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { hang_seconds: 1, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    assert!(sandbox.wait_for_request(1, Duration::from_secs(10)).await);
    worker.stop().await;
    let detail = registration_when(&t, |_| true).await;
    assert!(detail.registration.usable, "{detail:#?}");
    sandbox.stop().await;
}
