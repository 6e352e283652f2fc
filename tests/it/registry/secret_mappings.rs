//! Members that come from where the operator keeps secrets: files, and a vault that speaks as HashiCorp's does.

use mcp_registry::adapters::ExternalServices;
use mcp_registry::config::{Config, DeclaredSecret};
use mcp_registry::secrets::Secrets;
use registry::{
    ConfigurationScope, Error, IntegrationChange, NewIntegration, RecordSettings, Registry, SealingRing,
    SecretMapping, SecretReference, ServerChange, ServerRef, Settings, ValueFormat,
};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use registry_outbound::{Limits, TrustedClient, UpstreamClient};
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use support::{Engine, FakeVault, TestRegistry};

const CANARY: &str = "canary-Vx7-mapped";

/// A registry with declared secrets: `file` and `vaulted` for all, `ours` for `acme`, `bound` for one host.
struct Scenario {
    t: TestRegistry,
    registry: Registry,
    file: PathBuf,
    vault: FakeVault,
    config: Config,
    _folder: tempfile::TempDir,
}

impl Scenario {
    async fn new(t: TestRegistry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, format!("{{\"X-Key\":\"{CANARY}\"}}\n")).unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "vault-token\n").unwrap();
        let vault = FakeVault::start(json!({ "headers": { "X-Key": CANARY }, "client_secret": CANARY }));
        let in_file = || DeclaredSecret { file: Some(file.clone()), ..DeclaredSecret::default() };
        let mut config = Config::default();
        config.vault.address = Some(vault.address.clone());
        config.vault.token_file = Some(token);
        config.secrets = BTreeMap::from([
            ("file".to_owned(), in_file()),
            (
                "missing".to_owned(),
                DeclaredSecret { file: Some("/nowhere/secret".into()), ..DeclaredSecret::default() },
            ),
            (
                "vaulted".to_owned(),
                DeclaredSecret { vault: Some("secret/mcp/linear".into()), ..DeclaredSecret::default() },
            ),
            ("ours".to_owned(), DeclaredSecret { workspaces: Some(vec!["acme".into()]), ..in_file() }),
            ("bound".to_owned(), DeclaredSecret { hosts: vec!["mcp.linear.app".into()], ..in_file() }),
        ]);
        let checked = config.check();
        assert!(!checked.findings.has_errors(), "{:?}", checked.findings);
        let settings = Settings { secrets: checked.settings.secrets, ..t.settings.clone() };
        let outside = ExternalServices(
            UpstreamClient::new(settings.egress.clone(), Limits::default()),
            TrustedClient::default(),
            Secrets::new(&config, TrustedClient::default()),
        );
        let ring = SealingRing::new(vec![t.key.clone()]).unwrap();
        let opened = Registry::open(&t.database.url, settings, ring, t.clock.clone(), Arc::new(outside));
        let registry = Box::pin(opened).await.unwrap();
        registry.deployment().migrate().await.unwrap();
        t.workspace("acme").await;
        Self { t, registry, file, vault, config, _folder: folder }
    }

    /// Another process, with these secrets declared.
    async fn restarted(&self, secrets: BTreeMap<String, SecretReference>) -> Registry {
        let settings = Settings { secrets, ..self.registry.settings().clone() };
        let ring = SealingRing::new(vec![self.t.key.clone()]).unwrap();
        let outside = Arc::new(ExternalServices(
            UpstreamClient::new(settings.egress.clone(), Limits::default()),
            TrustedClient::default(),
            Secrets::new(&self.config, TrustedClient::default()),
        ));
        Registry::open(&self.t.database.url, settings, ring, self.t.clock.clone(), outside).await.unwrap()
    }

    async fn create(
        &self,
        slug: &str,
        workspace: Option<&str>,
        mappings: Vec<SecretMapping>,
    ) -> registry::Result<()> {
        let new = NewIntegration {
            name: slug.into(),
            slug: Some(slug.into()),
            description: None,
            url: "https://mcp.linear.app/mcp".into(),
            auth_type: AuthType::OauthAuto,
            transport: Transport::Http,
            workspace: workspace.map(Reference::parse),
            configuration: Some("{}".into()),
            secret_mappings: mappings,
        };
        self.registry.integrations().create(&self.registry.operator(), new).await.map(drop)
    }

    async fn change(&self, slug: &str, change: IntegrationChange) -> registry::Result<()> {
        let slug = Reference::parse(slug);
        self.registry.integrations().update(&self.registry.operator(), &slug, change, None).await.map(drop)
    }

    async fn refused(&self, workspace: Option<&str>, mapping: SecretMapping) -> (String, String) {
        match self.create("refused", workspace, vec![mapping]).await {
            Err(Error::Invalid(findings)) => {
                let one = &findings.0[0];
                assert!(!one.message.contains(CANARY), "{}", one.message);
                (one.pointer.clone(), one.code.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    async fn document(&self, slug: &str) -> Value {
        let gateway = self.t.actor(Role::Gateway, None).await;
        let document = self.registry.gateway().document(&gateway, "acme", slug).await.unwrap();
        serde_json::from_slice(&document.body).unwrap()
    }
}

fn maps(member: &str, reference: &str, format: Option<ValueFormat>, key: Option<&str>) -> SecretMapping {
    SecretMapping {
        target_field: format!("configurations.{member}"),
        reference: reference.into(),
        secret_key: key.map(str::to_owned),
        value_format: format,
    }
}

const JSON: Option<ValueFormat> = Some(ValueFormat::Json);

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mapped_secret_reaches_gateways_and_survives_outages(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    w.create("linear", None, vec![maps("headers", "file", JSON, None)]).await.unwrap();
    w.create("notion", None, vec![maps("headers", "vaulted", None, Some("headers"))]).await.unwrap();
    w.t.server("linear", "acme").await;
    w.t.server("notion", "acme").await;
    assert_eq!(w.vault.state().asked[0], ("/v1/secret/data/mcp/linear".to_owned(), "vault-token".to_owned()));
    for slug in ["linear", "notion"] {
        assert_eq!(w.document(slug).await["headers"]["X-Key"], CANARY, "{slug}");
    }
    assert_eq!(w.registry.configurations().refresh_mapped_secrets().await.unwrap(), 0, "nothing changed");

    let before = w.document("linear").await["revision"].as_i64().unwrap();
    std::fs::write(&w.file, r#"{"X-Key":"new"}"#).unwrap();
    w.vault.state().entry = json!({ "headers": { "X-Key": "newer" } });
    assert_eq!(w.registry.configurations().refresh_mapped_secrets().await.unwrap(), 2);
    let document = w.document("linear").await;
    assert_eq!(document["headers"]["X-Key"], "new");
    assert!(document["revision"].as_i64().unwrap() > before, "gateways are told");
    assert_eq!(w.document("notion").await["headers"]["X-Key"], "newer");

    // Away, or nonsense: what was read before serves on, and it is said.
    w.vault.state().refuses = Some(503);
    std::fs::write(&w.file, r#"{"X-Key":["no","text"]}"#).unwrap();
    assert_eq!(w.registry.configurations().refresh_mapped_secrets().await.unwrap(), 0);
    for (slug, value, problem) in [("linear", "new", "no longer fits"), ("notion", "newer", "cannot be read")]
    {
        assert_eq!(w.document(slug).await["headers"]["X-Key"], value);
        let shown = w.registry.integrations().get(&w.t.admin(), &Reference::parse(slug)).await.unwrap();
        let told = shown.secret_mappings[0].problem.clone().unwrap();
        assert!(told.contains(problem), "{slug}: {told}");
    }
    w.vault.state().refuses = None;
    w.registry.configurations().refresh_mapped_secrets().await.unwrap();
    let shown = w.registry.integrations().get(&w.t.admin(), &Reference::parse("notion")).await.unwrap();
    assert_eq!(shown.secret_mappings[0].problem, None);

    // Nowhere in the database but sealed, and gone with the integration.
    std::fs::write(&w.file, format!(r#"{{"X-Key":"{CANARY}"}}"#)).unwrap();
    assert_eq!(w.registry.configurations().refresh_mapped_secrets().await.unwrap(), 1);
    let db = w.t.database.connect().await;
    let count = async |sql: String| {
        let row =
            db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
        row.try_get::<i64>("", "n").unwrap()
    };
    for (table, column) in [("secret_mapping", "value"), ("audit_event", "after"), ("audit_event", "before")]
    {
        assert_eq!(
            count(format!("SELECT COUNT(*) AS n FROM {table} WHERE {column} LIKE '%{CANARY}%'")).await,
            0,
            "{table}"
        );
    }
    assert_eq!(count("SELECT COUNT(*) AS n FROM sealed_value".into()).await, 2);
    for slug in ["linear", "notion"] {
        w.registry.integrations().delete(&w.t.admin(), &Reference::parse(slug), None).await.unwrap();
    }
    assert_eq!(count("SELECT COUNT(*) AS n FROM sealed_value".into()).await, 0);
    assert_eq!(count("SELECT COUNT(*) AS n FROM secret_mapping".into()).await, 0);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_decides_who_may_use_a_secret_and_for_which_origin(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    let found = |place: &str, code: &str| (format!("/secret_mappings/0/{place}"), code.to_owned());
    for (workspace, mapping, expected) in [
        (
            None,
            maps("headers", "nobody", JSON, None),
            found("secret_reference_id", "unknown_secret_reference"),
        ),
        (
            None,
            maps("headers", "../../etc/passwd", JSON, None),
            found("secret_reference_id", "unknown_secret_reference"),
        ),
        (None, maps("headers", "ours", JSON, None), found("secret_reference_id", "unknown_secret_reference")),
        (None, maps("headers", "missing", JSON, None), found("secret_reference_id", "secret_unreadable")),
        (None, maps("headers", "file", None, None), found("secret_reference_id", "secret_unfit")),
        (None, maps("headers", "file", JSON, Some("nothing")), found("secret_key", "unknown_secret_key")),
        (None, maps("nonsense", "file", JSON, None), found("target_field", "invalid_value")),
        (None, maps("", "file", JSON, None), found("target_field", "invalid_value")),
        // Nothing of it may become readable.
        (None, maps("transport", "file", JSON, None), found("target_field", "invalid_value")),
        (None, maps("tools", "file", JSON, None), found("target_field", "invalid_value")),
        (None, maps("oauth_metadata", "file", JSON, None), found("secret_reference_id", "secret_unfit")),
        (None, maps("registration", "file", JSON, None), found("secret_reference_id", "secret_unfit")),
        (
            None,
            maps("oauth_client_metadata", "file", JSON, None),
            found("secret_reference_id", "secret_unfit"),
        ),
        (
            None,
            maps("headers", "file", Some(ValueFormat::String), Some("X-Key")),
            found("secret_reference_id", "secret_unfit"),
        ),
        (
            None,
            maps("headers", "vaulted", Some(ValueFormat::String), Some("headers")),
            found("value_format", "secret_not_text"),
        ),
        // An authorization server is another host.
        (
            None,
            maps("registration", "bound", JSON, None),
            found("secret_reference_id", "secret_not_for_this_host"),
        ),
    ] {
        let what = format!("{mapping:?}");
        assert_eq!(w.refused(workspace, mapping).await, expected, "{what}");
    }
    w.create("own", Some("acme"), vec![maps("headers", "ours", JSON, None)]).await.unwrap();

    // Bound to a host: neither made for another one nor moved there.
    w.create("bound", None, vec![maps("headers", "bound", JSON, None)]).await.unwrap();
    let mapped = || Some(vec![maps("headers", "bound", JSON, None)]);
    let elsewhere = || Some("https://evil.example/mcp".to_owned());
    for (secret_mappings, code) in [(None, "secret_reentry_required"), (mapped(), "secret_not_for_this_host")]
    {
        let moved = IntegrationChange { url: elsewhere(), secret_mappings, ..IntegrationChange::default() };
        match w.change("bound", moved).await {
            Err(Error::Invalid(findings)) => assert_eq!(findings.0[0].code, code),
            other => panic!("{other:?}"),
        }
    }
    let away = IntegrationChange {
        url: elsewhere(),
        secret_mappings: Some(Vec::new()),
        ..IntegrationChange::default()
    };
    w.change("bound", away).await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mapped_secret_of_a_server_is_not_sent_to_another_url(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    w.create("linear", Some("acme"), Vec::new()).await.unwrap();
    w.t.server("linear", "acme").await;
    let server = ServerRef { server: Reference::parse("linear"), workspace: None };
    let change = ServerChange {
        secret_mappings: Some(vec![maps("headers", "bound", JSON, None)]),
        ..ServerChange::default()
    };
    w.registry.servers().update(&w.registry.operator(), &server, change, None).await.unwrap();
    assert_eq!(w.document("linear").await["headers"]["X-Key"], CANARY);
    let elsewhere =
        IntegrationChange { url: Some("https://evil.example/mcp".into()), ..IntegrationChange::default() };
    match w.change("linear", elsewhere).await {
        Err(Error::Invalid(findings)) => {
            assert_eq!(findings.0[0].code, "secret_reentry_required");
            assert!(findings.0[0].message.contains("acme/linear"), "{}", findings.0[0].message);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(w.document("linear").await["url"], "https://mcp.linear.app/mcp");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_that_the_operator_revokes_is_removed_from_documents(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    w.create("linear", Some("acme"), vec![maps("headers", "ours", JSON, None)]).await.unwrap();
    w.t.server("linear", "acme").await;
    assert_eq!(w.document("linear").await["headers"]["X-Key"], CANARY);
    for narrowed in [
        Some(SecretReference { workspaces: Some(vec!["nobody".into()]), hosts: Vec::new() }),
        Some(SecretReference { workspaces: None, hosts: vec!["elsewhere.example".into()] }),
        None,
    ] {
        let what = format!("{narrowed:?}");
        let mut secrets = w.registry.settings().secrets.clone();
        secrets.remove("ours");
        secrets.extend(narrowed.map(|narrowed| ("ours".to_owned(), narrowed)));
        let restarted = w.restarted(secrets).await;
        restarted.deployment().migrate().await.unwrap();
        assert_eq!(
            w.registry.configurations().refresh_mapped_secrets().await.unwrap(),
            0,
            "{what}: during a rollout only who has the new ones"
        );
        assert_eq!(restarted.configurations().refresh_mapped_secrets().await.unwrap(), 1, "{what}");
        assert!(w.document("linear").await["headers"]["X-Key"].is_null(), "{what}");
        let shown = restarted.integrations().get(&w.t.admin(), &Reference::parse("linear")).await.unwrap();
        let told = shown.secret_mappings[0].problem.clone().unwrap();
        assert!(told.contains("no longer allows"), "{told}");
        assert_eq!(restarted.configurations().refresh_mapped_secrets().await.unwrap(), 0, "said once");
        // Allowed again it is back.
        w.registry.deployment().migrate_and_record(RecordSettings::PutBack).await.unwrap();
        assert_eq!(w.registry.configurations().refresh_mapped_secrets().await.unwrap(), 1, "{what}");
        assert_eq!(w.document("linear").await["headers"]["X-Key"], CANARY, "{what}");
    }
    let filter =
        registry::AuditFilter { action: Some("secret.changed".into()), ..registry::AuditFilter::default() };
    let events =
        w.registry.audit().events(&w.t.admin(), filter, registry::PageRequest::default()).await.unwrap();
    assert_eq!(events.total, 6);
    assert!(
        events.items.iter().all(|event| event.subject_name.as_deref() == Some("linear")),
        "{:?}",
        events.items
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_mappings_are_audited_without_values(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    w.create("linear", None, vec![maps("headers", "file", JSON, None)]).await.unwrap();
    let change = IntegrationChange { secret_mappings: Some(Vec::new()), ..IntegrationChange::default() };
    w.change("linear", change).await.unwrap();
    let filter = registry::AuditFilter {
        action: Some("secret_mappings.changed".into()),
        ..registry::AuditFilter::default()
    };
    let events =
        w.registry.audit().events(&w.t.admin(), filter, registry::PageRequest::default()).await.unwrap();
    let mapped = json!([{ "target_field": "configurations.headers", "secret_reference_id": "file", "secret_key": null, "value_format": "json" }]);
    let told: Vec<_> = events.items.iter().map(|event| (event.before.clone(), event.after.clone())).collect();
    assert_eq!(told, [(Some(mapped.clone()), Some(json!([]))), (Some(json!([])), Some(mapped))]);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mapped_member_has_one_source(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    w.create("linear", None, vec![maps("custom_headers", "file", JSON, None)]).await.unwrap();
    let own = || Patch::Set(r#"{"headers":{"X":"y"}}"#.to_owned());
    let change = IntegrationChange { configuration: own(), ..IntegrationChange::default() };
    match w.change("linear", change).await {
        Err(Error::Invalid(findings)) => assert_eq!(findings.0[0].code, "member_set_twice"),
        other => panic!("{other:?}"),
    }
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    let operator = w.registry.operator();
    let saved =
        w.registry.configurations().set(&operator, &subject, own().change().unwrap(), None, None).await;
    assert!(matches!(saved, Err(Error::Invalid(_))));
    // From one to the other in one step.
    let change = IntegrationChange {
        configuration: own(),
        secret_mappings: Some(Vec::new()),
        ..IntegrationChange::default()
    };
    w.change("linear", change).await.unwrap();
    for twice in [
        vec![
            maps("passthrough_headers", "file", JSON, None),
            maps("passthrough_headers", "vaulted", None, Some("headers")),
        ],
        vec![maps("headers", "file", JSON, None), maps("custom_headers", "vaulted", None, Some("headers"))],
    ] {
        let change = IntegrationChange {
            secret_mappings: Some(twice),
            configuration: Patch::Clear,
            ..IntegrationChange::default()
        };
        match w.change("linear", change).await {
            Err(Error::Invalid(findings)) => assert_eq!(findings.0[0].code, "duplicate"),
            other => panic!("{other:?}"),
        }
    }
    let declared = SecretReference::default();
    assert_eq!(w.registry.settings().secrets["file"], declared);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_and_exports_list_omitted_members(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let w = Scenario::new(t).await;
    w.create("linear", None, vec![maps("headers", "file", JSON, None)]).await.unwrap();
    let admin = w.t.admin();
    let copied =
        w.registry.integrations().duplicate(&admin, &"linear".into(), "Trials".into(), None).await.unwrap();
    assert_eq!((copied.left_out, copied.value.secret_mappings.len()), (vec!["/headers".to_owned()], 0));
    let text = w.registry.integrations().export_these(&admin, &["linear".into()]).await.unwrap();
    let exported: Value = serde_json::from_str(&text).unwrap();
    let mapping = json!({ "target_field": "configurations.headers", "secret_reference_id": "file", "secret_key": null, "value_format": "json" });
    assert_eq!(exported["integrations"][0]["secret_mappings"], json!([mapping]));
    assert!(!text.contains(CANARY));
    let other = TestRegistry::new(Engine::Sqlite).await;
    let imported = other.registry.integrations().import(&other.admin(), &text).await.unwrap();
    let told: Vec<_> = imported.findings.iter().map(|one| (one.pointer.as_str(), &*one.code)).collect();
    assert_eq!(told, [("/integrations/0/secret_mappings", "not_imported")]);
}
