//! `kill -9` at random moments, while fifty servers register through a proxy that loses requests and answers.
//!
//! What must be true afterwards (docs/invariants.md, INV-1, INV-3 and INV-11): every server has one active client, nothing
//! is stuck, and the table of orphaned clients and the authorization server's own list of clients agree to the last entry.

mod acknowledged;
mod deletions;
mod invariants;
mod load;
mod rollouts;
mod scenario;

use invariants::Invariants;
use scenario::Scenario;
use std::time::Instant;
use support::{Engine, Random, optional_variable};

/// How often a process is killed, unless `MCP_REGISTRY_TEST_KILLS` says otherwise (`./test --long`: 200).
const KILLS: usize = 60;
/// Fewer kills end before the leases of the first killed workers do, so that too little is written.
const MIN_KILLS: usize = 100;

fn kills() -> usize {
    optional_variable("MCP_REGISTRY_TEST_KILLS")
        .map_or(KILLS, |text| text.parse().expect("MCP_REGISTRY_TEST_KILLS is a number"))
}

async fn killed_at_random_moments(engine: Engine) {
    let started = Instant::now();
    let seed = Random::seed();
    // Choices repeat with the seed; the moments at which processes get to run do not.
    eprintln!("MCP_REGISTRY_TEST_SEED={seed}");
    // Half of them: `acknowledged` has the others.
    let kills = (kills() / 2).max(MIN_KILLS);
    let mut random = Random::new(seed);
    let scenario = Scenario::new(engine, &mut random).await;

    let prepared = started.elapsed();
    let (running, written) = load::killed(&scenario, kills, &mut random).await;
    let killed = started.elapsed();
    scenario.proxy.stop_faults();
    let decided = load::settle(&scenario, running.serving()).await;
    let shown = load::shown_ledger(&scenario, running.serving()).await;
    written.is_all_there(running.serving(), &scenario.admin).await;
    assert!(written.count > kills / 50, "only {} writes were acknowledged", written.count);
    running.end().await;
    let audit = scenario.installed.run(&["audit", "verify"]).await;
    assert!(audit.contains("form an unbroken chain"), "{audit}");
    let settled = started.elapsed();

    let invariants = Invariants::read(&scenario).await;
    let figures = invariants.check();
    eprintln!(
        "{engine:?}: {kills} kills, {} writes acknowledged and found, {figures}; {decided} decided by a person; requests by fate {:?}; \
         prepared after {prepared:.0?}, killed until {killed:.0?}, settled after {settled:.0?}",
        written.count,
        scenario.proxy.fates(),
    );
    let entries = figures.orphans + figures.not_deleted;
    assert_eq!(
        shown,
        (entries, entries.min(load::LEDGER_PAGE)),
        "the ledger as the API lists it, and as a table"
    );
    // What was to be provoked was provoked: otherwise the check says nothing. How often depends on how fast the machine is.
    assert!(figures.orphans > kills / 20 && figures.unrecorded > kills / 40, "{figures}");
    assert!(figures.cut_by_kills > 0, "no kill ever cut a request off: {figures}");
    assert!(figures.deleted > 0, "no replaced client was ever deleted: {figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_after_many_kills_on_sqlite() {
    killed_at_random_moments(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_after_many_kills_on_postgres() {
    killed_at_random_moments(Engine::Postgres).await;
}
