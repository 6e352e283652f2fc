//! Drafts: whose they are, what is sealed in them, and how they become an integration at once or not at all.

use registry::{
    ConfigurationScope, Draft, DraftAddress, DraftStep, Error, IntegrationFilter, PageRequest,
    RegistrationFilter, ServerFilter,
};
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::id::DraftId;
use registry_core::permission::Role;
use registry_core::preflight::{Approach, Availability, Entered};
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use registry_sandbox::{Options, Quirks, Sandbox};
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestRegistry};

const CANARY: &str = "canary-Zq9-secret";

fn address(url: &str) -> DraftAddress {
    DraftAddress { url: url.to_owned(), name: None, slug: None, transport: Transport::Http }
}

fn by_hand(secret: Option<&str>) -> Entered {
    Entered { client_id: "abc".to_owned(), client_secret: secret.map(str::to_owned), ..Entered::default() }
}

async fn draft(t: &TestRegistry, url: &str) -> Draft {
    t.registry.drafts().create(&t.admin(), address(url)).await.unwrap()
}

/// How many rows a statement counts.
async fn count(t: &TestRegistry, sql: &str) -> i64 {
    let db = t.database.connect().await;
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get("", "n").unwrap()
}

fn is_not_found<T: std::fmt::Debug>(result: &registry::Result<T>) -> bool {
    matches!(result, Err(Error::NotFound { what: "draft", .. }))
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draft_is_visible_to_its_owner_and_admins(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    let ann = t.actor(Role::Manager, None).await;
    let mine = t.registry.drafts().create(&ann, address("https://mcp.linear.app/mcp")).await.unwrap();
    assert_eq!((mine.name.as_str(), mine.slug.as_str(), mine.step), ("Linear", "linear", DraftStep::Check));
    for other in [
        t.actor(Role::Manager, None).await,
        t.actor(Role::Manager, Some("acme")).await,
        t.actor(Role::Admin, Some("acme")).await,
    ] {
        assert!(is_not_found(&t.registry.drafts().get(&other, mine.id).await));
        assert!(is_not_found(&t.registry.drafts().delete(&other, mine.id).await));
        assert!(is_not_found(&t.registry.drafts().set_configuration(&other, mine.id, None).await));
        assert!(is_not_found(&t.registry.drafts().probe(&other, mine.id).await));
        assert!(is_not_found(&t.registry.drafts().finish(&other, mine.id).await));
        assert_eq!(t.registry.drafts().list(&other, PageRequest::default()).await.unwrap().total, 0);
    }
    let viewer = t.actor(Role::Viewer, None).await;
    assert!(matches!(t.registry.drafts().get(&viewer, mine.id).await, Err(Error::Forbidden { .. })));
    assert_eq!(t.registry.drafts().get(&t.admin(), mine.id).await.unwrap().id, mine.id);
    assert_eq!(t.registry.drafts().list(&ann, PageRequest::default()).await.unwrap().total, 1);
    t.registry.drafts().delete(&ann, mine.id).await.unwrap();
    assert!(is_not_found(&t.registry.drafts().get(&ann, mine.id).await));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draft_first_step_is_validated_like_an_integration(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    assert_eq!(
        draft(&t, "https://mcp.linear.app/mcp").await.slug.as_str(),
        "linear-2",
        "a free one is proposed"
    );
    for (url, slug, code) in [
        ("nonsense", None, "invalid_url"),
        ("ftp://h.example/mcp", None, "scheme_not_allowed"),
        ("https://10.0.0.1/mcp", None, "address_not_allowed"),
        ("https://h.example/mcp", Some("a b"), "invalid_slug"),
    ] {
        let new = DraftAddress { slug: slug.map(str::to_owned), ..address(url) };
        let Err(Error::Invalid(findings)) = t.registry.drafts().create(&t.admin(), new).await else {
            panic!("{url}")
        };
        assert_eq!(findings.0[0].code, code);
    }
    let taken = DraftAddress { slug: Some("Linear".to_owned()), ..address("https://h.example/mcp") };
    let refused = t.registry.drafts().create(&t.admin(), taken).await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::SlugTaken, .. })),
        "{refused:?}"
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draft_secrets_are_encrypted_and_bound_to_their_origin(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let one = draft(&t, "https://mcp.linear.app/mcp").await;
    let (registry, admin) = (&t.registry, t.admin());
    let kept = registry
        .drafts()
        .choose_approach(&admin, one.id, Approach::ByHand, by_hand(Some(CANARY)))
        .await
        .unwrap();
    let text = kept.draft.configuration.unwrap();
    assert!(text.contains("$sealed:") && !text.contains(CANARY), "{text}");
    for (table, column) in [
        ("draft", "configuration"),
        ("draft", "examination"),
        ("audit_event", "before"),
        ("audit_event", "after"),
    ] {
        let sql = format!("SELECT COUNT(*) AS n FROM \"{table}\" WHERE \"{column}\" LIKE '%{CANARY}%'");
        assert_eq!(count(&t, &sql).await, 0, "{table}.{column}");
    }
    // Choosing again without a secret keeps the stored one, and a marker sent back in the text does.
    let kept =
        registry.drafts().choose_approach(&admin, one.id, Approach::ByHand, by_hand(None)).await.unwrap();
    assert_eq!(kept.draft.configuration.as_deref(), Some(text.as_str()));
    registry.drafts().set_configuration(&admin, one.id, Some(&text)).await.unwrap();
    assert_eq!(count(&t, "SELECT COUNT(*) AS n FROM sealed_value").await, 1);
    // The secret was for Linear.
    let moved =
        registry.drafts().set_address(&admin, one.id, address("https://evil.example/mcp")).await.unwrap();
    assert_eq!(moved.findings.0[0].code, "secret_reentry_required");
    assert!(!moved.draft.configuration.unwrap().contains("$sealed:"));
    assert_eq!(count(&t, "SELECT COUNT(*) AS n FROM sealed_value").await, 0);
    // Another way takes back what this one had set.
    let kept = registry
        .drafts()
        .choose_approach(&admin, one.id, Approach::Nothing, Entered::default())
        .await
        .unwrap();
    assert_eq!(kept.draft.configuration, None);
    registry.drafts().choose_approach(&admin, one.id, Approach::ByHand, by_hand(Some(CANARY))).await.unwrap();
    registry.drafts().delete(&admin, one.id).await.unwrap();
    assert_eq!(count(&t, "SELECT COUNT(*) AS n FROM sealed_value").await, 0, "forgotten with the draft");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draft_becomes_an_integration_with_access_and_servers(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let acme = t.workspace("acme").await;
    let beta = t.workspace("beta").await;
    t.workspace("gamma").await;
    let one = draft(&t, "https://mcp.linear.app/mcp").await;
    let (registry, admin) = (&t.registry, t.admin());
    let Err(Error::Invalid(findings)) = registry.drafts().finish(&admin, one.id).await else {
        panic!("no approach yet")
    };
    assert_eq!(findings.0[0].pointer, "/approach");
    registry.drafts().choose_approach(&admin, one.id, Approach::ByHand, by_hand(Some(CANARY))).await.unwrap();
    registry.drafts().set_workspaces(&admin, one.id, &[beta.id, acme.id], true).await.unwrap();
    let finished = registry.drafts().finish(&admin, one.id).await.unwrap();
    assert_eq!(finished.affected.registrations, 2);
    let again = registry.drafts().finish(&admin, one.id).await.unwrap();
    assert_eq!(again.integration, finished.integration, "doing it twice does it once");
    assert_eq!(
        registry
            .integrations()
            .list(&admin, IntegrationFilter::default(), PageRequest::default())
            .await
            .unwrap()
            .total,
        1
    );

    let integration = registry.integrations().get(&admin, &finished.integration.into()).await.unwrap();
    assert_eq!((integration.auth_type, integration.slug.as_str()), (AuthType::OauthAuto, "linear"));
    assert!(integration.global_access);
    let access = registry.access().list(&admin, &"linear".into()).await.unwrap();
    let enabled: Vec<_> =
        access.workspaces.iter().map(|one| (one.workspace.slug.to_string(), one.enabled)).collect();
    assert_eq!(enabled, [("acme".to_owned(), true), ("beta".to_owned(), true), ("gamma".to_owned(), false)]);
    let filter = ServerFilter { integration: Some("linear".into()), ..ServerFilter::default() };
    assert_eq!(registry.servers().list(&admin, filter, PageRequest::default()).await.unwrap().total, 2);
    let filter = RegistrationFilter::default();
    assert_eq!(registry.registrations().list(&admin, filter, PageRequest::default()).await.unwrap().total, 2);

    // The secret is the integration's now: it is kept by its marker, and the draft's end does not forget it.
    let text = integration.configuration.unwrap();
    let subject = ConfigurationScope::Integration("linear".into());
    registry.configurations().set(&admin, &subject, Some(text), None, None).await.unwrap();
    assert_eq!(count(&t, "SELECT COUNT(*) AS n FROM sealed_value WHERE owner_kind = 'integration'").await, 1);
    registry.drafts().delete(&admin, one.id).await.unwrap();
    assert_eq!(count(&t, "SELECT COUNT(*) AS n FROM sealed_value").await, 1);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_draft_creates_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let acme = t.workspace("acme").await;
    let one = draft(&t, "https://mcp.linear.app/mcp").await;
    let (registry, admin) = (&t.registry, t.admin());
    registry.drafts().choose_approach(&admin, one.id, Approach::ByHand, by_hand(Some(CANARY))).await.unwrap();
    registry.drafts().set_workspaces(&admin, one.id, &[acme.id], false).await.unwrap();
    // What only shows when a server is made of it: the resolved grant and response types contradict each other.
    let organisation =
        r#"{"oauth_client_metadata":{"grant_types":["client_credentials"],"response_types":[]}}"#;
    registry
        .configurations()
        .set(&admin, &ConfigurationScope::Organisation, Some(organisation.to_owned()), None, None)
        .await
        .unwrap();
    let broken = r#"{"oauth_client_metadata":{"client_id":"abc","response_types":["code"]}}"#;
    registry.drafts().set_configuration(&admin, one.id, Some(broken)).await.unwrap();
    let Err(Error::Invalid(findings)) = registry.drafts().finish(&admin, one.id).await else {
        panic!("it contradicts itself")
    };
    assert!(findings.0[0].message.starts_with("For the server acme/linear:"), "{findings:?}");
    for table in ["integration", "access", "server", "registration"] {
        assert_eq!(count(&t, &format!("SELECT COUNT(*) AS n FROM {table}")).await, 0, "{table}");
    }
    let still = registry.drafts().get(&admin, one.id).await.unwrap();
    assert_eq!((still.integration, still.configuration.as_deref()), (None, Some(broken)));
    // A slug that was taken meanwhile.
    registry.drafts().set_configuration(&admin, one.id, None).await.unwrap();
    t.integration("linear", "https://other.example/mcp", None).await;
    let refused = registry.drafts().finish(&admin, one.id).await;
    assert!(
        matches!(refused, Err(Error::Conflict { code: registry::ConflictCode::SlugTaken, .. })),
        "{refused:?}"
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspace_user_creates_integrations_of_the_workspace(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let acme = t.workspace("acme").await;
    let beta = t.workspace("beta").await;
    let ann = t.actor(Role::Manager, Some("acme")).await;
    let one = t.registry.drafts().create(&ann, address("https://mcp.linear.app/mcp")).await.unwrap();
    assert_eq!(one.workspaces[0].id, acme.id, "chosen from the start");
    assert!(t.registry.drafts().set_workspaces(&ann, one.id, &[acme.id], true).await.is_err());
    let kept = t.registry.drafts().set_workspaces(&ann, one.id, &[acme.id, beta.id], false).await.unwrap();
    assert_eq!(kept.draft.workspaces.len(), 1);
    t.registry.drafts().choose_approach(&ann, one.id, Approach::Register, Entered::default()).await.unwrap();
    // An admin may finish it; it is acme's all the same.
    let finished = t.registry.drafts().finish(&t.admin(), one.id).await.unwrap();
    let made = t.registry.integrations().get(&t.admin(), &finished.integration.into()).await.unwrap();
    assert_eq!(made.workspace.unwrap().id, acme.id);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_draft_is_deleted_with_its_secrets(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let (registry, admin) = (&t.registry, t.admin());
    let old = draft(&t, "https://mcp.linear.app/mcp").await;
    registry.drafts().choose_approach(&admin, old.id, Approach::ByHand, by_hand(Some(CANARY))).await.unwrap();
    t.clock.advance(chrono::TimeDelta::days(29));
    let young = draft(&t, "https://mcp.asana.com/mcp").await;
    assert_eq!(registry.drafts().remove_expired().await.unwrap(), 0);
    t.clock.advance(chrono::TimeDelta::days(2));
    assert!(is_not_found(&registry.drafts().get(&admin, old.id).await), "gone before it is swept");
    assert_eq!(registry.drafts().remove_expired().await.unwrap(), 1);
    assert_eq!(count(&t, "SELECT COUNT(*) AS n FROM sealed_value").await, 0);
    assert_eq!(registry.drafts().list(&admin, PageRequest::default()).await.unwrap().items[0].id, young.id);
    assert!(is_not_found(&registry.drafts().get(&admin, DraftId(uuid::Uuid::nil())).await));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draft_check_is_kept_and_disables_impossible_choices(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let (registry, admin) = (&t.registry, t.admin());
    let one = draft(&t, &sandbox.mcp_url()).await;
    assert!(one.examination.is_none());
    let found = registry.drafts().probe(&admin, one.id).await.unwrap().examination.unwrap();
    assert!(found.reached && found.proposed == Some(Approach::Register), "{found:?}");
    assert!(sandbox.registrations().is_empty(), "nothing is registered");
    assert_eq!(registry.drafts().get(&admin, one.id).await.unwrap().examination, Some(found), "kept");

    sandbox.set_quirks(Quirks { no_registration_endpoint: true, ..Quirks::default() });
    let same = registry.drafts().probe(&admin, one.id).await.unwrap().examination.unwrap();
    assert_eq!(same.proposed, Some(Approach::Register), "two clicks start one probe");
    t.clock.advance(chrono::TimeDelta::seconds(3));
    let found = registry.drafts().probe(&admin, one.id).await.unwrap().examination.unwrap();
    assert_eq!(found.proposed, Some(Approach::ByHand));
    assert!(matches!(found.availability(Approach::Register), Availability::Closed(_)));
    let refused =
        registry.drafts().choose_approach(&admin, one.id, Approach::Register, Entered::default()).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");

    let elsewhere = format!("{}x", sandbox.mcp_url());
    sandbox.set_quirks(Quirks { resource: Some(elsewhere.clone()), ..Quirks::default() });
    t.clock.advance(chrono::TimeDelta::seconds(3));
    let found = registry.drafts().probe(&admin, one.id).await.unwrap().examination.unwrap();
    assert_eq!(found.probes[1].instead.as_deref(), Some(elsewhere.as_str()), "{found:?}");
    let moved = registry.drafts().set_address(&admin, one.id, address(&elsewhere)).await.unwrap();
    assert!(moved.draft.examination.is_none(), "what was found was about another address");
    sandbox.stop().await;

    t.clock.advance(chrono::TimeDelta::seconds(3));
    let found = registry.drafts().probe(&admin, one.id).await.unwrap().examination.unwrap();
    assert!(!found.reached && *found.availability(Approach::Register) == Availability::Unknown, "{found:?}");
    registry.drafts().choose_approach(&admin, one.id, Approach::Register, Entered::default()).await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enterprise_example_goes_through_a_draft_as_written(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let one = draft(&t, "https://mcp.linear.app/mcp").await;
    let (registry, admin) = (&t.registry, t.admin());
    let checked = registry.drafts().check(&admin, one.id, Some(ENTERPRISE_COMPLIANCE)).await.unwrap();
    assert!(checked.findings.is_empty(), "{:?}", checked.findings);
    assert_eq!(
        checked.preview.unwrap().resolution.effective.client_metadata["client_name"],
        "Acme Corp MCP Gateway"
    );
    assert!(
        registry.drafts().get(&admin, one.id).await.unwrap().configuration.is_none(),
        "checking saves nothing"
    );
    registry.drafts().set_configuration(&admin, one.id, Some(ENTERPRISE_COMPLIANCE)).await.unwrap();
    registry.drafts().choose_approach(&admin, one.id, Approach::Register, Entered::default()).await.unwrap();
    registry.drafts().finish(&admin, one.id).await.unwrap();
    let made = registry.integrations().get(&admin, &Reference::parse("linear")).await.unwrap();
    assert_eq!(made.configuration.as_deref(), Some(ENTERPRISE_COMPLIANCE));
}
