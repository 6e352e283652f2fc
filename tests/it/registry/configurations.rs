//! Saving, checking, reverting Advanced Configurations; secrets; who may.

use registry::{
    AccessChange, AccessUpdate, Check, ConfigurationScope, Error, IntegrationChange, PageRequest,
    ReplacementMode, ServerChange, ServerRef,
};
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::finding::{Findings, Severity};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::rollout::RolloutOptions;
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use support::{Engine, TestRegistry};

fn by_slug(slug: &str) -> Reference {
    Reference::parse(slug)
}

fn server(workspace: &str, server: &str) -> ServerRef {
    ServerRef { server: by_slug(server), workspace: Some(by_slug(workspace)) }
}

/// The findings of a refused save.
fn refused<T: std::fmt::Debug>(result: registry::Result<T>) -> Findings {
    match result {
        Err(Error::Invalid(findings)) => findings,
        other => panic!("expected a refusal with findings, got {other:?}"),
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enterprise_example_is_saved_as_written_and_sent_as_documented(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    let integration =
        t.integration("linear", "https://mcp.linear.app/mcp", Some(ENTERPRISE_COMPLIANCE)).await;
    assert_eq!(
        integration.configuration.as_deref(),
        Some(ENTERPRISE_COMPLIANCE),
        "kept as the user wrote it"
    );
    t.server("linear", "acme").await;
    let metadata = t.registry.servers().client_metadata(&t.admin(), &server("acme", "linear")).await.unwrap();
    let mut expected: serde_json::Value = serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap();
    let expected = expected["oauth_client_metadata"].as_object_mut().unwrap();
    for (name, value) in [
        ("grant_types", serde_json::json!(["authorization_code", "refresh_token"])),
        ("response_types", serde_json::json!(["code"])),
        ("token_endpoint_auth_method", serde_json::json!("none")),
        ("application_type", serde_json::json!("native")),
        ("redirect_uris", serde_json::json!(["http://localhost:8787/oauth/upstream-callback"])),
    ] {
        expected.insert(name.to_owned(), value);
    }
    assert_eq!(&metadata.resolution.effective.client_metadata, expected);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_save_changes_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("linear", "https://mcp.linear.app/mcp", Some(ENTERPRISE_COMPLIANCE)).await;
    let change = IntegrationChange {
        name: Some("Other".into()),
        configuration: Patch::Set(r#"{"oauth_client_metadata":{"contacts":"a@b"}}"#.into()),
        ..IntegrationChange::default()
    };
    let findings =
        refused(t.registry.integrations().update(&t.admin(), &by_slug("linear"), change, None).await);
    assert_eq!(findings.0[0].pointer, "/configurations/oauth_client_metadata/contacts");
    assert_eq!(findings.0[0].code, "wrong_type");
    let now = t.registry.integrations().get(&t.admin(), &by_slug("linear")).await.unwrap();
    assert_eq!((now.name.as_str(), now.version), ("linear", 1));
    assert_eq!(now.configuration.as_deref(), Some(ENTERPRISE_COMPLIANCE));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_stored_only_in_encrypted_rows(#[case] engine: Engine) {
    const CANARY: &str = "canary-Zq9-secret";
    let t = TestRegistry::new(engine).await;
    let text = format!(
        r#"{{"oauth_client_metadata":{{"client_id":"abc","client_secret":"{CANARY}"}},"headers":{{"X-Key":"{CANARY}"}}}}"#
    );
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", Some(&text)).await;
    t.server("linear", "acme").await;
    let saved = t.registry.integrations().get(&t.admin(), &by_slug("linear")).await.unwrap();
    let stored = saved.configuration.unwrap();
    assert!(stored.contains("$sealed:") && !stored.contains(CANARY), "{stored}");

    // Sent back as it is read, nothing changes; a marker moved elsewhere is refused.
    let same =
        IntegrationChange { configuration: Patch::Set(stored.clone()), ..IntegrationChange::default() };
    let again = t.registry.integrations().update(&t.admin(), &by_slug("linear"), same, None).await.unwrap();
    assert_eq!(again.value.configuration.as_deref(), Some(&*stored));
    let moved = stored.replace("\"X-Key\"", "\"X-Other\"");
    let moved = IntegrationChange { configuration: Patch::Set(moved), ..IntegrationChange::default() };
    let findings =
        refused(t.registry.integrations().update(&t.admin(), &by_slug("linear"), moved, None).await);
    assert!(
        findings.iter().any(|finding| finding.pointer == "/configurations/headers/X-Other"),
        "{findings:?}"
    );

    // Nowhere in the database but sealed.
    let db = t.database.connect().await;
    for (table, column) in text_columns(&db).await {
        let sql = format!(
            "SELECT COUNT(*) AS n FROM \"{table}\" WHERE CAST(\"{column}\" AS TEXT) LIKE '%{CANARY}%'"
        );
        let row =
            db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "n").unwrap(), 0, "{table}.{column} holds the secret");
    }
}

/// Every column of every table, from the database's own catalogue.
async fn text_columns(db: &sea_orm::DatabaseConnection) -> Vec<(String, String)> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name AS t, p.name AS c FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'"
        }
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let columns: Vec<_> =
        rows.iter().map(|row| (row.try_get("", "t").unwrap(), row.try_get("", "c").unwrap())).collect();
    assert!(columns.len() > 100, "the catalogue was read");
    columns
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_is_not_reused_for_another_origin(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let text = r#"{"oauth_client_metadata":{"client_id":"abc","client_secret":"s3cret","token_endpoint":"https://a.example/token"}}"#;
    t.integration("linear", "https://mcp.linear.app/mcp", Some(text)).await;
    let stored =
        t.registry.integrations().get(&t.admin(), &by_slug("linear")).await.unwrap().configuration.unwrap();

    let moved =
        IntegrationChange { url: Some("https://evil.example/mcp".into()), ..IntegrationChange::default() };
    let findings =
        refused(t.registry.integrations().update(&t.admin(), &by_slug("linear"), moved, None).await);
    assert_eq!(findings.0.iter().filter(|f| f.code == "secret_reentry_required").count(), 1, "{findings:?}");

    let redirected = stored.replace("https://a.example/token", "https://evil.example/token");
    let change =
        IntegrationChange { configuration: Patch::Set(redirected.clone()), ..IntegrationChange::default() };
    let findings =
        refused(t.registry.integrations().update(&t.admin(), &by_slug("linear"), change, None).await);
    assert!(findings.iter().any(|f| f.code == "secret_reentry_required"), "{findings:?}");

    // Entered again, it is accepted.
    let marker = stored.split("\"client_secret\":").nth(1).unwrap().split(',').next().unwrap();
    let entered = redirected.replace(marker, "\"new-secret\"");
    let change = IntegrationChange { configuration: Patch::Set(entered), ..IntegrationChange::default() };
    t.registry.integrations().update(&t.admin(), &by_slug("linear"), change, None).await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_can_be_restored_and_present_secrets_stay(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let subject = ConfigurationScope::Integration(by_slug("linear"));
    t.integration("linear", "https://mcp.linear.app/mcp", Some(r#"{"headers":{"X-Key":"one"}}"#)).await;
    let first = t.registry.configurations().get(&t.admin(), &subject).await.unwrap();
    let second = r#"{"headers":{"X-Key":"two"},"oauth_client_metadata":{"client_name":"B"}}"#;
    t.registry
        .configurations()
        .set(&t.admin(), &subject, Some(second.into()), Some("a note".into()), Some(first.version))
        .await
        .unwrap();
    let stale = t.registry.configurations().set(&t.admin(), &subject, None, None, Some(first.version)).await;
    assert!(matches!(stale, Err(Error::Stale { current: 2 })), "{stale:?}");

    // What it would do is said before: with the secret of today, under the layers of today.
    t.workspace("acme").await;
    t.server("linear", "acme").await;
    let said = t.registry.configurations().check_revision(&t.admin(), &subject, 1, None).await.unwrap();
    assert_eq!(
        said.findings.0.iter().filter(|finding| finding.code == "secret_kept").count(),
        1,
        "{:?}",
        said.findings
    );
    assert!(!said.findings.has_errors());
    let name = &said.preview.unwrap().resolution.effective.client_metadata["client_name"];
    assert_eq!(name, "Portkey (acme/linear)");
    assert_eq!((said.affected.servers, said.changes[0].server.as_str()), (1, "linear"));
    let missing = t.registry.configurations().check_revision(&t.admin(), &subject, 9, None).await;
    assert!(matches!(missing, Err(Error::NotFound { what: "revision", .. })), "{missing:?}");

    let restored = t
        .registry
        .configurations()
        .revert(&t.admin(), &subject, 1, None, ReplacementMode::Policy, RolloutOptions::default())
        .await
        .unwrap();
    assert_eq!(restored.findings.0.len(), 1, "{:?}", restored.findings);
    assert_eq!(restored.findings.0[0].code, "secret_kept");
    let text = restored.value.text.unwrap();
    assert!(!text.contains("client_name") && text.contains("$sealed:"), "{text}");
    let revisions =
        t.registry.configurations().revisions(&t.admin(), &subject, PageRequest::default()).await.unwrap();
    assert_eq!(revisions.total, 3);
    assert_eq!((revisions.items[0].number, revisions.items[0].restored_from), (3, Some(1)));
    assert_eq!(revisions.items[1].note.as_deref(), Some("a note"));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_override_from_low_to_high_and_a_check_saves_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration(
        "linear",
        "https://mcp.linear.app/mcp",
        Some(r#"{"oauth_client_metadata":{"client_name":"I","client_uri":"https://i.example"}}"#),
    )
    .await;
    t.server("linear", "acme").await;
    let admin = t.admin();
    let name = |text: &str| Some(format!(r#"{{"oauth_client_metadata":{{"client_name":"{text}"}}}}"#));
    t.registry
        .configurations()
        .set(&admin, &ConfigurationScope::Organisation, name("O"), None, None)
        .await
        .unwrap();
    let shown = async || {
        let metadata = t.registry.servers().client_metadata(&admin, &server("acme", "linear")).await.unwrap();
        metadata.resolution.effective.client_metadata["client_name"].clone()
    };
    assert_eq!(shown().await, "I");
    let access = ConfigurationScope::Access { integration: by_slug("linear"), workspace: by_slug("acme") };
    t.registry.configurations().set(&admin, &access, name("W"), None, None).await.unwrap();
    assert_eq!(shown().await, "W");

    let check = Check {
        subject: Some(ConfigurationScope::Server(server("acme", "linear"))),
        text: name("S").unwrap(),
        preview: None,
    };
    let checked = t.registry.configurations().check(&admin, check).await.unwrap();
    let preview = checked.preview.unwrap();
    assert_eq!(preview.resolution.effective.client_metadata["client_name"], "S");
    assert_eq!(checked.affected.servers, 1);
    assert_eq!(shown().await, "W", "a check saves nothing");

    let change = ServerChange { configuration: Patch::Set(name("S").unwrap()), ..ServerChange::default() };
    t.registry.servers().update(&admin, &server("acme", "linear"), change, None).await.unwrap();
    assert_eq!(shown().await, "S");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn save_that_breaks_a_lower_level_is_refused_and_names_it(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.server("linear", "acme").await;
    let admin = t.admin();
    let code = ServerChange {
        configuration: Patch::Set(r#"{"oauth_client_metadata":{"response_types":["code"]}}"#.into()),
        ..ServerChange::default()
    };
    t.registry.servers().update(&admin, &server("acme", "linear"), code, None).await.unwrap();
    let text = r#"{"oauth_client_metadata":{"grant_types":["client_credentials"],"response_types":[]}}"#;
    let subject = ConfigurationScope::Integration(by_slug("linear"));
    let findings =
        refused(t.registry.configurations().set(&admin, &subject, Some(text.into()), None, None).await);
    let finding = findings.iter().find(|finding| finding.severity == Severity::Error).unwrap();
    assert!(finding.message.contains("acme/linear"), "{finding:?}");
    assert_eq!(t.registry.configurations().get(&admin, &subject).await.unwrap().text, None);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspace_users_see_only_their_own_objects(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.workspace("beta").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.server("linear", "beta").await;
    let manager = t.actor(Role::Manager, Some("acme")).await;
    let missing =
        |result: registry::Result<()>| assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    missing(t.registry.servers().get(&manager, &server("beta", "linear")).await.map(drop));
    missing(t.registry.integrations().get(&manager, &by_slug("linear")).await.map(drop));
    missing(t.registry.workspaces().get(&manager, &by_slug("beta")).await.map(drop));

    // Without access no server of it; with access it is visible, but not the workspace's to change.
    let new = registry::NewServer {
        integration: by_slug("linear"),
        workspace: None,
        name: "linear".into(),
        slug: None,
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    let denied = t.registry.servers().create(&manager, new.clone()).await;
    assert!(matches!(denied, Err(Error::Forbidden { .. })), "{denied:?}");
    let update = AccessUpdate {
        workspaces: vec![AccessChange {
            workspace: by_slug("acme"),
            enabled: Some(true),
            configuration: Patch::Keep,
        }],
        ..AccessUpdate::default()
    };
    let own = t.registry.access().update(&manager, &by_slug("linear"), update.clone()).await;
    missing(own.map(drop));
    t.registry.access().update(&t.admin(), &by_slug("linear"), update).await.unwrap();
    t.registry.servers().create(&manager, new).await.unwrap();
    let rename = IntegrationChange { name: Some("Mine".into()), ..IntegrationChange::default() };
    let denied = t.registry.integrations().update(&manager, &by_slug("linear"), rename, None).await;
    assert!(matches!(denied, Err(Error::Forbidden { .. })), "{denied:?}");
    let layer = ConfigurationScope::Access { integration: by_slug("linear"), workspace: by_slug("acme") };
    let text = Some(r#"{"oauth_client_metadata":{"client_name":"Acme"}}"#.to_owned());
    t.registry.configurations().set(&manager, &layer, text, None, None).await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slugs_are_unique_until_deleted_and_ambiguous_ones_are_named(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.workspace("beta").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.server("linear", "acme").await;
    t.server("linear", "beta").await;
    let bare = ServerRef { server: by_slug("LINEAR"), workspace: None };
    match t.registry.servers().get(&t.admin(), &bare).await {
        Err(Error::Conflict { code: registry::ConflictCode::AmbiguousSlug, message, .. }) => {
            assert!(message.contains("acme") && message.contains("beta"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let taken = registry::NewServer {
        integration: by_slug("linear"),
        workspace: Some(by_slug("acme")),
        name: "x".into(),
        slug: Some("Linear".into()),
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    let conflict = t.registry.servers().create(&t.admin(), taken.clone()).await;
    assert!(
        matches!(conflict, Err(Error::Conflict { code: registry::ConflictCode::SlugTaken, .. })),
        "{conflict:?}"
    );
    let gone = t.registry.servers().delete(&t.admin(), &server("acme", "linear"), None).await.unwrap();
    assert_eq!((gone.servers, gone.registrations), (1, 1));
    t.registry.servers().create(&t.admin(), taken).await.unwrap();
    let gone = t.registry.integrations().delete(&t.admin(), &by_slug("linear"), None).await.unwrap();
    assert_eq!(gone.servers, 2);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_the_organisation_do_not_go_to_a_workspace_s_own_address(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    let text = r#"{"registration":{"initial_access_token":"iat"},"headers":{"X-Key":"k"},"oauth_client_metadata":{"client_name":"O"}}"#;
    t.registry
        .configurations()
        .set(&t.admin(), &ConfigurationScope::Organisation, Some(text.into()), None, None)
        .await
        .unwrap();
    let manager = t.actor(Role::Manager, Some("acme")).await;
    let own = registry::NewIntegration {
        name: "Own".into(),
        slug: Some("own".into()),
        description: None,
        url: "https://own.example/mcp".into(),
        auth_type: registry_core::registration::AuthType::OauthAuto,
        transport: registry_core::registration::Transport::Http,
        workspace: Some(by_slug("acme")),
        configuration: None,
        secret_mappings: Vec::new(),
    };
    t.registry.integrations().create(&manager, own).await.unwrap();
    t.integration("shared", "https://shared.example/mcp", None).await;
    t.server("own", "acme").await;
    t.server("shared", "acme").await;
    let of = async |slug: &str| {
        t.registry.servers().client_metadata(&t.admin(), &server("acme", slug)).await.unwrap().resolution
    };
    let (own, shared) = (of("own").await, of("shared").await);
    assert!(
        shared.effective.registration.initial_access_token.is_some()
            && shared.effective.gateway.contains_key("headers")
    );
    assert!(
        own.effective.registration.initial_access_token.is_none()
            && !own.effective.gateway.contains_key("headers")
    );
    assert_eq!(own.effective.client_metadata["client_name"], "O", "what is no secret still applies");
    assert_eq!(own.ignored.iter().filter(|one| one.code == "secret_withheld").count(), 2);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspace_layer_does_not_change_access(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    let global = |on| AccessUpdate { global_access: Some(on), ..AccessUpdate::default() };
    t.registry.access().update(&t.admin(), &by_slug("linear"), global(true)).await.unwrap();
    let manager = t.actor(Role::Manager, Some("acme")).await;
    let layer = ConfigurationScope::Access { integration: by_slug("linear"), workspace: by_slug("acme") };
    let read = t.registry.configurations().get(&manager, &layer).await.unwrap();
    let text = Some(r#"{"oauth_client_metadata":{"client_name":"A"}}"#.to_owned());
    t.registry.configurations().set(&manager, &layer, text, None, Some(read.version)).await.unwrap();
    assert!(t.registry.integrations().get(&manager, &by_slug("linear")).await.is_ok());
    t.registry.access().update(&t.admin(), &by_slug("linear"), global(false)).await.unwrap();
    assert!(
        t.registry.integrations().get(&manager, &by_slug("linear")).await.is_err(),
        "closed for all, so closed for it"
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_saves_of_one_version_accept_one(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let made = t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    let second = t.second_process().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let registry = if number % 2 == 0 { t.registry.clone() } else { second.clone() };
        tasks.spawn(async move {
            let change =
                IntegrationChange { name: Some(format!("Name {number}")), ..IntegrationChange::default() };
            registry
                .integrations()
                .update(&registry.operator(), &"linear".into(), change, Some(made.version))
                .await
                .is_ok()
        });
    }
    let mut won = 0;
    while let Some(done) = tasks.join_next().await {
        won += u32::from(done.unwrap());
    }
    assert_eq!(won, 1);
}
