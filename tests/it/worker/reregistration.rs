//! New clients for many registrations: only what is named is touched, and what costs something is agreed to first.

use super::{Working, registration_when, upstream};
use registry::{
    AccessChange, AccessUpdate, Confirmed, Error, PageRequest, Registration, RegistrationFilter,
    ReplacementMode, ReregisterScope, Reregistration,
};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::State;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::{Options, Quirks, Sandbox};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::collections::BTreeMap;
use support::{Engine, TestRegistry, TestServer};

/// A workspace for each way a registration may stand, with what becomes of the client that it got: whether it is kept, and
/// whether a gateway fetched it.
const STANDING: [(&str, State, bool, bool); 8] = [
    ("quiet", State::Failed, false, false),
    ("used", State::Failed, true, true),
    ("outdated", State::Outdated, true, true),
    ("fresh", State::Outdated, true, false),
    ("lost", State::Unconfirmed, false, false),
    ("retrying", State::Retrying, true, true),
    ("good", State::Registered, true, true),
    ("shut", State::Failed, true, true),
];

/// One server in each of these workspaces, all registered at one authorization server and then left as [`STANDING`] says,
/// with no worker that changes it.
pub(crate) async fn mixed(t: &TestRegistry) -> Sandbox {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    t.integration("linear", &sandbox.mcp_url(), None).await;
    for (workspace, ..) in STANDING {
        t.workspace(workspace).await;
        t.server("linear", workspace).await;
    }
    let worker = Working::start(&t.registry, Limits::default());
    loop {
        let counts =
            t.registry.registrations().counts(&t.admin(), RegistrationFilter::default()).await.unwrap();
        let registered = counts.iter().find(|(state, _)| *state == State::Registered).unwrap().1;
        if registered == STANDING.len() as u64 {
            break;
        }
        t.registry.wait_for_commit(std::time::Duration::from_millis(50)).await;
    }
    worker.stop().await;
    let shut = AccessChange {
        workspace: Reference::parse("shut"),
        enabled: Some(false),
        configuration: Patch::Keep,
    };
    let update = AccessUpdate {
        workspaces: vec![shut],
        global_access: None,
        override_existing: false,
        replacements: ReplacementMode::default(),
    };
    t.registry.access().update(&t.admin(), &"linear".into(), update).await.unwrap();
    let db = t.database.connect().await;
    for (workspace, state, has_client, is_fetched) in STANDING {
        let of = format!(
            "(SELECT r.id FROM registration r JOIN server s ON r.server_id = s.id JOIN workspace w ON s.workspace_id = w.id WHERE w.slug = '{workspace}')"
        );
        let lost = i64::from(state == State::Unconfirmed);
        let state = state.as_str();
        db.execute_unprepared(&format!(
            "UPDATE registration SET state = '{state}', lost_answers = {lost} WHERE id IN {of}"
        ))
        .await
        .unwrap();
        let status = if has_client { "active" } else { "withdrawn" };
        let fetched = if is_fetched { "1" } else { "NULL" };
        db.execute_unprepared(&format!(
            "UPDATE oauth_client SET status = '{status}', fetched_at = {fetched} WHERE registration_id IN {of}"
        ))
        .await
        .unwrap();
    }
    sandbox
}

/// The current state of each, by its workspace.
pub(crate) async fn standing(t: &TestRegistry) -> BTreeMap<String, State> {
    let all = all(t).await;
    all.into_iter().map(|one| (one.workspace.slug.to_string(), one.state)).collect()
}

async fn all(t: &TestRegistry) -> Vec<Registration> {
    let every = RegistrationFilter { states: State::ALL.to_vec(), ..RegistrationFilter::default() };
    t.registry.registrations().list(&t.admin(), every, PageRequest::default()).await.unwrap().items
}

/// Queued, and per consequence.
fn counts(found: &Reregistration) -> [u64; 4] {
    [found.queued, found.nobody_notices, found.users_sign_in_again, found.may_leave_client]
}

fn skipped(found: &Reregistration) -> Vec<(&'static str, u64)> {
    found.skipped.iter().map(|one| (one.reason, one.count)).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reregistration_touches_only_what_its_scope_names(#[case] engine: Engine) {
    use ReregisterScope as S;
    let t = TestRegistry::new(engine).await;
    let sandbox = mixed(&t).await;
    let before = standing(&t).await;
    let (admin, linear) = (t.admin(), Reference::parse("linear"));
    let ask = async |scope, confirmed| {
        t.registry.registrations().reregister_integration(&admin, &linear, scope, confirmed).await
    };
    let dry_run = async |scope| {
        t.registry.registrations().dry_run_reregistration(&admin, &linear, scope).await.unwrap()
    };
    let changed = async || -> Vec<String> {
        let now = standing(&t).await;
        now.into_iter().filter(|(name, state)| before[name] != *state).map(|(name, _)| name).collect()
    };

    for (scope, expected, left_alone) in [
        (
            S::Failed,
            [2, 1, 1, 0],
            vec![("access_disabled", 1), ("outdated", 2), ("retrying", 1), ("unconfirmed", 1)],
        ),
        (S::Outdated, [2, 1, 1, 0], vec![("failed", 3), ("retrying", 1), ("unconfirmed", 1)]),
        (S::Unconfirmed, [1, 0, 0, 1], vec![("failed", 3), ("outdated", 2), ("retrying", 1)]),
        (S::All, [7, 2, 4, 1], vec![("access_disabled", 1)]),
    ] {
        let found = dry_run(scope).await;
        assert_eq!((counts(&found), skipped(&found)), (expected, left_alone), "{scope:?}");
    }
    assert_eq!(changed().await, [""; 0], "a dry run changes nothing");

    // What fails has a client in use, too: that is not in the word.
    let refused = ask(S::Failed, None).await;
    assert!(
        matches!(
            refused,
            Err(Error::Conflict {
                code: registry::ConflictCode::ConfirmationRequired,
                pointer: Some("/confirm"),
                ..
            })
        ),
        "{refused:?}"
    );
    let wrong = Confirmed { users_sign_in_again: 2, may_leave_client: 0 };
    let refused = ask(S::Failed, Some(wrong)).await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::ConfirmationOutdated, .. })),
        "{refused:?}"
    );
    assert_eq!(changed().await, [""; 0], "nothing was done without approval");
    let done = ask(S::Failed, Some(Confirmed { users_sign_in_again: 1, may_leave_client: 0 })).await.unwrap();
    assert_eq!(counts(&done), [2, 1, 1, 0]);
    assert_eq!(changed().await, ["quiet", "used"], "failed means failed");
    assert_eq!(counts(&ask(S::Failed, None).await.unwrap()), [0; 4], "nothing to do is no mistake");

    // A scope that says what it does is the agreement to it.
    assert_eq!(counts(&ask(S::Outdated, None).await.unwrap()), [2, 1, 1, 0]);
    assert_eq!(changed().await, ["fresh", "outdated", "quiet", "used"]);
    assert_eq!(counts(&ask(S::Unconfirmed, None).await.unwrap()), [1, 0, 0, 1]);
    assert_eq!(changed().await, ["fresh", "lost", "outdated", "quiet", "used"]);
    ask(S::All, None).await.unwrap();
    assert_eq!(
        changed().await,
        ["fresh", "good", "lost", "outdated", "quiet", "retrying", "used"],
        "but where access is off"
    );

    // A lost answer beside a client in use: the scope says nothing of that.
    let db = t.database.connect().await;
    db.execute_unprepared("UPDATE registration SET state = 'unconfirmed'").await.unwrap();
    let refused = ask(S::Unconfirmed, None).await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::ConfirmationRequired, .. })),
        "{refused:?}"
    );

    let bound = t.actor(Role::Manager, Some("lost")).await;
    let own = t.registry.registrations().dry_run_reregistration(&bound, &linear, S::All).await.unwrap();
    assert_eq!(own.queued, 1, "others' registrations are not counted");
    let viewer = t.actor(Role::Viewer, None).await;
    let refused = t.registry.registrations().dry_run_reregistration(&viewer, &linear, S::All).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_cannot_be_deleted_is_said_to_stay_behind(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let quirks = Quirks { no_management: true, ..Quirks::default() };
    let sandbox = upstream(&t, quirks, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_when(&t, |detail| detail.registration.state == State::Registered).await;
    worker.stop().await;
    let found = t
        .registry
        .registrations()
        .dry_run_reregistration(&t.admin(), &"linear".into(), ReregisterScope::All)
        .await
        .unwrap();
    assert_eq!(counts(&found), [1, 0, 0, 1], "no gateway has it, and it stays at the authorization server");
    sandbox.stop().await;
}

#[tokio::test]
async fn rest_reregistration_is_previewed_and_limited_to_its_scope() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = mixed(&t.inner).await;
    let before = standing(&t.inner).await;
    let manager = t.client(Role::Manager, None).await;
    let path = "/v1/mcp-integrations/linear/re-register";
    let preview = manager.post(&format!("{path}?dry_run=true"), &json!({})).await.expect(200).json();
    assert_eq!(
        (&preview["dry_run"], &preview["queued"], &preview["users_sign_in_again"]),
        (&json!(true), &json!(2), &json!(1))
    );
    assert_eq!(preview["skipped"][1]["reason"], "outdated");
    let refused = manager.post(path, &json!({})).await.expect(409);
    assert_eq!(
        refused.errors(),
        [("confirmation_required".to_owned(), "/confirm".to_owned())],
        "{}",
        refused.text
    );
    for (body, status) in [
        (json!({ "which": "troubled" }), 422),
        (json!({ "which": "failing" }), 422),
        (json!({ "which": "failed", "confirm": { "users_sign_in_again": 1 } }), 422),
        (json!({ "which": "failed", "confirm": { "users_sign_in_again": 0, "may_leave_client": 0 } }), 409),
    ] {
        manager.post(path, &body).await.expect(status);
    }
    manager.post(&format!("{path}?dry_run=perhaps"), &json!({})).await.expect(400);
    assert_eq!(standing(&t.inner).await, before);
    let confirm = json!({ "users_sign_in_again": 1, "may_leave_client": 0 });
    let done = manager.post(path, &json!({ "which": "failed", "confirm": confirm })).await.expect(200).json();
    assert_eq!((&done["dry_run"], &done["queued"]), (&json!(false), &json!(2)));
    let nothing = manager.post(path, &json!({})).await.expect(200).json();
    assert_eq!(
        (&nothing["queued"], &nothing["skipped"][0]["reason"]),
        (&json!(0), &json!("access_disabled"))
    );
    let outdated = manager.post(path, &json!({ "which": "outdated" })).await.expect(200).json();
    assert_eq!(outdated["queued"], 2);
    sandbox.stop().await;
}
