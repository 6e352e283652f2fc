//! `kill -9` at random moments, while fifty servers register through a proxy that loses requests and answers.
//!
//! What must be true once it is over (INV-1, INV-3 and INV-7): every server has one active client, nothing is
//! stuck, and the orphan ledger and the authorization server's own list of clients agree to the last entry.

mod acknowledged;
mod books;
mod load;
mod world;

use books::Books;
use std::time::Instant;
use support::{Engine, Random, optional_variable};
use world::World;

/// How often a process is killed, unless `MCP_REGISTRY_TEST_KILLS` says otherwise.
const KILLS: usize = 200;

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
    let kills = kills() / 2;
    let mut random = Random::new(seed);
    let world = World::new(engine, &mut random).await;

    let prepared = started.elapsed();
    let (running, written) = load::killed(&world, kills, &mut random).await;
    let killed = started.elapsed();
    world.proxy.stop_faults();
    let decided = load::settle(&world, running.serving()).await;
    let shown = load::shown_ledger(&world, running.serving()).await;
    written.is_all_there(running.serving(), &world.admin).await;
    assert!(written.count > kills / 50, "only {} writes were acknowledged", written.count);
    running.end().await;
    let audit = world.installed.run(&["audit", "verify"]).await;
    assert!(audit.contains("form an unbroken chain"), "{audit}");
    let settled = started.elapsed();

    let books = Books::read(&world).await;
    let figures = books.balance();
    eprintln!(
        "{engine:?}: {kills} kills, {} writes acknowledged and found, {figures}; {decided} decided by a person; requests by fate {:?}; \
         prepared after {prepared:.0?}, killed until {killed:.0?}, settled after {settled:.0?}",
        written.count,
        world.proxy.fates(),
    );
    let entries = figures.orphans + figures.not_deleted;
    assert_eq!(
        shown,
        (entries, entries.min(load::LEDGER_PAGE)),
        "the ledger as the API lists it, and as a table"
    );
    // What was to be provoked was provoked: otherwise the balance says nothing. How often depends on how fast the machine is.
    assert!(figures.orphans > kills / 20 && figures.unrecorded > kills / 40, "{figures}");
    assert!(figures.cut_by_kills > 0, "no kill ever cut a request off: {figures}");
    assert!(figures.deleted > 0, "no replaced client was ever deleted: {figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_leave_the_books_right_on_sqlite() {
    killed_at_random_moments(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_leave_the_books_right_on_postgres() {
    killed_at_random_moments(Engine::Postgres).await;
}
