//! Many workers, one pile of due registrations: each is worked on by one of them, and the slow do not hold up the rest.

use registry::{IssuerRate, Settings};
use registry_core::permission::Role;
use registry_outbound::{Limits, UpstreamClient};
use registry_sandbox::{Options, Sandbox};
use sea_orm::{DatabaseConnection, FromQueryResult, Statement};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Client, Engine, Installation, TestDatabase, TestRegistry};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

/// What a whole pile may take on a slow machine.
const REGISTRATION_TIMEOUT: Duration = Duration::from_mins(3);

/// Four processes, PostgreSQL, five hundred due registrations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_register_five_hundred_servers_once_each() {
    const DUE: usize = 500;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let installed = unlimited(TestDatabase::new(Engine::Postgres).await);
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    workspace(&client).await;
    servers(&client, "notes", &sandbox.mcp_url(), DUE).await;

    let started = Instant::now();
    let mut workers: Vec<Child> = (0..4).map(|_| installed.work()).collect();
    assert!(
        sandbox.wait_for_registration(DUE, REGISTRATION_TIMEOUT).await,
        "{} of {DUE}",
        sandbox.clients().len()
    );
    let db = installed.database.connect().await;
    all_registered(&db, DUE).await;
    let taken = started.elapsed();
    for worker in &mut workers {
        support::end(worker).await;
    }
    each_once(&db, &sandbox, DUE).await;

    let shares: Vec<Share> = rows(
        &db,
        "SELECT actor_name AS worker, COUNT(*) AS clients FROM audit_event \
         WHERE action = 'registration.client_recorded' GROUP BY actor_name",
    )
    .await;
    eprintln!("{DUE} registrations by four processes in {taken:.1?}: {shares:?}");
    assert_eq!(shares.len(), 4, "every process did its part");
    serving.end().await;
}

/// One process, SQLite, four workers as tasks of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_tasks_register_sixty_servers_once_each() {
    const DUE: usize = 60;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let egress = serde_json::from_value(json!({ "allow": [], "allow_http_loopback": true })).unwrap();
    let issuer_rate = IssuerRate { burst: 60_000, per_minute: 60_000 };
    let t = TestRegistry::with(Engine::Sqlite, Settings { egress, issuer_rate, ..Settings::default() }).await;
    for number in 0..DUE {
        t.workspace(&format!("team-{number}")).await;
    }
    t.integration("notes", &sandbox.mcp_url(), None).await;
    for number in 0..DUE {
        t.server("notes", &format!("team-{number}")).await;
    }

    let started = Instant::now();
    let stop = CancellationToken::new();
    let workers: Vec<_> = (0..4)
        .map(|number| {
            let options = registration_worker::WorkerOptions {
                name: format!("task {number}"),
                concurrency: 4,
                poll: Duration::from_millis(50),
                drain: Duration::from_secs(5),
            };
            let guarded = Arc::new(UpstreamClient::new(t.settings.egress.clone(), Limits::default()));
            tokio::spawn(registration_worker::run(t.registry.clone(), guarded, options, stop.clone()))
        })
        .collect();
    assert!(
        sandbox.wait_for_registration(DUE, REGISTRATION_TIMEOUT).await,
        "{} of {DUE}",
        sandbox.clients().len()
    );
    let db = t.database.connect().await;
    all_registered(&db, DUE).await;
    let taken = started.elapsed();
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    each_once(&db, &sandbox, DUE).await;
    eprintln!("{DUE} registrations by four tasks in {taken:.1?}");
}

/// A server that accepts connections and never answers has forty due registrations; five others must not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_authorization_server_does_not_delay_others() {
    const DEAD: usize = 40;
    const HEALTHY: usize = 5;
    let dead = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = dead.local_addr().unwrap();
    // The connections are kept open: the server accepts them and never answers.
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = dead.accept().await {
            held.push(stream);
        }
    });
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let installed = unlimited(TestDatabase::new(Engine::Postgres).await)
        // So long that the healthy ones cannot have waited for the timeout of the dead one.
        .with("WORKER__REQUEST_TIMEOUT", "60");
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    workspace(&client).await;
    servers(&client, "dead", &format!("http://{address}/mcp"), DEAD).await;
    servers(&client, "notes", &sandbox.mcp_url(), HEALTHY).await;

    let started = Instant::now();
    let mut worker = installed.work();
    let in_time = sandbox.wait_for_registration(HEALTHY, Duration::from_secs(30)).await;
    let taken = started.elapsed();
    worker.kill().await.unwrap();
    let db = installed.database.connect().await;
    let tried = count(
        &db,
        "SELECT COUNT(*) AS count FROM attempt x JOIN registration r ON r.id = x.registration_id \
         JOIN server s ON s.id = r.server_id WHERE s.slug LIKE 'dead-%'",
    )
    .await;
    assert!(
        in_time,
        "{} of {HEALTHY} after {taken:.1?}, {tried} attempts at the dead one",
        sandbox.clients().len()
    );
    assert!(tried > 0, "the dead one has its turn too");
    eprintln!("{HEALTHY} healthy beside {DEAD} dead in {taken:.1?}, {tried} attempts at the dead one");
    silent.abort();
}

/// The binary on `database`, without limits that are not the matter here.
fn unlimited(database: TestDatabase) -> Installation {
    Installation::new(database)
        .with("LOG__LEVEL", "warn")
        .with("WORKER__ISSUER_RATE__BURST", "60000")
        .with("WORKER__ISSUER_RATE__PER_MINUTE", "60000")
}

async fn workspace(client: &Client) {
    let body = json!({ "name": "Acme", "slug": "acme" });
    client.post("/v1/workspaces", &body).await.expect(200);
}

/// An integration and `count` servers of it.
async fn servers(client: &Client, integration: &str, url: &str, count: usize) {
    client.given().integration(integration, url).await;
    for number in 0..count {
        let slug = format!("{integration}-{number}");
        client.given().server_of(integration, &slug).await;
    }
}

/// Waits until every registration rests.
async fn all_registered(db: &DatabaseConnection, due: usize) {
    let due = i64::try_from(due).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let rest = tokio::time::timeout(REGISTRATION_TIMEOUT, async {
        while count(
            db,
            "SELECT COUNT(*) AS count FROM registration WHERE state = 'registered' AND lease_owner IS NULL",
        )
        .await
            < due
        {
            pace.tick().await;
        }
    });
    rest.await.expect("all come to rest");
}

/// One request upstream, one attempt, one client of generation 1 for each.
async fn each_once(db: &DatabaseConnection, sandbox: &Sandbox, due: usize) {
    let asked = sandbox.registrations();
    assert_eq!(asked.len(), due, "requests at the authorization server");
    let names: BTreeSet<&str> = asked.iter().filter_map(|one| one.body["client_name"].as_str()).collect();
    assert_eq!(names.len(), due, "one for each server");
    let due = i64::try_from(due).unwrap();
    for (what, query) in [
        ("clients", "SELECT COUNT(*) AS count FROM oauth_client"),
        (
            "active clients of generation 1",
            "SELECT COUNT(DISTINCT registration_id) AS count FROM oauth_client WHERE status = 'active' AND generation = 1",
        ),
        ("attempts to register", "SELECT COUNT(*) AS count FROM attempt WHERE step = 'register'"),
        (
            "attempts that succeeded",
            "SELECT COUNT(*) AS count FROM attempt WHERE step = 'register' AND outcome = 'succeeded'",
        ),
    ] {
        assert_eq!(count(db, query).await, due, "{what}");
    }
}

#[derive(Debug, FromQueryResult)]
#[expect(dead_code, reason = "read by `Debug`, for people")]
struct Share {
    worker: String,
    clients: i64,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn count(db: &DatabaseConnection, query: &str) -> i64 {
    rows::<Count>(db, query).await[0].count
}

async fn rows<T: FromQueryResult>(db: &DatabaseConnection, query: &str) -> Vec<T> {
    T::find_by_statement(Statement::from_string(db.get_database_backend(), query)).all(db).await.unwrap()
}
