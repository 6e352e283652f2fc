//! Random histories of rollouts beside a model of them; and the same work by several workers and admins at once.

use registry::{
    Advance, ConfigurationScope, NewConfiguration, NewServer, Registry, RolloutSizes, ServerChange,
    ServerRef, Settings,
};
use registry_core::id::RolloutId;
use registry_core::patch::Patch;
use registry_core::rollout::{RolloutOptions, RolloutState};
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use std::collections::BTreeMap;
use support::{Engine, Random, TestRegistry};
use uuid::Uuid;

const IMMEDIATE: usize = 2;
const BATCH: usize = 3;
const STEPS: usize = 120;

async fn registry(engine: Engine, servers: usize) -> TestRegistry {
    let rollout_sizes = RolloutSizes { immediate: IMMEDIATE as u64, batch: BATCH as u64 };
    let t = TestRegistry::with(engine, Settings { rollout_sizes, ..Settings::default() }).await;
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    for number in 0..servers {
        create(&t, number).await;
    }
    t
}

async fn create(t: &TestRegistry, number: usize) -> Uuid {
    let slug = format!("linear-{number}");
    let new = NewServer {
        integration: Reference::parse("linear"),
        workspace: Some(Reference::parse("acme")),
        name: slug.clone(),
        slug: Some(slug),
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    t.registry.servers().create(&t.admin(), new).await.unwrap().value.id.0
}

fn named(number: usize) -> ServerRef {
    ServerRef {
        server: Reference::parse(&format!("linear-{number}")),
        workspace: Some(Reference::parse("acme")),
    }
}

async fn save(registry: &Registry, revision: i64) -> Option<RolloutId> {
    let text = format!(r#"{{"oauth_client_metadata":{{"client_name":"Revision {revision}"}}}}"#);
    let rollout = RolloutOptions::UNCHECKED;
    let new = NewConfiguration { text: Some(text), rollout, ..NewConfiguration::default() };
    let actor = registry.operator();
    registry.configurations().save(&actor, &ConfigurationScope::Organisation, new).await.unwrap().rollout
}

/// The revision that each live server is resolved from, by id.
async fn revisions(db: &DatabaseConnection) -> BTreeMap<Uuid, i64> {
    let sql = "SELECT id, organisation_revision FROM server WHERE deleted_at IS NULL";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
}

/// What should happen.
#[derive(Default)]
struct Model {
    /// The revision of each live server.
    servers: BTreeMap<Uuid, i64>,
    newest: i64,
    /// The rollout that has not ended: its revision, where it stands, whether it is paused.
    open: Option<(i64, Option<Uuid>, bool)>,
}

impl Model {
    fn save(&mut self) {
        self.newest += 1;
        self.open = None;
        if self.servers.len() <= IMMEDIATE {
            self.servers.values_mut().for_each(|revision| *revision = self.newest);
        } else {
            self.open = Some((self.newest, None, false));
        }
    }

    /// Whether a worker moves something.
    fn step(&mut self) -> bool {
        let Some((target, position, false)) = self.open else { return false };
        let behind = |(id, revision): &(&Uuid, &i64)| {
            **revision < target && position.is_none_or(|position| **id > position)
        };
        let batch: Vec<Uuid> = self.servers.iter().filter(behind).take(BATCH).map(|(id, _)| *id).collect();
        match batch.last() {
            Some(last) => self.open = Some((target, Some(*last), false)),
            None => self.open = None,
        }
        for id in batch {
            self.servers.insert(id, target);
        }
        true
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_end_as_the_model_says(#[case] engine: Engine) {
    let seed = Random::seed();
    eprintln!("MCP_REGISTRY_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let t = registry(engine, 0).await;
    let db = t.database.connect().await;
    let mut model = Model::default();
    let mut numbers: BTreeMap<Uuid, usize> = BTreeMap::new();
    let (mut made, mut last) = (0, None);
    for step in 0..STEPS {
        let did = match random.between(0, 99) {
            0..15 => {
                model.save();
                if let Some(id) = save(&t.registry, model.newest).await {
                    last = Some(id);
                }
                assert_eq!(model.open.is_some(), last.is_some() && model.servers.len() > IMMEDIATE);
                "save"
            }
            15..60 => {
                let moved = t.registry.rollouts().advance("worker").await.unwrap() == Advance::Moved;
                assert_eq!(moved, model.step(), "step {step}");
                "step"
            }
            60..80 => {
                let id = create(&t, made).await;
                numbers.insert(id, made);
                model.servers.insert(id, model.newest);
                made += 1;
                "create"
            }
            80..88 if !numbers.is_empty() => {
                let ids: Vec<Uuid> = numbers.keys().copied().collect();
                let id = *random.pick(&ids);
                let number = numbers.remove(&id).unwrap();
                t.registry.servers().delete(&t.admin(), &named(number), None).await.unwrap();
                model.servers.remove(&id);
                "delete"
            }
            88..94 if model.open.is_some() => {
                model.open.as_mut().unwrap().2 = true;
                let paused = t.registry.rollouts().pause(&t.admin(), last.unwrap()).await.unwrap();
                assert_eq!(paused.state, RolloutState::Paused);
                "pause"
            }
            _ if model.open.is_some() => {
                model.open.as_mut().unwrap().2 = false;
                t.registry.rollouts().resume(&t.admin(), last.unwrap()).await.unwrap();
                "resume"
            }
            _ => "nothing",
        };
        assert_eq!(revisions(&db).await, model.servers, "after step {step}: {did}");
    }
}

/// Four workers, two admins and a writer of servers at once: in the end every server has the newest revision and its own
/// layer, and nobody was told twice of one move.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_and_admins_at_once_lose_nothing(#[case] engine: Engine) {
    const SERVERS: usize = 12;
    const SAVES: i64 = 12;
    let t = registry(engine, SERVERS).await;
    let (done, working) = tokio::sync::watch::channel(false);
    let mut tasks = Vec::new();
    for number in 0..4 {
        let (registry, working) = (t.second_process().await, working.clone());
        tasks.push(tokio::spawn(async move {
            let name = format!("worker {number}");
            while !*working.borrow() {
                // A lost race for a lock is tried again, as the worker does.
                let _ = registry.rollouts().advance(&name).await;
                tokio::task::yield_now().await;
            }
        }));
    }
    let writer = {
        let registry = t.second_process().await;
        tokio::spawn(async move {
            for round in 0..4 {
                for number in 0..SERVERS {
                    let text = format!(r#"{{"oauth_client_metadata":{{"software_version":"{round}"}}}}"#);
                    let change = ServerChange { configuration: Patch::Set(text), ..ServerChange::default() };
                    registry
                        .servers()
                        .update(&registry.operator(), &named(number), change, None)
                        .await
                        .unwrap();
                }
            }
        })
    };
    for revision in 1..=SAVES {
        save(&t.registry, revision).await;
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    let db = t.database.connect().await;
    let newest = |found: &BTreeMap<Uuid, i64>| found.values().all(|revision| *revision == SAVES);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(2);
    while !newest(&revisions(&db).await) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", revisions(&db).await);
        // The lease of a worker that another one follows ends by the clock of the test.
        t.clock.advance(chrono::Duration::seconds(1));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    done.send(true).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    for number in 0..SERVERS {
        let metadata = t.registry.servers().client_metadata(&t.admin(), &named(number)).await.unwrap();
        let effective = metadata.resolution.effective;
        assert_eq!(effective.client_metadata["client_name"], format!("Revision {SAVES}"));
        assert_eq!(effective.client_metadata["software_version"], "3", "the server's own layer stayed");
    }
    let sql = "SELECT CAST(SUM(processed) AS BIGINT) FROM rollout";
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    let moves: i64 = row.try_get_by_index(0).unwrap();
    let sql = "SELECT COUNT(*) FROM change WHERE server_id IS NOT NULL";
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    let told: i64 = row.try_get_by_index(0).unwrap();
    let made_and_saved = i64::try_from(SERVERS * 5).unwrap();
    assert_eq!(told, moves + made_and_saved, "one change for each creation, save and move");
}
