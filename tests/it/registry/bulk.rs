//! What makes or changes many things at once: whole or not at all, with few statements, and without keeping others waiting.

use registry::{AccessChange, AccessUpdate, Error, NewWorkspace, PageRequest, WorkspaceFilter};
use registry_core::patch::Patch;
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{Engine, TestRegistry, statements};

/// The most integrations of one import, each with secrets, a logo and a history.
fn import(name: &str) -> String {
    let one = |number: usize| {
        format!(
            r#"{{ "name": "{name} {number}", "url": "https://mcp-{number}.example.com/mcp", "auth_type": "oauth_auto",
  "transport": "http", "configurations": {{ "headers": {{ "X-Key": "secret-{number}", "X-Other": "other" }},
  "oauth_client_metadata": {{ "client_name": "Acme {number}", "logo_uri": "https://acme.com/{number}.png", "scope": "mcp:read" }} }} }}"#
        )
    };
    format!("[{}]", (0..500).map(one).collect::<Vec<_>>().join(","))
}

/// Looks each millisecond whether a write is open; gives the longest time that one was, once `over` says so.
async fn longest_write(url: String, engine: Engine, over: Arc<AtomicBool>) -> Duration {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    let db = Database::connect(options).await.unwrap();
    if engine == Engine::Sqlite {
        db.execute_unprepared("PRAGMA busy_timeout = 0").await.unwrap();
    }
    let look = match engine {
        Engine::Sqlite => "BEGIN IMMEDIATE; ROLLBACK",
        Engine::Postgres => {
            "DO $$ BEGIN IF NOT pg_try_advisory_xact_lock('deployment'::regclass::oid::int, 7301) \
             THEN RAISE EXCEPTION 'held'; END IF; END $$"
        }
    };
    let (mut longest, mut since): (Duration, Option<Instant>) = (Duration::ZERO, None);
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !over.load(Ordering::SeqCst) {
        ticks.tick().await;
        let is_held = db.execute_unprepared(look).await.is_err();
        since = is_held.then(|| since.unwrap_or_else(Instant::now));
        longest = longest.max(since.map_or(Duration::ZERO, |began| began.elapsed()));
    }
    db.close().await.unwrap();
    longest
}

/// How long an import may hold the write. What the compiler did not optimise takes four times as long and more.
const MAX_HOLD: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 100 });

/// The processor time of this process so far (proc(5): `utime` and `stime`, in hundredths of a second).
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_of_500_integrations_delays_no_write(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let mut held = Vec::new();
    for turn in 0..5 {
        let text = import(&format!("Import {turn}"));
        let over = Arc::new(AtomicBool::new(false));
        let watched = tokio::spawn(longest_write(t.database.url.clone(), t.database.engine, over.clone()));
        let (began, before) = (Instant::now(), spent());
        let made = t.registry.integrations().import(&t.admin(), &text).await;
        // On a busy machine everything takes longer in proportion.
        let share = spent().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
        over.store(true, Ordering::SeqCst);
        let longest = watched.await.unwrap().mul_f64(share.min(1.0));
        assert_eq!(made.unwrap().integrations.len(), 500);
        held.push(longest);
        if longest < MAX_HOLD {
            break;
        }
    }
    eprintln!("held: {held:?}");
    assert!(held.iter().min().unwrap() < &MAX_HOLD, "{held:?}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_statements_do_not_grow_with_integrations(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let text = import("Many");
    let few: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let few = serde_json::to_string(&few[..2]).unwrap().replace("Many", "Few");
    let server = support::TestServer::over(t);
    let (registry, admin) = (&server.inner.registry, server.inner.admin());
    let before = statements();
    registry.integrations().import(&admin, &few).await.unwrap();
    let between = statements();
    registry.integrations().import(&admin, &text).await.unwrap();
    let after = statements();
    assert!(between > before && after - between <= between - before + 4, "{before} {between} {after}");
    // An import that makes nothing begins no write either.
    let made = registry
        .integrations()
        .import(&admin, &text.replace("\"name\": \"Many 499\"", "\"name\": \"\""))
        .await;
    assert!(matches!(made, Err(Error::Invalid(_))));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_gives_distinct_slugs_to_integrations_of_one_name(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("notes", "https://notes.example.com/mcp", None).await;
    let one = r#"{ "name": "Notes", "url": "https://n.example.com/mcp", "auth_type": "none", "transport": "http" }"#;
    let text = format!("[{}]", [one; 4].join(","));
    let dry_run = t.registry.integrations().dry_run_import(&t.admin(), &text).await.unwrap();
    let made = t.registry.integrations().import(&t.admin(), &text).await.unwrap();
    let slugs: Vec<_> = made.integrations.iter().map(|one| one.slug.to_string()).collect();
    assert_eq!(slugs, ["notes-2", "notes-3", "notes-4", "notes-5"]);
    assert_eq!(dry_run.integrations.iter().map(|one| one.slug.to_string()).collect::<Vec<_>>(), slugs);
    let twice = r#"{ "name": "A", "slug": "twin", "url": "https://n.example.com/mcp", "auth_type": "none", "transport": "http" }"#;
    let refused = t.registry.integrations().import(&t.admin(), &format!("[{twice},{twice}]")).await;
    let Err(Error::Invalid(findings)) = refused else { panic!("accepted") };
    assert_eq!((findings.0[0].pointer.as_str(), findings.0[0].code.as_ref()), ("/1/slug", "slug_taken"));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_access_change_takes_few_statements(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    for number in 0..40 {
        t.workspace(&format!("team-{number}")).await;
    }
    let server = support::TestServer::over(t);
    let (registry, admin) = (&server.inner.registry, server.inner.admin());
    let update = |teams: std::ops::Range<usize>, scope: &str| AccessUpdate {
        workspaces: teams
            .map(|number| AccessChange {
                workspace: Reference::parse(&format!("team-{number}")),
                enabled: Some(true),
                configuration: Patch::Set(format!(
                    r#"{{"headers":{{"X-Key":"{scope}"}},"oauth_client_metadata":{{"scope":"{scope}"}}}}"#
                )),
            })
            .collect(),
        ..AccessUpdate::default()
    };
    let mut spent = Vec::new();
    for (teams, scope) in [(0..2, "a"), (2..40, "a"), (0..2, "b"), (2..40, "b")] {
        let before = statements();
        registry.access().update(&admin, &"linear".into(), update(teams, scope)).await.unwrap();
        spent.push(statements() - before);
    }
    assert!(spent[1] <= spent[0] + 2 && spent[3] <= spent[2] + 2, "{spent:?}");
    let list = registry.access().list(&admin, &"linear".into()).await.unwrap();
    assert_eq!(list.workspaces.len(), 40);
    assert!(list.workspaces.iter().all(|one| one.enabled && one.version == 2));
    assert!(
        list.workspaces
            .iter()
            .all(|one| one.configuration.as_deref().is_some_and(|text| text.contains("$sealed:")))
    );
    let history =
        registry::ConfigurationScope::Access { integration: "linear".into(), workspace: "team-7".into() };
    let revisions =
        registry.configurations().revisions(&admin, &history, PageRequest::default()).await.unwrap();
    assert_eq!(revisions.items.iter().map(|one| one.number).collect::<Vec<_>>(), [2, 1]);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_access_refuses_duplicates_and_more_than_a_thousand_workspaces(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    let new = NewWorkspace { name: "Acme".into(), slug: Some("acme".into()), description: None };
    let acme = t.registry.workspaces().create(&t.admin(), new).await.unwrap();
    let change = |workspace: Reference| AccessChange {
        workspace,
        enabled: Some(true),
        configuration: Patch::Set("{}".to_owned()),
    };
    let update = |workspaces| AccessUpdate { workspaces, ..AccessUpdate::default() };
    let id = Reference::Id(acme.id.0);
    for (workspaces, code, pointer) in [
        (vec![change("acme".into()), change(id)], "duplicate", "/workspaces/1/id"),
        (vec![change("acme".into()); 1_001], "too_many", "/workspaces"),
    ] {
        let refused = t.registry.access().update(&t.admin(), &"linear".into(), update(workspaces)).await;
        let Err(Error::Invalid(findings)) = refused else { panic!("accepted") };
        assert_eq!((findings.0[0].code.as_ref(), findings.0[0].pointer.as_str()), (code, pointer));
    }
    let list = t.registry.access().list(&t.admin(), &"linear".into()).await.unwrap();
    assert!(list.workspaces.iter().all(|one| one.version == 0), "nothing was saved");
    let all = t
        .registry
        .workspaces()
        .list(&t.admin(), WorkspaceFilter::default(), PageRequest::default())
        .await
        .unwrap();
    assert_eq!(all.total, 1);
}
