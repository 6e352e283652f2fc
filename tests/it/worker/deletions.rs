//! Deletions of many servers, carried out by a worker: every client is deleted at its authorization server.

use super::Working;
use registry::{PageRequest, RegistrationFilter, RolloutSizes, Settings};
use registry_core::registration::State;
use registry_core::rollout::RolloutState;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::{Options, Sandbox};
use rstest::rstest;
use std::collections::HashMap;
use std::time::Duration;
use support::{Engine, TestRegistry};

const SERVERS: usize = 7;

/// How many registrations are in each state.
async fn states(t: &TestRegistry) -> HashMap<State, usize> {
    let every = RegistrationFilter { states: State::ALL.to_vec(), ..RegistrationFilter::default() };
    let all = t.registry.registrations().list(&t.admin(), every, PageRequest::default()).await.unwrap();
    let mut states = HashMap::new();
    for one in all.items {
        *states.entry(one.state).or_default() += 1;
    }
    states
}

async fn until_all(t: &TestRegistry, state: State) {
    let all = async {
        while states(t).await != HashMap::from([(state, SERVERS)]) {
            t.registry.wait_for_commit(Duration::from_millis(20)).await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_mins(1), all).await;
    assert!(reached.is_ok(), "{:?}", states(t).await);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_many_deleted_servers_are_withdrawn(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values("integration", "workspace")] parent: &str,
) {
    let defaults = TestRegistry::new(engine).await.settings;
    let rollout_sizes = RolloutSizes { immediate: 2, batch: 2 };
    let t = TestRegistry::with(engine, Settings { rollout_sizes, ..defaults }).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    t.workspace("acme").await;
    t.integration("linear", &sandbox.mcp_url(), None).await;
    t.servers("linear", "acme", SERVERS).await;
    let worker = Working::start(&t.registry, Limits::default());
    until_all(&t, State::Registered).await;
    assert_eq!(sandbox.clients().len(), SERVERS);
    let admin = t.admin();
    let deleted = match parent {
        "integration" => t.registry.integrations().delete(&admin, &Reference::parse("linear"), None).await,
        _ => t.registry.workspaces().delete(&admin, &Reference::parse("acme"), None).await,
    };
    let id = deleted.unwrap().rollout.expect("seven are many");
    until_all(&t, State::Withdrawn).await;
    // The rollout ends when its last batch finds nothing.
    let done = loop {
        let now = t.registry.rollouts().get(&admin, id).await.unwrap();
        if now.finished_at.is_some() {
            break now;
        }
        t.registry.wait_for_commit(Duration::from_millis(20)).await;
    };
    assert_eq!((done.state, done.processed, done.affected.withdrawn), (RolloutState::Done, 7, 7));
    assert_eq!(sandbox.clients().len(), 0, "every client is deleted");
    assert_eq!(sandbox.registrations().len(), SERVERS, "none was made again");
    worker.stop().await;
    sandbox.stop().await;
}
