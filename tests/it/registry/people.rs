//! Roles, lockout and the way back in, on both databases.

use chrono::Duration;
use futures_util::future::join_all;
use registry::{
    Actor, AuditFilter, Channel, Error, NewApiKey, NewUser, PageRequest, Registry, RequestContext, Roles,
    User, UserChange,
};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestRegistry};

const PASSWORD: &str = "correct horse battery";

fn web(address: &str) -> RequestContext {
    RequestContext { address: Some(address.to_owned()), ..RequestContext::new(Channel::Web) }
}

/// A user who signed in by link and set a password.
async fn person(t: &TestRegistry, email: &str, roles: Roles) -> User {
    let new = NewUser { email: email.to_owned(), name: String::new(), roles };
    let invited = t.registry.users().invite(&t.admin(), new).await.unwrap();
    let signed_in = t.registry.login().sign_in_with_link(&invited.token, web("192.0.2.1")).await.unwrap();
    let actor = behind(t, &signed_in.session).await.unwrap();
    t.registry.login().set_password(&actor, None, PASSWORD).await.unwrap();
    signed_in.user
}

/// Who is behind a session.
async fn behind(t: &TestRegistry, session: &str) -> Result<Actor, Error> {
    t.registry.callers().authenticate(registry::Credential::Session(session), web("192.0.2.1")).await
}

async fn try_in(registry: &Registry, email: &str, password: &str, address: &str) -> Result<(), Error> {
    registry.login().sign_in(email, password, web(address)).await.map(drop)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lockout_grows_with_failures_across_processes(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    person(&t, "ann@acme.com", Roles::one(Role::Admin, None)).await;
    let second = t.second_process().await;
    // No user has this address; the answer is the same.
    for email in ["ann@acme.com", "nobody@acme.com"] {
        for round in 0..5 {
            let registry = if round % 2 == 0 { &t.registry } else { &second };
            let refused = try_in(registry, email, "wrong", &format!("192.0.2.{round}")).await;
            assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{email} {round}: {refused:?}");
        }
        for expected in [30, 60, 120] {
            let refused = try_in(&t.registry, email, PASSWORD, "192.0.2.9").await;
            assert!(
                matches!(refused, Err(Error::TooManyTries { seconds }) if seconds == expected),
                "{email}: {refused:?}"
            );
            assert!(matches!(
                try_in(&second, email, PASSWORD, "192.0.2.10").await,
                Err(Error::TooManyTries { .. })
            ));
            t.clock.advance(Duration::seconds(i64::try_from(expected).unwrap()));
            let refused = try_in(&second, email, "wrong", "192.0.2.11").await;
            assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{email}: {refused:?}");
        }
    }
    t.clock.advance(Duration::seconds(240));
    try_in(&t.registry, "ann@acme.com", PASSWORD, "192.0.2.12").await.unwrap();
    try_in(&t.registry, "ann@acme.com", "wrong", "192.0.2.12").await.unwrap_err();
    try_in(&t.registry, "ann@acme.com", PASSWORD, "192.0.2.12").await.unwrap();

    // What was typed is nowhere in the database.
    let db = t.database.connect().await;
    let sql = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'user.locked' AND subject_name = 'ann@acme.com'";
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "n").unwrap(), 4, "each wait is on record");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn break_glass_link_restores_a_locked_out_admin(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    let ann = person(&t, "ann@acme.com", Roles::one(Role::Admin, None)).await;
    let eve = person(&t, "eve@acme.com", Roles::one(Role::Admin, None)).await;
    let admin = t.admin();
    t.registry.users().deactivate(&admin, ann.id).await.unwrap();
    for _ in 0..6 {
        try_in(&t.registry, "ann@acme.com", "wrong", "192.0.2.7").await.unwrap_err();
    }
    let over_the_network = t.registry.users().reset("ann@acme.com", web("192.0.2.1")).await;
    assert!(matches!(over_the_network, Err(Error::Unauthenticated(_))));
    let token = t.registry.users().reset("Ann@acme.com", RequestContext::new(Channel::Cli)).await.unwrap();
    let back = t.registry.login().sign_in_with_link(&token, web("192.0.2.7")).await.unwrap();
    assert_eq!((back.user.id, back.user.role, back.user.has_password), (ann.id, Some(Role::Admin), false));

    // A link for a user with a password ends the password and the sessions, but never those of the last user who can sign in.
    let kept = t.registry.users().new_sign_in_link(&admin, eve.id).await;
    assert!(matches!(kept, Err(Error::Conflict { code: registry::ConflictCode::LastAdmin, .. })), "{kept:?}");
    let vi = person(&t, "vi@acme.com", Roles::one(Role::Viewer, None)).await;
    let session =
        t.registry.login().sign_in("vi@acme.com", PASSWORD, web("192.0.2.9")).await.unwrap().session;
    behind(&t, &session).await.unwrap();
    t.registry.users().new_sign_in_link(&admin, vi.id).await.unwrap();
    assert!(behind(&t, &session).await.is_err(), "a stolen session could choose the next password");

    // The last one who can come in stays, however it is tried: a link is used up.
    let refused = t.registry.users().deactivate(&admin, eve.id).await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::LastAdmin, .. })),
        "{refused:?}"
    );
    t.registry.login().set_password(&behind(&t, &back.session).await.unwrap(), None, PASSWORD).await.unwrap();
    t.registry.users().deactivate(&admin, eve.id).await.unwrap();
    let nothing = UserChange {
        role: Patch::Clear,
        workspaces: Some(vec![(Reference::parse("acme"), Role::Admin)]),
        ..UserChange::default()
    };
    let refused = t.registry.users().update(&admin, ann.id, nothing).await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::LastAdmin, .. })),
        "{refused:?}"
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memberships_are_validated_together_and_stored_as_given(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    for slug in ["acme", "beta"] {
        t.workspace(slug).await;
    }
    let role = |slug: &str, role| (Reference::parse(slug), role);
    let refused = async |roles: Roles| {
        let new = NewUser { email: "x@acme.com".into(), name: String::new(), roles };
        match t.registry.users().invite(&t.admin(), new).await {
            Err(Error::Invalid(findings)) => {
                findings.iter().map(|one| one.pointer.clone()).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(Roles::default()).await, ["/role"]);
    let twice =
        Roles { organisation: None, workspaces: vec![role("acme", Role::Viewer), role("ACME", Role::Admin)] };
    assert_eq!(refused(twice).await, ["/workspaces/1/workspace_id"]);
    let odd = Roles {
        organisation: Some(Role::Gateway),
        workspaces: vec![role("nowhere", Role::Viewer), role("beta", Role::Gateway)],
    };
    assert_eq!(refused(odd).await, ["/role", "/workspaces/0/workspace_id", "/workspaces/1/role"]);

    let both = Roles {
        organisation: Some(Role::Viewer),
        workspaces: vec![role("beta", Role::Manager), role("acme", Role::Viewer)],
    };
    let vi = person(&t, "vi@acme.com", both).await;
    let found = t.registry.users().get(&t.admin(), vi.id).await.unwrap();
    let places: Vec<_> = found.workspaces.iter().map(|one| (one.workspace.slug.as_str(), one.role)).collect();
    assert_eq!(
        (found.role, places),
        (Some(Role::Viewer), vec![("acme", Role::Viewer), ("beta", Role::Manager)])
    );
    let renamed = UserChange { name: Some("Vivian".into()), ..UserChange::default() };
    let renamed = t.registry.users().update(&t.admin(), vi.id, renamed).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.workspaces), ("Vivian", found.workspaces));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_during_a_password_reset_is_refused(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let eve = person(&t, "eve@acme.com", Roles::one(Role::Viewer, None)).await;
    let (signed_in, reset) = tokio::join!(
        t.registry.login().sign_in("eve@acme.com", PASSWORD, web("192.0.2.1")),
        t.registry.users().reset("eve@acme.com", RequestContext::new(Channel::Cli)),
    );
    let token = reset.unwrap();
    // Before it or after it: what the old password opened is closed.
    if let Ok(signed_in) = signed_in {
        let refused = behind(&t, &signed_in.session).await;
        assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
    }
    assert_eq!(t.registry.login().sign_in_with_link(&token, web("192.0.2.1")).await.unwrap().user.id, eve.id);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_password_guesses_are_limited(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    person(&t, "ann@acme.com", Roles::one(Role::Admin, None)).await;
    let guesses = (0..30).map(|number| {
        let registry = t.registry.clone();
        async move { try_in(&registry, "ann@acme.com", "wrong", &format!("192.0.2.{number}")).await }
    });
    let judged =
        join_all(guesses).await.into_iter().filter(|one| matches!(one, Err(Error::Unauthenticated(_))));
    assert_eq!(judged.count(), 5);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_link_invalidates_earlier_links_and_the_password(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let ann = person(&t, "ann@acme.com", Roles::one(Role::Admin, None)).await;
    person(&t, "eve@acme.com", Roles::one(Role::Admin, None)).await;
    let cli = || RequestContext::new(Channel::Cli);
    let older = t.registry.users().create_sign_in_link("ann@acme.com", cli()).await.unwrap();
    let newer = t.registry.users().new_sign_in_link(&t.admin(), ann.id).await.unwrap().token;
    let refused = t.registry.login().sign_in_with_link(&older, web("192.0.2.1")).await;
    assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
    assert!(try_in(&t.registry, "ann@acme.com", PASSWORD, "192.0.2.1").await.is_err(), "it was forgotten");
    let back = t.registry.login().sign_in_with_link(&newer, web("192.0.2.1")).await.unwrap();
    let actor = behind(&t, &back.session).await.unwrap();
    t.registry.login().set_password(&actor, None, "another long password").await.unwrap();
    try_in(&t.registry, "ann@acme.com", "another long password", "192.0.2.1").await.unwrap();
    let late = t.registry.users().create_sign_in_link("ann@acme.com", cli()).await.unwrap();
    t.clock.advance(Duration::hours(25));
    assert!(t.registry.login().sign_in_with_link(&late, web("192.0.2.1")).await.is_err(), "a day is over");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_link_ends_sessions_of_a_user_without_a_password(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let new = |email: &str| NewUser {
        email: email.to_owned(),
        name: String::new(),
        roles: Roles::one(Role::Viewer, None),
    };
    for (email, by_cli) in [("ann@acme.com", false), ("bob@acme.com", true)] {
        let invited = t.registry.users().invite(&t.admin(), new(email)).await.unwrap();
        let session =
            t.registry.login().sign_in_with_link(&invited.token, web("192.0.2.1")).await.unwrap().session;
        behind(&t, &session).await.unwrap();
        let token = if by_cli {
            t.registry.users().create_sign_in_link(email, RequestContext::new(Channel::Cli)).await.unwrap()
        } else {
            t.registry.users().new_sign_in_link(&t.admin(), invited.user.id).await.unwrap().token
        };
        assert!(
            matches!(behind(&t, &session).await, Err(Error::Unauthenticated(_))),
            "{email} was signed out"
        );
        let filter = AuditFilter { action: Some("user.sessions_ended".into()), ..AuditFilter::default() };
        let events = t.registry.audit().events(&t.admin(), filter, PageRequest::new(0, 10)).await.unwrap();
        assert_eq!(events.items[0].subject_name.as_deref(), Some(email));
        let again = t.registry.login().sign_in_with_link(&token, web("192.0.2.1")).await.unwrap();
        behind(&t, &again.session).await.unwrap();
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scoped_key_cannot_restore_access(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let boss = person(&t, "boss@acme.com", Roles::one(Role::Admin, None)).await;
    let gone = person(&t, "gone@acme.com", Roles::one(Role::Admin, None)).await;
    let viewer = person(&t, "viewer@acme.com", Roles::one(Role::Viewer, None)).await;
    t.registry.users().deactivate(&t.admin(), gone.id).await.unwrap();
    t.registry.users().deactivate(&t.admin(), viewer.id).await.unwrap();
    let scoped = NewApiKey {
        name: "scoped".into(),
        role: Role::Admin,
        scopes: vec!["people.manage".into()],
        workspace: None,
        expires_at: None,
        reason: None,
    };
    let key = t.registry.api_keys().create(&t.admin(), scoped).await.unwrap().key;
    let key = t
        .registry
        .callers()
        .authenticate(registry::Credential::Token(&key), RequestContext::new(Channel::Api))
        .await
        .unwrap();
    let (r, name) =
        (&t.registry, |name: &str| UserChange { name: Some(name.to_owned()), ..UserChange::default() });
    let role = UserChange { role: Patch::Set(Role::Admin), ..UserChange::default() };
    let new =
        NewUser { email: "new@acme.com".into(), name: String::new(), roles: Roles::one(Role::Viewer, None) };
    for (verb, outcome) in [
        ("reactivate an admin", r.users().reactivate(&key, gone.id).await),
        ("reactivate a viewer", r.users().reactivate(&key, viewer.id).await),
        ("invite", r.users().invite(&key, new).await.map(drop)),
        ("a new link", r.users().new_sign_in_link(&key, boss.id).await.map(drop)),
        ("change a role", r.users().update(&key, viewer.id, role).await.map(drop)),
        ("rename an admin", r.users().update(&key, boss.id, name("Mallory")).await.map(drop)),
        ("rename an admin who is out", r.users().update(&key, gone.id, name("Mallory")).await.map(drop)),
    ] {
        assert!(matches!(outcome, Err(Error::Forbidden { .. })), "{verb}: {outcome:?}");
    }
    assert!(try_in(&t.registry, "gone@acme.com", PASSWORD, "192.0.2.1").await.is_err());
    // The scope allows what removes access or grants none.
    r.users().update(&key, viewer.id, name("Vic")).await.unwrap();
    r.sessions().end_all_of(&key, boss.id).await.unwrap();
    r.users().deactivate(&key, viewer.id).await.unwrap();
    // And nothing that a whole key may not.
    r.users().reactivate(&t.admin(), gone.id).await.unwrap();
    try_in(&t.registry, "gone@acme.com", PASSWORD, "192.0.2.1").await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_ends_after_a_week_despite_use(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    person(&t, "ann@acme.com", Roles::one(Role::Admin, None)).await;
    let session =
        t.registry.login().sign_in("ann@acme.com", PASSWORD, web("192.0.2.1")).await.unwrap().session;
    for _ in 0..(7 * 24 - 1) {
        t.clock.advance(Duration::hours(1));
        behind(&t, &session).await.unwrap();
    }
    t.clock.advance(Duration::hours(1));
    assert!(matches!(behind(&t, &session).await, Err(Error::Unauthenticated(_))));
}
