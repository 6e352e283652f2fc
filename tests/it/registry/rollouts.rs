//! Rollouts: a save of many servers is recorded once, and reaches the servers in batches.

use chrono::Duration;
use registry::{
    AccessChange, AccessUpdate, Actor, Advance, Check, ConfigurationScope, Error, IntegrationChange,
    NewConfiguration, RolloutSizes, Saved, ServerChange, ServerRef, Settings,
};
use registry_core::id::RolloutId;
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::rollout::{RolloutOptions, RolloutState};
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use std::ops::Deref;
use support::{Engine, TestRegistry};

const WORKER: &str = "worker";
const SERVERS: usize = 8;

/// Servers of `linear`, one in each of the workspaces `team-0` …, where more than two servers are many and a batch has three.
async fn many(engine: Engine) -> ManyServers {
    let rollout_sizes = RolloutSizes { immediate: 2, batch: 3 };
    let t = TestRegistry::with(engine, Settings { rollout_sizes, ..Settings::default() }).await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    for number in 0..SERVERS {
        t.workspace(&team(number)).await;
        t.server("linear", &team(number)).await;
    }
    let gateway = t.actor(Role::Gateway, None).await;
    ManyServers { t, gateway }
}

/// A registry with many servers, and a gateway.
struct ManyServers {
    t: TestRegistry,
    gateway: Actor,
}

impl Deref for ManyServers {
    type Target = TestRegistry;

    fn deref(&self) -> &TestRegistry {
        &self.t
    }
}

impl ManyServers {
    /// The document of the server in this workspace, as a gateway gets it.
    async fn document(&self, workspace: &str) -> Value {
        let document = self.registry.gateway().document(&self.gateway, workspace, "linear").await.unwrap();
        serde_json::from_slice(&document.body).unwrap()
    }
}

fn team(number: usize) -> String {
    format!("team-{number}")
}

fn server(number: usize) -> ServerRef {
    ServerRef { server: Reference::parse("linear"), workspace: Some(Reference::parse(&team(number))) }
}

fn named(client_name: &str) -> String {
    format!(r#"{{"oauth_client_metadata":{{"client_name":"{client_name}"}}}}"#)
}

async fn save(t: &ManyServers, text: &str, rollout: RolloutOptions) -> Saved<registry::Configuration> {
    let new = NewConfiguration { text: Some(text.to_owned()), rollout, ..NewConfiguration::default() };
    let saved = t.registry.configurations().save(&t.admin(), &ConfigurationScope::Organisation, new).await;
    saved.expect("a saved configuration")
}

/// The client name that is wanted for each server, and the revision of the organisation's layer in its document.
async fn names(t: &ManyServers) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    for number in 0..SERVERS {
        let metadata = t.registry.servers().client_metadata(&t.admin(), &server(number)).await.unwrap();
        let name = metadata.resolution.effective.client_metadata["client_name"].as_str().unwrap().to_owned();
        let document = t.document(&team(number)).await;
        found.push((name, document["layer_revisions"]["organisation"].as_i64().unwrap()));
    }
    found
}

/// How many servers have this client name, and this revision in their document.
async fn reached(t: &ManyServers, name: &str, revision: i64) -> usize {
    let all = names(t).await;
    let reached = all.iter().filter(|(one, _)| one == name).count();
    let documents = all.iter().filter(|(_, one)| *one == revision).count();
    assert_eq!(reached, documents, "a document is made of the revision it names: {all:?}");
    reached
}

async fn step(t: &ManyServers) -> Advance {
    t.registry.rollouts().advance(WORKER).await.expect("a step")
}

async fn finish(t: &ManyServers) {
    for _ in 0..100 {
        if step(t).await == Advance::Idle {
            return;
        }
    }
    panic!("the rollout does not end");
}

async fn get(t: &ManyServers, id: RolloutId) -> registry::Rollout {
    t.registry.rollouts().get(&t.admin(), id).await.expect("a rollout")
}

async fn number(t: &ManyServers, query: &str) -> i64 {
    let db = t.database.connect().await;
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organisation_layer_reaches_servers_in_batches(#[case] engine: Engine) {
    let t = many(engine).await;
    let saved = save(&t, &named("Acme"), RolloutOptions::UNCHECKED).await;
    let id = saved.rollout.expect("the servers are many");
    let affected = saved.affected;
    assert_eq!((affected.reached, affected.servers, affected.estimated), (8, 8, false), "counted beforehand");
    assert_eq!(reached(&t, "Acme", 1).await, 0, "no server has it before a worker takes a step");
    let before = number(&t, "SELECT revision FROM sequence").await;
    for expected in [3, 6, 8] {
        assert_eq!(step(&t).await, Advance::Moved);
        assert_eq!(reached(&t, "Acme", 1).await, expected, "whole batches only");
        let now = get(&t, id).await;
        assert_eq!((now.processed, now.total, now.state), (expected as u64, 8, RolloutState::Running));
    }
    finish(&t).await;
    let done = get(&t, id).await;
    assert_eq!((done.state, done.affected.servers, done.affected.registrations), (RolloutState::Done, 8, 8));
    assert!(done.finished_at.is_some());
    assert_eq!(number(&t, "SELECT revision FROM sequence").await - before, 8, "each server is told of once");
    assert_eq!(
        number(&t, "SELECT COUNT(*) FROM registration WHERE wanted = 2").await,
        8,
        "and enqueued once"
    );
    // A server that is made now has the newest revision at once.
    t.workspace("late").await;
    t.server("linear", "late").await;
    let document = t.document("late").await;
    assert_eq!(document["layer_revisions"]["organisation"], 1);
}

/// Servers that an earlier rollout has not reached go straight to the newest revision.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newest_rollout_of_a_layer_wins(#[case] engine: Engine) {
    let t = many(engine).await;
    let first = save(&t, &named("First"), RolloutOptions::UNCHECKED).await.rollout.unwrap();
    assert_eq!(step(&t).await, Advance::Moved);
    let second = save(&t, &named("Second"), RolloutOptions::UNCHECKED).await.rollout.unwrap();
    assert_eq!(get(&t, first).await.state, RolloutState::Superseded);
    assert_eq!(reached(&t, "First", 1).await, 3, "what the first one did stays until the second comes by");
    finish(&t).await;
    assert_eq!(reached(&t, "Second", 2).await, 8);
    assert_eq!(get(&t, second).await.processed, 8);
    let wanted = "SELECT COUNT(*) FROM registration WHERE wanted = 2";
    assert_eq!(number(&t, wanted).await, 5, "servers that the first one had not reached are enqueued once");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_rollout_waits_for_a_user(#[case] engine: Engine) {
    let t = many(engine).await;
    let id = save(&t, &named("Acme"), RolloutOptions::UNCHECKED).await.rollout.unwrap();
    step(&t).await;
    let (rollouts, admin) = (t.registry.rollouts(), t.admin());
    assert_eq!(rollouts.pause(&admin, id).await.unwrap().state, RolloutState::Paused);
    assert_eq!(rollouts.pause(&admin, id).await.unwrap().state, RolloutState::Paused, "asking twice is fine");
    assert_eq!(step(&t).await, Advance::Idle);
    assert_eq!(reached(&t, "Acme", 1).await, 3);
    assert_eq!(rollouts.resume(&admin, id).await.unwrap().state, RolloutState::Running);
    finish(&t).await;
    assert_eq!(reached(&t, "Acme", 1).await, 8);
    let Err(Error::Conflict { code, .. }) = rollouts.pause(&admin, id).await else { panic!("it has ended") };
    assert_eq!(code.as_str(), "rollout_state");
    let reader = t.actor(Role::Viewer, None).await;
    assert!(matches!(rollouts.pause(&reader, id).await, Err(Error::Forbidden { .. })));
    let bound = t.actor(Role::Admin, Some("team-0")).await;
    assert!(
        rollouts.get(&bound, id).await.is_err(),
        "one workspace knows nothing of the organisation's rollouts"
    );
}

/// A server whose own layer contradicts the new revision keeps the old one; too many of them stop the rollout.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_cannot_take_the_change_keeps_what_it_has(#[case] engine: Engine) {
    let t = many(engine).await;
    let terms = r#"{"oauth_client_metadata":{"client_name":"Old","tos_uri":"https://acme.com/terms"}}"#;
    save(&t, terms, RolloutOptions::UNCHECKED).await;
    finish(&t).await;
    let options = RolloutOptions { canary_percent: 0, max_failures: Some(1) };
    let id = save(&t, &named("New"), options).await.rollout.unwrap();
    // Valid with the revision that the servers have, and not with the next one.
    for number in [1, 2, 7] {
        let french = r#"{"oauth_client_metadata":{"tos_uri#fr":"https://acme.com/cgu"}}"#;
        let change = ServerChange { configuration: Patch::Set(french.into()), ..ServerChange::default() };
        t.registry.servers().update(&t.admin(), &server(number), change, None).await.unwrap();
    }
    finish(&t).await;
    let stopped = get(&t, id).await;
    assert_eq!((stopped.state, stopped.refused, stopped.processed), (RolloutState::Stopped, 2, 3));
    let refused = t.registry.rollouts().refused(&t.admin(), id, None, 10).await.unwrap();
    assert_eq!(
        refused.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["team-1/linear", "team-2/linear"]
    );
    assert_eq!(refused[0].findings[0].code, "language_variant_without_base");
    t.registry.rollouts().resume(&t.admin(), id).await.unwrap();
    finish(&t).await;
    let done = get(&t, id).await;
    assert_eq!(
        (done.state, done.refused),
        (RolloutState::Done, 3),
        "one more is not as many new ones as allowed"
    );
    assert_eq!(reached(&t, "New", 2).await, 5);
    assert_eq!(reached(&t, "Old", 1).await, 3);
    // A save that contradicts what servers have now is refused before anything is written.
    let french = named("Newer").replace("}}", r#","tos_uri":""}}"#);
    let new = NewConfiguration { text: Some(french), ..NewConfiguration::default() };
    let again = t.registry.configurations().save(&t.admin(), &ConfigurationScope::Organisation, new).await;
    assert!(matches!(again, Err(Error::Invalid(_))), "{again:?}");
}

/// The rest waits until the registrations of the canary have settled; failures among them stop the rollout.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canary_goes_first(#[case] engine: Engine) {
    let t = many(engine).await;
    let options = RolloutOptions { canary_percent: 25, max_failures: Some(0) };
    let id = save(&t, &named("Acme"), options).await.rollout.unwrap();
    assert_eq!(step(&t).await, Advance::Moved);
    assert_eq!(reached(&t, "Acme", 1).await, 2, "a quarter");
    for _ in 0..3 {
        assert_eq!(step(&t).await, Advance::Waiting, "registrations of the canary are not settled");
    }
    assert_eq!(get(&t, id).await.pending_registrations, 2);
    let db = t.database.connect().await;
    let settle = |state: &str| {
        format!(
            "UPDATE registration SET state = '{state}', settled = wanted WHERE rollout_id IS NOT NULL AND settled < wanted"
        )
    };
    db.execute_unprepared(&settle("registered")).await.unwrap();
    assert_eq!(step(&t).await, Advance::Moved, "the canary is good");
    assert_eq!(step(&t).await, Advance::Moved);
    assert_eq!(reached(&t, "Acme", 1).await, 5);
    db.execute_unprepared(&settle("failed")).await.unwrap();
    assert_eq!(step(&t).await, Advance::Moved);
    let stopped = get(&t, id).await;
    assert_eq!((stopped.state, stopped.failed_registrations), (RolloutState::Stopped, 3));
    assert_eq!(reached(&t, "Acme", 1).await, 5, "nothing more was reached");
    // Registrations that failed before do not count against the next one.
    let next =
        save(&t, &named("Next"), RolloutOptions { canary_percent: 0, ..options }).await.rollout.unwrap();
    finish(&t).await;
    assert_eq!(get(&t, next).await.state, RolloutState::Done);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canary_is_not_waited_for_for_ever(#[case] engine: Engine) {
    let t = many(engine).await;
    save(&t, &named("Acme"), RolloutOptions::default()).await;
    step(&t).await;
    assert_eq!(step(&t).await, Advance::Waiting);
    t.clock.advance(Duration::seconds(601));
    assert_eq!(step(&t).await, Advance::Moved);
}

/// A worker that died holds a rollout up for seconds; until then no other takes it over.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollout_of_a_dead_worker_is_taken_over(#[case] engine: Engine) {
    let t = many(engine).await;
    save(&t, &named("Acme"), RolloutOptions::UNCHECKED).await;
    step(&t).await;
    assert_eq!(t.registry.rollouts().advance("other").await.unwrap(), Advance::Waiting);
    t.clock.advance(Duration::seconds(11));
    assert_eq!(t.registry.rollouts().advance("other").await.unwrap(), Advance::Moved);
    assert_eq!(reached(&t, "Acme", 1).await, 6);
}

/// Servers that still have the earlier revision open its secrets; they go when the last one has moved.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_secrets_go_with_the_last_server(#[case] engine: Engine) {
    let t = many(engine).await;
    let with_key = |key: &str| format!(r#"{{"headers":{{"X-Api-Key":"{key}"}}}}"#);
    save(&t, &with_key("first-secret"), RolloutOptions::UNCHECKED).await;
    finish(&t).await;
    save(&t, &with_key("second-secret"), RolloutOptions::UNCHECKED).await;
    save(&t, &with_key("third-secret"), RolloutOptions::UNCHECKED).await;
    step(&t).await;
    let mut keys = Vec::new();
    for number in 0..SERVERS {
        let document = t.document(&team(number)).await;
        keys.push(document["headers"]["X-Api-Key"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys.iter().filter(|key| *key == "third-secret").count(), 3, "{keys:?}");
    assert_eq!(keys.iter().filter(|key| *key == "first-secret").count(), 5, "{keys:?}");
    assert_eq!(number(&t, "SELECT COUNT(*) FROM sealed_value").await, 3);
    finish(&t).await;
    assert_eq!(number(&t, "SELECT COUNT(*) FROM sealed_value").await, 1, "only the newest is needed");
}

/// An integration's values hold at once; registrations and gateways follow in batches.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integration_with_many_servers_changes_at_once(#[case] engine: Engine) {
    let t = many(engine).await;
    let (integrations, admin) = (t.registry.integrations(), t.admin());
    let change = IntegrationChange { enabled: Some(false), ..IntegrationChange::default() };
    let before = number(&t, "SELECT revision FROM sequence").await;
    let saved = integrations.update(&admin, &Reference::parse("linear"), change, None).await.unwrap();
    let id = saved.rollout.expect("the servers are many");
    for number in 0..SERVERS {
        let document = t.document(&team(number)).await;
        assert_eq!(document["status"], "disabled", "what is switched off is off before any batch");
    }
    finish(&t).await;
    assert_eq!(get(&t, id).await.processed, 8);
    assert_eq!(
        number(&t, "SELECT revision FROM sequence").await - before,
        9,
        "one for all, and one for each"
    );
    assert_eq!(number(&t, "SELECT COUNT(*) FROM registration WHERE unwanted_since IS NOT NULL").await, 8);
}

/// A change of a few workspaces' access reaches only their servers.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_of_many_workspaces_is_rolled_out_there(#[case] engine: Engine) {
    let t = many(engine).await;
    let access = |count: usize| AccessUpdate {
        workspaces: (0..count)
            .map(|number| AccessChange {
                workspace: Reference::parse(&team(number)),
                enabled: None,
                configuration: Patch::Set(named(&format!("Team {count}"))),
            })
            .collect(),
        ..AccessUpdate::default()
    };
    let reference = Reference::parse("linear");
    let few = t.registry.access().update(&t.admin(), &reference, access(2)).await.unwrap();
    assert_eq!((few.rollout, few.affected.servers), (None, 2), "two are reached at once");
    let many = t.registry.access().update(&t.admin(), &reference, access(4)).await.unwrap();
    let id = many.rollout.expect("four are many");
    finish(&t).await;
    assert_eq!(get(&t, id).await.processed, 4);
    assert_eq!(number(&t, "SELECT COUNT(*) FROM registration WHERE wanted >= 2").await, 4);
}

/// Up to 1,000 servers are counted one by one; of more a sample stands for all.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impact_on_many_servers_is_estimated(#[case] engine: Engine) {
    for (servers, estimated) in [(1_000, false), (1_500, true)] {
        let t = TestRegistry::new(engine).await;
        t.workspace("acme").await;
        t.integration("linear", "https://mcp.linear.app/mcp", None).await;
        t.server("linear", "acme").await;
        t.database.copy_server("linear", servers - 1).await;
        let check =
            Check { subject: Some(ConfigurationScope::Organisation), text: named("Acme"), preview: None };
        let checked = t.registry.configurations().check(&t.admin(), check).await.unwrap();
        let new = NewConfiguration { text: Some(named("Acme")), ..NewConfiguration::default() };
        let saved =
            t.registry.configurations().save(&t.admin(), &ConfigurationScope::Organisation, new).await;
        let saved = saved.unwrap();
        for affected in [checked.affected, saved.affected] {
            assert_eq!((affected.reached, affected.estimated), (servers as u64, estimated));
            // Every server takes the name of the organisation, so the estimate is right, whatever the sample.
            assert_eq!(affected.servers, servers as u64, "{affected:?}");
        }
        let rollout = t.registry.rollouts().get(&t.admin(), saved.rollout.unwrap()).await.unwrap();
        assert_eq!((rollout.total, rollout.total_is_exact), (servers as u64, true), "servers are counted");
    }
}
