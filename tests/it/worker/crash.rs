//! What a worker that dies leaves behind.

use super::{Working, registration_in, registration_when, upstream};
use registry::{NewClient, StepRecord, Subject};
use registry_core::permission::Role;
use registry_core::registration::State;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use serde_json::json;
use std::time::Duration;
use support::{Engine, TestRegistry};

on_both! {
    async fn a_lost_answer_is_said_and_repeated_once(t: TestRegistry) {
        let quirks = Quirks { lost_answers: 2, ..Quirks::default() };
        let sandbox = upstream(&t, quirks, None).await;
        let worker = Working::start(&t.registry, Limits::default());
        let lost = registration_in(&t, State::Unconfirmed).await;
        assert_eq!(lost.registration.reason.as_deref(), Some("answer_lost"));
        assert_eq!(lost.attempts[0].outcome.as_str(), "lost");
        assert!(lost.registration.not_before.is_some(), "once more after a pause");
        assert_eq!(sandbox.registrations().len(), 1);
        t.clock.advance(chrono::Duration::minutes(2));
        let twice = registration_when(&t, |detail| {
            detail.attempts.iter().filter(|one| one.outcome.as_str() == "lost").count() == 2 && detail.registration.not_before.is_none()
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
}

on_both! {
    async fn a_worker_that_lost_its_lease_writes_nothing(t: TestRegistry) {
        let sandbox = upstream(&t, Quirks::default(), None).await;
        let first = t.registry.registration_queue().claim("first", 10, 10).await.unwrap().pop().unwrap();
        let situation = t.registry.registration_queue().load(&first).await.unwrap().unwrap();
        let attempt = t.registry.registration_queue().begin_attempt(&first, &situation, registry_core::registration::AttemptStep::Register, None, &[]).await.unwrap().unwrap();
        assert!(t.registry.registration_queue().claim("second", 10, 10).await.unwrap().is_empty(), "it is leased");

        // The first one stalls; its lease ends; another takes over.
        end_leases(&t).await;
        let second = t.registry.registration_queue().claim("second", 10, 10).await.unwrap().pop().unwrap();
        let failure = registry_core::oauth::Failure::answer_lost();
        let late = registry::StepRecord::Failed(failure);
        assert!(!t.registry.registration_queue().finish_attempt(&first, &situation, attempt, late, Vec::new()).await.unwrap());
        assert!(t.registry.registration_queue().load(&first).await.unwrap().is_none());
        // The new owner finds the request without an answer.
        let taken = t.registry.registration_queue().load(&second).await.unwrap().unwrap();
        assert!(taken.observed.not_before.is_some());
        registration_in(&t, State::Unconfirmed).await;
        sandbox.stop().await;
    }
}

on_both! {
    async fn a_secret_that_is_replaced_in_the_middle_is_planned_anew(t: TestRegistry) {
        let entered = |secret: &str| {
            let metadata = json!({ "client_id": "by-hand", "client_secret": secret });
            json!({ "oauth_client_metadata": metadata }).to_string()
        };
        let sandbox = upstream(&t, Quirks::default(), Some(&entered("s3cret-one"))).await;
        let claim = t.registry.registration_queue().claim("first", 10, 10).await.unwrap().pop().unwrap();
        let situation = t.registry.registration_queue().load(&claim).await.unwrap().unwrap();
        let credentials = situation.desired.effective.credentials.clone().unwrap();
        let attempt = t.registry.registration_queue().begin_attempt(&claim, &situation, registry_core::registration::AttemptStep::Adopt, None, &[]).await.unwrap().unwrap();
        let subject = Subject::Integration(Reference::parse("linear"));
        let text = Some(entered("s3cret-two"));
        t.registry.configurations().set(&t.admin(), &subject, text, None, None).await.unwrap();

        let sealed = credentials.client_secret.unwrap();
        let revealed = t.registry.registration_queue().reveal_bound(&claim, sealed, &sandbox.issuer()).await.unwrap().unwrap();
        assert_eq!(revealed.unwrap_err().code, "interrupted");
        let client = NewClient::Entered {
            credentials,
            token_endpoint_auth_method: "client_secret_basic".into(),
            metadata: serde_json::Map::new(),
        };
        let record = StepRecord::Client(Box::new(client), None);
        assert!(t.registry.registration_queue().finish_attempt(&claim, &situation, attempt, record, Vec::new()).await.unwrap());
        let anew = t.registry.registration_queue().load(&claim).await.unwrap().unwrap();
        assert_ne!(anew.desired.effective.credentials.unwrap().client_secret, Some(sealed));
        assert!(anew.observed.not_before.is_none(), "at once");

        end_leases(&t).await;
        let worker = Working::start(&t.registry, Limits::default());
        registration_in(&t, State::Registered).await;
        let gateway = t.actor(Role::Gateway, None).await;
        let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
        assert!(String::from_utf8_lossy(&document.body).contains("s3cret-two"));
        worker.stop().await;
        sandbox.stop().await;
    }
}

/// Lets every lease end, by the clock that judges leases on each engine.
async fn end_leases(t: &TestRegistry) {
    use sea_orm::ConnectionTrait;
    let db = t.database.connect().await;
    db.execute_unprepared("UPDATE registration SET lease_until = 1").await.unwrap();
    t.clock.advance(chrono::Duration::seconds(1));
}

on_both! {
    async fn a_stopped_worker_finishes_what_is_in_flight(t: TestRegistry) {
        let quirks = Quirks { hang_seconds: 1, ..Quirks::default() };
        let sandbox = upstream(&t, quirks, None).await;
        let worker = Working::start(&t.registry, Limits::default());
        assert!(sandbox.wait_for_request(1, Duration::from_secs(10)).await);
        worker.stop().await;
        let detail = registration_when(&t, |_| true).await;
        assert!(detail.registration.usable, "{detail:#?}");
        sandbox.stop().await;
    }
}
