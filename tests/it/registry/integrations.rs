//! Integrations as people find, copy, carry and switch them off.

use registry::{
    Error, Imported, IntegrationChange, IntegrationFilter, IntegrationSort, Page, PageRequest,
    ReregisterScope,
};
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use registry_core::registration::AuthType;
use registry_core::slug::Reference;
use rstest::rstest;
use support::{Engine, TestRegistry};

const URL: &str = "https://mcp.linear.app/mcp";
const BY_HAND: &str = r#"{"oauth_client_metadata":{"client_id":"Iv1.8a61","client_secret":"canary-Zq9"}}"#;

async fn slugs(t: &TestRegistry, filter: IntegrationFilter) -> Vec<String> {
    let found = t.registry.integrations().list(&t.admin(), filter, PageRequest::default()).await.unwrap();
    assert_eq!(found.total, u64::try_from(found.items.len()).unwrap());
    found.items.into_iter().map(|one| one.slug.to_string()).collect()
}

fn searching(text: &str) -> IntegrationFilter {
    IntegrationFilter { search: Some(text.into()), ..IntegrationFilter::default() }
}

async fn switch(t: &TestRegistry, slug: &str, enabled: bool) {
    let change = IntegrationChange { enabled: Some(enabled), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &slug.into(), change, None).await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integrations_are_found_by_name_slug_and_url(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.workspace("beta").await;
    t.integration("linear", URL, Some(ENTERPRISE_COMPLIANCE)).await;
    t.integration("git_hub", "https://api.github.example/mcp/", Some(BY_HAND)).await;
    t.integration("wiki", "https://wiki.example/mcp", None).await;
    t.server("linear", "acme").await;
    switch(&t, "wiki", false).await;

    assert_eq!(slugs(&t, searching("LINEAR")).await, ["linear"]);
    assert_eq!(slugs(&t, searching("github.EXAMPLE")).await, ["git_hub"]);
    assert_eq!(slugs(&t, searching("t_h")).await, ["git_hub"], "an underscore stands for itself");
    assert!(slugs(&t, searching("%")).await.is_empty(), "a percent sign stands for itself");

    let all = IntegrationFilter::default;
    let only = |filter| slugs(&t, filter);
    assert_eq!(only(IntegrationFilter { workspace: Some("acme".into()), ..all() }).await, ["linear"]);
    assert!(only(IntegrationFilter { workspace: Some("beta".into()), ..all() }).await.is_empty());
    assert!(only(IntegrationFilter { auth_type: Some(AuthType::Headers), ..all() }).await.is_empty());
    assert_eq!(only(IntegrationFilter { custom_metadata: true, ..all() }).await, ["linear"]);
    assert_eq!(only(IntegrationFilter { pre_registered: true, ..all() }).await, ["git_hub"]);
    assert_eq!(only(IntegrationFilter { enabled: Some(false), ..all() }).await, ["wiki"]);
    let views = t.registry.integrations().views(&t.admin()).await.unwrap();
    let counted = [views.all, views.attention, views.custom_metadata, views.pre_registered, views.disabled];
    assert_eq!(counted, [3, 0, 1, 1, 1]);

    let by = |sort| slugs(&t, IntegrationFilter { sort, ..all() });
    assert_eq!(by(IntegrationSort::Name).await, ["git_hub", "linear", "wiki"]);
    assert_eq!(by(IntegrationSort::NameDescending).await, ["wiki", "linear", "git_hub"]);

    let bound = t.actor(Role::Manager, Some("beta")).await;
    let Page { items, total, .. } =
        t.registry.integrations().list(&bound, all(), PageRequest::default()).await.unwrap();
    assert_eq!((items.len(), total), (0, 0), "who is bound to a workspace sees what it may use");
    assert_eq!(t.registry.integrations().views(&bound).await.unwrap().all, 0);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integrations_are_listed_last_changed_first(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    for slug in ["one", "two", "six"] {
        t.integration(slug, URL, None).await;
        t.clock.advance(chrono::Duration::minutes(1));
    }
    switch(&t, "one", false).await;
    let by = |sort| slugs(&t, IntegrationFilter { sort, ..IntegrationFilter::default() });
    assert_eq!(by(IntegrationSort::ChangedDescending).await, ["one", "six", "two"]);
    assert_eq!(by(IntegrationSort::Changed).await, ["two", "six", "one"]);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_omits_secrets_servers_and_access(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration("linear", URL, Some(BY_HAND)).await;
    t.server("linear", "acme").await;
    let copied = t
        .registry
        .integrations()
        .duplicate(&t.admin(), &"linear".into(), "Trials".into(), None)
        .await
        .unwrap();
    assert_eq!(copied.left_out, ["/oauth_client_metadata/client_secret"]);
    assert_eq!((copied.value.slug.as_str(), copied.value.url.as_str()), ("trials", URL));
    assert_eq!((copied.value.counts.servers, copied.value.counts.workspaces), (0, 0));
    let text = copied.value.configuration.unwrap();
    assert!(text.contains("Iv1.8a61") && !text.contains("$sealed:") && !text.contains("canary"), "{text}");

    let taken = t
        .registry
        .integrations()
        .duplicate(&t.admin(), &"linear".into(), "A".into(), Some("trials".into()))
        .await;
    assert!(
        matches!(taken, Err(Error::Conflict { code: registry::ConflictCode::SlugTaken, .. })),
        "{taken:?}"
    );
    let viewer = t.actor(Role::Viewer, None).await;
    let refused = t.registry.integrations().duplicate(&viewer, &"linear".into(), "A".into(), None).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exported_integrations_can_be_imported_elsewhere(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("linear", URL, Some(ENTERPRISE_COMPLIANCE)).await;
    t.integration("wiki", "https://wiki.example/mcp", None).await;
    switch(&t, "wiki", false).await;
    let text = t.registry.integrations().export(&t.admin(), IntegrationFilter::default()).await.unwrap();

    let other = TestRegistry::new(Engine::Sqlite).await;
    let dry_run = other.registry.integrations().dry_run_import(&other.admin(), &text).await.unwrap();
    assert_eq!(dry_run.integrations.len(), 2);
    assert!(slugs(&other, IntegrationFilter::default()).await.is_empty(), "a dry run saves nothing");
    let Imported { integrations, findings } =
        other.registry.integrations().import(&other.admin(), &text).await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(integrations[0].configuration.as_deref().map(normal), Some(normal(ENTERPRISE_COMPLIANCE)));
    assert_eq!(integrations.iter().map(|one| one.enabled).collect::<Vec<_>>(), [true, false]);
    let again =
        other.registry.integrations().export(&other.admin(), IntegrationFilter::default()).await.unwrap();
    assert_eq!(normal(&again), normal(&text));
}

fn normal(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_with_one_mistake_creates_nothing_and_names_it(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("linear", URL, None).await;
    let text = format!(
        r#"{{ "integrations": [
        {{ "name": "Good", "url": "{URL}", "auth_type": "none", "transport": "http" }},
        {{ "name": "Linear", "slug": "linear", "url": "{URL}", "auth_type": "none", "transport": "http" }},
        {{ "name": "Odd", "url": "{URL}", "auth_type": "oauth", "transport": "http", "colour": "red" }},
        {{ "name": "Typo", "url": "{URL}", "auth_type": "none", "transport": "http",
           "configurations": {{ "oauth_client_metadata": {{ "contacts": "a@b" }} }} }}
    ] }}"#
    );
    let Err(Error::Invalid(findings)) = t.registry.integrations().import(&t.admin(), &text).await else {
        panic!("accepted");
    };
    let found: Vec<_> =
        findings.iter().map(|one| (one.pointer.as_str(), one.code.as_ref(), one.line)).collect();
    assert!(found.contains(&("/integrations/1/slug", "slug_taken", Some(3))), "{found:?}");
    assert!(found.contains(&("/integrations/2/auth_type", "wrong_type", Some(4))), "{found:?}");
    let words = findings.iter().find(|one| one.pointer == "/integrations/2/auth_type").unwrap();
    assert!(words.message.contains("`oauth_auto`, `oauth_client_credentials`"), "{}", words.message);
    assert!(found.contains(&("/integrations/2/colour", "unknown_member", Some(4))), "{found:?}");
    let contacts = "/integrations/3/configurations/oauth_client_metadata/contacts";
    assert!(found.contains(&(contacts, "wrong_type", Some(6))), "{found:?}");
    assert_eq!(slugs(&t, IntegrationFilter::default()).await, ["linear"]);

    let viewer = t.actor(Role::Viewer, None).await;
    let refused = t.registry.integrations().import(&viewer, "[]").await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_integration_registers_nothing_until_enabled(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration("linear", URL, None).await;
    t.server("linear", "acme").await;
    switch(&t, "linear", false).await;
    let refused = t
        .registry
        .registrations()
        .reregister_integration(&t.admin(), &"linear".into(), ReregisterScope::All, None)
        .await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::IntegrationDisabled, .. })),
        "{refused:?}"
    );
    switch(&t, "linear", true).await;
    let failed = t
        .registry
        .registrations()
        .reregister_integration(&t.admin(), &"linear".into(), ReregisterScope::Failed, None)
        .await;
    assert_eq!(failed.unwrap().queued, 0);
    let all = t
        .registry
        .registrations()
        .reregister_integration(&t.admin(), &"linear".into(), ReregisterScope::All, None)
        .await;
    assert_eq!(all.unwrap().queued, 1);
    let events = t.registry.integrations().events(&t.admin(), &Reference::parse("linear"), 2).await.unwrap();
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["integration.enabled", "integration.disabled"]);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_preview_lists_what_is_deleted(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.workspace("beta").await;
    t.integration("linear", URL, None).await;
    t.server("linear", "acme").await;
    t.server("linear", "beta").await;
    let losses = t.registry.integrations().dry_run_delete(&t.admin(), &"linear".into()).await.unwrap();
    assert_eq!(losses.servers, ["acme/linear", "beta/linear"]);
    assert_eq!(losses.workspaces, ["acme", "beta"]);
    assert_eq!(losses.forgotten(), 0, "no client was registered yet");
    let bound = t.actor(Role::Manager, Some("acme")).await;
    let refused = t.registry.integrations().dry_run_delete(&bound, &"linear".into()).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "it belongs to the organisation: {refused:?}");
}
