//! Settings that all processes share: two generations are valid during a rollout, and every process works with the newest.

use crate::resilience::backup::rows;
use crate::worker::{Working, registration_when, upstream};
use registry::{
    Error, IntegrationChange, NewWorkspace, RecordSettings, RegistrationQueue, Registry, SecretReference,
    Settings, SettingsStatus, WorkspaceChange,
};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::State;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use rstest::rstest;
use serde_json::Value;
use support::{Client, Engine, TestRegistry, TestServer};

const NEW: &str = "https://new.example.com";
const NEW_CALLBACK: &str = "https://new.example.com/oauth/upstream-callback";

/// Each shared setting, changed.
fn changes(settings: &Settings) -> Vec<(&'static str, Settings)> {
    let mut branding = settings.clone();
    "Renamed {workspace}/{server}".clone_into(&mut branding.branding.client_name);
    let gateway = Settings { gateway_urls: vec![NEW.to_owned()], ..settings.clone() };
    let documents =
        Settings { cimd_public_url: Some("https://documents.example.com".to_owned()), ..settings.clone() };
    let mut secrets = settings.clone();
    secrets.secrets.insert("added".to_owned(), SecretReference::default());
    vec![
        ("branding", branding),
        ("gateway.urls", gateway),
        ("cimd.public_url", documents),
        ("secrets", secrets),
    ]
}

async fn standing(registry: &Registry) -> SettingsStatus {
    registry.deployment().ready().await.unwrap().settings
}

fn moved(settings: &Settings, url: &str) -> Settings {
    Settings { gateway_urls: vec![url.to_owned()], ..settings.clone() }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_with_previous_settings_stays_ready_and_names_the_difference(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    assert_eq!(standing(&t.registry).await, SettingsStatus::Current);
    let admin = t.actor(Role::Admin, None).await;
    let mut old = (t.registry.clone(), t.settings.clone());
    for (name, _) in changes(&t.settings) {
        // One setting after the other, each on top of those before.
        let (_, settings) = changes(&old.1).into_iter().find(|(one, _)| *one == name).unwrap();
        let new = t.process_with_settings(settings.clone()).await;
        let foreign = new.deployment().ready().await.unwrap_err().to_string();
        assert!(foreign.contains(&format!("`{name}`")), "before `migrate`: {foreign}");
        let migrated = new.deployment().migrate().await.unwrap();
        assert_eq!((migrated.changed, migrated.settings), (vec![name], SettingsStatus::Current));
        assert_eq!(standing(&new).await, SettingsStatus::Current);
        assert_eq!(standing(&old.0).await, SettingsStatus::Previous(vec![name]));
        // It works with the values in effect, also before a readiness check.
        let workspace = NewWorkspace { name: name.to_owned(), slug: None, description: None };
        old.0.workspaces().create(&admin, workspace).await.unwrap();
        let shown = old.0.deployment().organisation(&admin).await.unwrap();
        assert_eq!(
            (shown.callback_urls, shown.branding),
            (settings.shared().callbacks(), settings.branding.clone())
        );
        old = (new, settings);
    }
    let first = t.registry.deployment().ready().await.unwrap_err().to_string();
    assert!(first.contains("`gateway.urls`"), "two generations back: {first}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_with_unknown_settings_changes_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.server("linear", "acme").await;
    let admin = t.actor(Role::Admin, None).await;
    let stray = t.process_with_settings(moved(&t.settings, "https://stray.example.com")).await;
    let db = t.database.connect().await;
    let before = rows(&db).await;
    let refused = |what: &str, done: Option<Error>| match done {
        Some(Error::SettingsDiffer(why)) => assert!(why.contains("`gateway.urls`"), "{why}"),
        other => panic!("{what}: {other:?}"),
    };
    let workspace = NewWorkspace { name: "New".into(), slug: None, description: None };
    refused("a workspace", stray.workspaces().create(&admin, workspace).await.err());
    let linear = Reference::parse("linear");
    let change = IntegrationChange { name: Some("Other".into()), ..IntegrationChange::default() };
    refused("an integration", stray.integrations().update(&admin, &linear, change, None).await.err());
    let change = WorkspaceChange { name: Some("Other".into()), ..WorkspaceChange::default() };
    refused(
        "a workspace's name",
        stray.workspaces().update(&admin, &Reference::parse("acme"), change, None).await.err(),
    );
    refused("a worker's claim", stray.registration_queue().claim("stray", 1, 1, |_| None).await.err());
    refused("secrets", stray.configurations().refresh_mapped_secrets().await.err());
    refused("the audit log", stray.audit().maintain().await.err());
    assert!(rows(&db).await == before);
    // Reads work, with the callbacks in effect once they are known.
    assert!(stray.deployment().ready().await.is_err());
    assert_eq!(
        stray.deployment().organisation(&admin).await.unwrap().callback_urls,
        t.settings.shared().callbacks()
    );
    // Commands on the machine work, whatever their environment, and change no setting.
    stray
        .api_keys()
        .create(
            &stray.operator(),
            registry::NewApiKey {
                name: "helper".into(),
                role: Role::Viewer,
                scopes: Vec::new(),
                workspace: None,
                expires_at: None,
                reason: None,
            },
        )
        .await
        .unwrap();
    assert_eq!(standing(&t.registry).await, SettingsStatus::Current);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previous_settings_are_restored_only_on_request(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let new = t.process_with_settings(moved(&t.settings, NEW)).await;
    assert!(matches!(
        new.deployment().migrate_and_record(RecordSettings::PutBack).await,
        Err(Error::Conflict { code: registry::ConflictCode::NothingToPutBack, .. })
    ));
    assert_eq!(new.deployment().migrate().await.unwrap().generation, 2);
    // A replica that is started again in the middle of a rollout runs `migrate` first.
    let again = t.registry.deployment().migrate().await.unwrap();
    assert_eq!(
        (again.generation, again.changed, again.settings),
        (2, vec![], SettingsStatus::Previous(vec!["gateway.urls"]))
    );
    assert_eq!(new.deployment().migrate().await.unwrap().generation, 2, "twice is once");
    let back = t.registry.deployment().migrate_and_record(RecordSettings::PutBack).await.unwrap();
    assert_eq!((back.generation, back.changed), (3, vec!["gateway.urls"]));
    assert_eq!(standing(&t.registry).await, SettingsStatus::Current);
    assert_eq!(standing(&new).await, SettingsStatus::Previous(vec!["gateway.urls"]));
    // A process that only maintains the database does none of this.
    let stray = t.process_with_settings(moved(&t.settings, "https://stray.example.com")).await;
    assert_eq!(stray.deployment().migrate_and_record(RecordSettings::Nothing).await.unwrap().generation, 3);
    assert_eq!(standing(&t.registry).await, SettingsStatus::Current);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollout_ends_when_the_operator_confirms(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let new = t.process_with_settings(moved(&t.settings, NEW)).await;
    new.deployment().migrate().await.unwrap();
    assert!(matches!(
        t.registry.deployment().finish_rollout().await,
        Err(Error::Conflict { code: registry::ConflictCode::OtherSettings, .. })
    ));
    assert!(new.deployment().finish_rollout().await.unwrap());
    assert!(!new.deployment().finish_rollout().await.unwrap(), "there is none any more");
    let told = t.registry.deployment().ready().await.unwrap_err().to_string();
    assert!(told.contains("`gateway.urls`"), "{told}");
    new.deployment().ready().await.unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_recorded_by_an_earlier_release_are_the_first_generation(#[case] engine: Engine) {
    use sea_orm::ConnectionTrait;
    let t = TestRegistry::new(engine).await;
    let db = t.database.connect().await;
    db.execute_unprepared("DELETE FROM deployment WHERE key = 'settings'").await.unwrap();
    for (key, value) in [
        ("branding", serde_json::to_string(&t.settings.branding).unwrap()),
        ("gateway.urls", serde_json::to_string(&t.settings.gateway_urls).unwrap()),
        ("cimd.public_url", "null".to_owned()),
        ("secrets", "{}".to_owned()),
    ] {
        let value = value.replace('\'', "''");
        let sql = format!("INSERT INTO deployment (key, value, updated_at) VALUES ('{key}', '{value}', 0)");
        db.execute_unprepared(&sql).await.unwrap();
    }
    let same = t.registry.deployment().migrate().await.unwrap();
    assert_eq!((same.generation, same.changed), (1, vec![]));
    let new = t.process_with_settings(moved(&t.settings, NEW)).await;
    assert_eq!(new.deployment().migrate().await.unwrap().generation, 2);
    assert_eq!(standing(&t.registry).await, SettingsStatus::Previous(vec!["gateway.urls"]));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_both_settings_update_each_client_once(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let sandbox = upstream(&t, Quirks::default(), None).await;
    let old_worker = Working::start(&t.registry, Limits::default());
    let first = registration_when(&t, |detail| detail.registration.state == State::Registered).await;
    assert_eq!(first.clients[0].settings_generation, Some(1));
    let new = t.process_with_settings(moved(&t.settings, NEW)).await;
    let new_worker = Working::start(&new, Limits::default());
    new.deployment().migrate().await.unwrap();
    let has_new = |client: &registry::OAuthClient| {
        client.request.as_ref().is_some_and(|request| request["redirect_uris"][0] == NEW_CALLBACK)
    };
    let updated = registration_when(&t, |detail| {
        detail.registration.state == State::Registered && has_new(&detail.clients[0])
    })
    .await;
    assert_eq!((updated.clients.len(), updated.clients[0].settings_generation), (1, Some(2)));
    // Every user, through every process, saves the same desired state.
    for (number, process) in [&t.registry, &new, &t.registry].into_iter().enumerate() {
        let name = format!("Saved {number}");
        let text = serde_json::json!({ "oauth_client_metadata": { "client_name": name } }).to_string();
        let change = IntegrationChange { configuration: Patch::Set(text), ..IntegrationChange::default() };
        let admin = t.actor(Role::Admin, None).await;
        process.integrations().update(&admin, &Reference::parse("linear"), change, None).await.unwrap();
        let seen = registration_when(&t, |detail| {
            let request = detail.clients[0].request.as_ref();
            detail.registration.state == State::Registered
                && request.is_some_and(|request| request["client_name"] == *name)
        })
        .await;
        assert!(has_new(&seen.clients[0]), "{:?}", seen.clients[0].request);
    }
    old_worker.stop().await;
    new_worker.stop().await;
    let puts = sandbox.requests().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(puts, 4, "one for the settings, one for each save");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_and_problems_say_which_settings_differ(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let old = t.anonymous();
    let ready: Value = old.get("/readyz").await.expect(200).json();
    assert_eq!(ready, serde_json::json!({ "status": "ready" }));
    let key = t.key(Role::Admin, None).await;
    let new = t.inner.process_with_settings(moved(&t.inner.settings, NEW)).await;
    let replica = t.replica_of(new.clone());
    let early = Client::new(&replica.url, &key);
    early.get("/readyz").await.expect(503);
    let named = |name: &str| serde_json::json!({ "name": name });
    let refused = early.post("/v1/workspaces", &named("One")).await.expect(503);
    assert_eq!(refused.json()["code"], "settings_differ", "{}", refused.text);
    new.deployment().migrate().await.unwrap();
    early.get("/readyz").await.expect(200);
    early.post("/v1/workspaces", &named("Two")).await.expect(200);
    let ready = old.get("/readyz").await.expect(200).json();
    let said = serde_json::json!({ "status": "ready", "settings": "previous generation", "differing_settings": ["gateway.urls"] });
    assert_eq!(ready, said);
    t.with_token(&key).post("/v1/workspaces", &named("Three")).await.expect(200);
    new.deployment().finish_rollout().await.unwrap();
    old.get("/readyz").await.expect(503);
    let refused = t.with_token(&key).post("/v1/workspaces", &named("Four")).await.expect(503);
    assert_eq!(refused.json()["code"], "settings_differ", "{}", refused.text);
    assert!(!refused.header("retry-after").is_empty());
    t.with_token(&key).get("/v1/workspaces").await.expect(200);
}
