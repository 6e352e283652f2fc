//! The audit chain, the change feed's order, keys, people, readiness.

use registry::{
    AuditFilter, Channel, Credential, Error, NewApiKey, NewWorkspace, PageRequest, Registry, RequestContext,
    SealingKey, SealingRing,
};
use registry_core::permission::Role;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestRegistry, outside};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_get_numbers_without_gaps_in_commit_order(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let second = t.second_process().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..24 {
        let registry: Registry = if number % 2 == 0 { t.registry.clone() } else { second.clone() };
        tasks.spawn(async move {
            let new = NewWorkspace { name: format!("workspace {number}"), slug: None, description: None };
            registry.workspaces().create(&registry.operator(), new).await.map(drop)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let events = t
        .registry
        .audit()
        .events(&t.admin(), AuditFilter::default(), PageRequest::new(0, 1000))
        .await
        .unwrap();
    let mut numbers: Vec<i64> = events.items.iter().map(|event| event.number).collect();
    numbers.reverse();
    assert_eq!(numbers, (1..=24).collect::<Vec<i64>>());
    // Each event names the hash of the one before it.
    let db = t.database.connect().await;
    let sql = "SELECT previous_hash AS p, hash AS h FROM audit_event ORDER BY number";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let mut last = String::new();
    for row in rows {
        assert_eq!(row.try_get::<String>("", "p").unwrap(), last);
        last = row.try_get("", "h").unwrap();
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_work_until_they_expire_or_are_revoked(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let new = |expires_at| NewApiKey {
        name: "k".into(),
        role: Role::Viewer,
        scopes: vec![],
        workspace: None,
        expires_at,
        reason: None,
    };
    let enter = async |key: &str| {
        t.registry.callers().authenticate(Credential::Token(key), RequestContext::new(Channel::Api)).await
    };
    let soon = t.registry.now() + chrono::Duration::hours(1);
    let brief = t.registry.api_keys().create(&t.admin(), new(Some(soon))).await.unwrap();
    let lasting = t.registry.api_keys().create(&t.admin(), new(None)).await.unwrap();
    assert_eq!(enter(&brief.key).await.unwrap().role(), Role::Viewer);
    assert!(enter(&format!("{}x", brief.key)).await.is_err());
    t.clock.advance(chrono::Duration::hours(2));
    assert!(matches!(enter(&brief.key).await, Err(Error::Unauthenticated(_))));
    assert!(enter(&lasting.key).await.is_ok());
    t.registry.api_keys().revoke(&t.admin(), lasting.record.id, false).await.unwrap();
    assert!(matches!(enter(&lasting.key).await, Err(Error::Unauthenticated(_))));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_sign_in_once_by_link_and_then_by_password(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let cli = RequestContext::new(Channel::Cli);
    let web = RequestContext::new(Channel::Web);
    assert!(
        t.registry.users().create_sign_in_link("a@acme.com", web.clone()).await.is_err(),
        "not from the network"
    );
    let token = t.registry.users().create_sign_in_link("a@acme.com", cli).await.unwrap();
    assert!(!t.registry.login().has_users().await.unwrap());
    let signed_in = t.registry.login().sign_in_with_link(&token, web.clone()).await.unwrap();
    assert!(t.registry.login().has_users().await.unwrap());
    assert!(t.registry.login().sign_in_with_link(&token, web.clone()).await.is_err(), "once");
    let actor = t
        .registry
        .callers()
        .authenticate(Credential::Session(&signed_in.session), web.clone())
        .await
        .unwrap();
    t.registry.login().set_password(&actor, None, "correct horse battery").await.unwrap();
    let refused = t.registry.login().set_password(&actor, Some("wrong"), "another long password").await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert!(t.registry.login().sign_in("A@ACME.com", "correct horse battery", web.clone()).await.is_ok());
    for (email, password) in [("a@acme.com", "wrong"), ("b@acme.com", "correct horse battery")] {
        let refused = t.registry.login().sign_in(email, password, web.clone()).await.unwrap_err();
        assert_eq!(refused.to_string(), "E-mail address or password is not right.");
    }
    t.registry.login().sign_out(&signed_in.session, web.clone()).await.unwrap();
    assert!(t.registry.callers().authenticate(Credential::Session(&signed_in.session), web).await.is_err());
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_with_other_settings_is_not_ready_and_names_the_setting(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.registry.deployment().ready().await.unwrap();
    let mut settings = t.settings.clone();
    settings.gateway_urls = vec!["https://gateway.acme.com".into()];
    let ring = SealingRing::new(vec![t.key.clone()]).unwrap();
    let other =
        Registry::open(&t.database.url, settings, ring, t.clock.clone(), outside(&t.settings)).await.unwrap();
    assert!(other.deployment().ready().await.unwrap_err().to_string().contains("`gateway.urls`"));
    let ring = SealingRing::new(vec![SealingKey::generate().unwrap()]).unwrap();
    let foreign =
        Registry::open(&t.database.url, t.settings.clone(), ring, t.clock.clone(), outside(&t.settings))
            .await
            .unwrap();
    assert!(foreign.deployment().ready().await.unwrap_err().to_string().contains("sealing"));
    assert!(
        foreign.deployment().migrate().await.is_err(),
        "a wrong key must not be recorded over the right one"
    );
    t.registry.deployment().ready().await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_deployment_settings_are_audited(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let mut settings = t.settings.clone();
    settings.gateway_urls = vec!["https://moved.example.com".into()];
    let moved = t.process_with_settings(settings).await;
    moved.deployment().migrate().await.unwrap();
    moved.deployment().migrate().await.unwrap();
    let filter = AuditFilter { action: Some("deployment.changed".into()), ..AuditFilter::default() };
    let events = t.registry.audit().events(&t.admin(), filter, PageRequest::new(0, 10)).await.unwrap();
    assert_eq!(events.items.len(), 1);
    assert!(events.items[0].after.as_ref().unwrap().to_string().contains("moved.example.com"));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_name_that_grants_more_elsewhere_is_not_forwarded(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    let new = |scopes: &[&str], workspace: Option<&str>| NewApiKey {
        name: "k".into(),
        role: Role::Admin,
        scopes: scopes.iter().map(ToString::to_string).collect(),
        workspace: workspace.map(Into::into),
        expires_at: None,
        reason: Some("a test".into()),
    };
    let maker = new(&["api_keys.manage", "mcp_servers.read", "workspace_mcp_integrations.delete"], None);
    let maker = t.registry.api_keys().create(&t.admin(), maker).await.unwrap().key;
    let maker = t
        .registry
        .callers()
        .authenticate(Credential::Token(&maker), RequestContext::new(Channel::Api))
        .await
        .unwrap();
    let refused =
        t.registry.api_keys().create(&maker, new(&["workspace_mcp_integrations.delete"], Some("acme"))).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "the maker itself may delete nothing");
    t.registry.api_keys().create(&maker, new(&["mcp_servers.read"], Some("acme"))).await.unwrap();
}
