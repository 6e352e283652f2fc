//! Registrations that are answered with success and yield no usable client: what is left behind is known, and deleted where
//! that is possible (INV-3, INV-11).

use super::{Working, advance, registration_in, registration_when, upstream};
use chrono::Duration as Span;
use registry::{Orphan, OrphanFilter, PageRequest, RegistrationDetail};
use registry_core::permission::Role;
use registry_core::registration::{ClientStatus, State};
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use rstest::rstest;
use serde_json::json;
use support::{Engine, TestRegistry};

async fn entries(t: &TestRegistry) -> Vec<Orphan> {
    let every = OrphanFilter { resolved: true, ..OrphanFilter::default() };
    t.registry.orphans().list(&t.admin(), every, PageRequest::default()).await.unwrap().items
}

fn is_ended(detail: &RegistrationDetail) -> bool {
    detail.clients.first().is_some_and(|client| client.status == ClientStatus::Withdrawn)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_client_is_deleted_and_its_entry_is_resolved(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    // The first deletion fails, so that the client is seen while it is there.
    let quirks =
        Quirks { ignore_redirect_uris: true, unavailable_management_requests: 1, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let waiting = registration_when(&t, |detail| {
        detail.registration.state == State::Failed
            && detail.attempts[0].step.as_str() == "withdraw"
            && detail.attempts[0].outcome.as_str() == "failed"
    })
    .await;
    assert_eq!(waiting.registration.reason.as_deref(), Some("redirect_uris_not_honoured"));
    assert!(!waiting.registration.usable && waiting.registration.client_id.is_none());
    assert_eq!(waiting.clients[0].status, ClientStatus::Unusable);
    let client_id = waiting.clients[0].client_id.clone();
    assert!(sandbox.client(&client_id).is_some());
    let entry = entries(&t).await.pop().unwrap();
    assert_eq!((&*entry.kind, &*entry.reason), ("unusable_answer", "redirect_uris_not_honoured"));
    assert_eq!((entry.client_id.as_deref(), entry.resolved_at), (Some(&*client_id), None));
    assert!(entry.registration_client_uri.unwrap().ends_with(&client_id));
    assert_eq!(entry.issuer, Some(sandbox.issuer()));
    // No gateway gets it, not even one that asks for its generation.
    let gateway = t.actor(Role::Gateway, None).await;
    assert!(t.registry.gateway().document_of(&gateway, "acme", "linear", Some(1)).await.is_err());

    advance(&t, Span::hours(7)).await;
    let done = registration_when(&t, is_ended).await;
    assert_eq!(done.clients[0].withdrawal.as_deref(), Some("deleted"));
    assert!(sandbox.client(&client_id).is_none());
    assert_eq!(done.registration.state, State::Failed);
    assert_eq!(done.registration.reason.as_deref(), Some("redirect_uris_not_honoured"));
    let entry = entries(&t).await.pop().unwrap();
    assert!(entry.resolved_at.is_some() && entry.resolved_by.is_some());
    assert!(entry.note.unwrap().contains("was deleted"));
    assert_eq!(t.registry.orphans().count_open(&t.admin()).await.unwrap(), 0);
    advance(&t, Span::days(9)).await;
    registration_in(&t, State::Failed).await;
    assert_eq!(sandbox.registrations().len(), 1, "no second registration by itself");

    sandbox.set_quirks(Quirks::default());
    t.registry.registrations().retry(&t.admin(), done.registration.id).await.unwrap();
    let registered = registration_in(&t, State::Registered).await;
    assert!(registered.registration.usable && registered.registration.reason.is_none());
    assert_eq!(registered.registration.generation, Some(2));
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entry_says_why_an_unusable_client_was_not_deleted(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { ignore_redirect_uris: true, no_delete: true, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let ended = registration_when(&t, is_ended).await;
    assert_eq!(ended.registration.state, State::Failed);
    let entries = entries(&t).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&*entries[0].kind, &*entries[0].reason), ("unusable_answer", "redirect_uris_not_honoured"));
    assert!(
        entries[0].detail.contains("It could not be deleted: The authorization server does not offer"),
        "{}",
        entries[0].detail
    );
    assert!(entries[0].resolved_at.is_none());
    assert_eq!(sandbox.registrations().len(), 1);
    worker.stop().await;
    sandbox.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_unusable_answer_has_one_entry(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(0, 1, 2, 3, 4, 5)] case: usize,
) {
    let secretive = Some(vec!["client_secret_post".to_owned()]);
    let body = |body| Quirks { registration_body: Some(body), ..Quirks::default() };
    let (quirks, reason, named, deleted) = match case {
        0 => (body(json!({ "client_id": ["a"] })), "client_id_missing", true, false),
        1 => (body(json!(null)), "answer_not_json", false, false),
        2 => (Quirks { registration_html: true, ..Quirks::default() }, "answer_not_json", false, false),
        3 => (
            Quirks { secret_expires_in: Some(-60), auth_methods_supported: secretive, ..Quirks::default() },
            "client_secret_expired",
            true,
            true,
        ),
        4 => (Quirks { padding_bytes: 70_000, ..Quirks::default() }, "answer_too_large", true, true),
        _ => (
            Quirks {
                replace_members: json!({ "token_endpoint_auth_method": "private_key_jwt" })
                    .as_object()
                    .unwrap()
                    .clone(),
                ..Quirks::default()
            },
            "auth_method_not_usable",
            true,
            true,
        ),
    };
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let failed = registration_when(&t, |detail| {
        detail.registration.state == State::Failed && (!deleted || is_ended(detail))
    })
    .await;
    assert_eq!(failed.registration.reason.as_deref(), Some(reason));
    let entries = entries(&t).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&*entries[0].kind, &*entries[0].reason), ("unusable_answer", reason));
    assert_eq!(entries[0].client_id.is_some(), named, "{entries:?}");
    assert_eq!(entries[0].resolved_at.is_some(), deleted, "{entries:?}");
    assert_eq!(sandbox.clients().is_empty(), deleted || case == 2);
    advance(&t, Span::days(3)).await;
    registration_in(&t, State::Failed).await;
    assert_eq!(sandbox.registrations().len(), 1, "no second registration by itself");
    worker.stop().await;
    sandbox.stop().await;
}
