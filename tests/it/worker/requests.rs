//! What a user asked for is still done after a failure that is retried.

use super::{Working, advance, registration_in, registration_when, upstream};
use chrono::Duration;
use registry_core::registration::{AttemptOutcome, AttemptStep, State};
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use rstest::rstest;
use support::{Engine, TestRegistry};

/// A request of a user.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// A retry after two lost responses: only a user may decide that there is a third registration (INV-3).
    Retry,
    /// A new client in place of one that works.
    Reregister,
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_of_a_user_outlives_a_failure_that_is_retried(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Asked::Retry, Asked::Reregister)] asked: Asked,
    #[values(AttemptStep::Discover, AttemptStep::Register)] failing: AttemptStep,
) {
    let t = TestRegistry::new(engine).await;
    let lost_answers = if asked == Asked::Retry { 2 } else { 0 };
    let sandbox = upstream(&t, Quirks { lost_answers, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let before = if asked == Asked::Retry {
        registration_in(&t, State::Unconfirmed).await;
        advance(&t, Duration::minutes(2)).await;
        registration_when(&t, |detail| {
            detail.registration.state == State::Unconfirmed && detail.registration.not_before.is_none()
        })
        .await
    } else {
        registration_in(&t, State::Registered).await
    };
    // What was discovered is too old to register with.
    advance(&t, Duration::hours(48)).await;
    sandbox.set_quirks(match failing {
        AttemptStep::Discover => Quirks { unavailable_metadata_requests: u32::MAX, ..Quirks::default() },
        _ => Quirks { unavailable_requests: u32::MAX, ..Quirks::default() },
    });
    let mut sent = sandbox.registrations().len();
    let id = before.registration.id;
    let registrations = t.registry.registrations();
    match asked {
        Asked::Retry => registrations.retry(&t.admin(), id).await.unwrap(),
        Asked::Reregister => registrations.reregister(&t.admin(), id).await.unwrap(),
    };
    let tried = before.attempts.len();
    let failed = registration_when(&t, |detail| {
        detail.attempts.len() > tried && detail.attempts[0].outcome == AttemptOutcome::Failed
    })
    .await;
    assert_eq!(failed.attempts[0].step, failing);
    sent += usize::from(failing == AttemptStep::Register);
    advance(&t, Duration::seconds(1)).await;
    let waiting = registration_when(&t, |detail| detail.registration.failures == 1).await;
    assert!(waiting.registration.not_before.is_some(), "the next try has a time: {waiting:#?}");
    assert_eq!(sandbox.registrations().len(), sent, "nothing is sent before that");

    sandbox.set_quirks(Quirks::default());
    advance(&t, Duration::minutes(2)).await;
    let generation = Some(before.registration.generation.unwrap_or(0) + 1);
    let is_done = |detail: &registry::RegistrationDetail| {
        let registration = &detail.registration;
        registration.generation == generation && registration.usable && registration.failures == 0
    };
    registration_when(&t, is_done).await;
    advance(&t, Duration::minutes(2)).await;
    worker.stop().await;
    assert_eq!(sandbox.registrations().len(), sent + 1, "the request is carried out once");
    sandbox.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_user_shows_no_next_try(#[values(Engine::Sqlite, Engine::Postgres)] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks { lost_answers: 2, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Unconfirmed).await;
    advance(&t, Duration::minutes(2)).await;
    let is_decided_by_a_user = |detail: &registry::RegistrationDetail| {
        detail.registration.state == State::Unconfirmed && detail.registration.not_before.is_none()
    };
    registration_when(&t, is_decided_by_a_user).await;
    // Other metadata are another registration. It fails, and the metadata of before come back.
    sandbox.set_quirks(Quirks { unavailable_requests: u32::MAX, ..Quirks::default() });
    let save = async |text: &str| {
        let scope =
            registry::ConfigurationScope::Integration(registry_core::slug::Reference::parse("linear"));
        let text = Some(text.to_owned());
        t.registry.configurations().set(&t.admin(), &scope, text, None, None).await.unwrap();
    };
    save(r#"{"oauth_client_metadata":{"client_name":"Other"}}"#).await;
    registration_in(&t, State::Retrying).await;
    save("{}").await;
    registration_when(&t, is_decided_by_a_user).await;
    worker.stop().await;
    sandbox.stop().await;
}
