//! Claims where 100,000 registrations are due: every upstream has its turn, and no statement reads all of them.

use super::claims::{Picked, take_statement};
use super::fairness::{Look, candidates, visits_statement, window_statement};
use super::situation;
use registry_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

/// How many registrations are due at the one busy upstream, and how many other upstreams have one each, due later.
const BUSY: i64 = 100_000;
const OTHERS: i64 = 500;

/// A database in which more is due than a look may read.
async fn crowded(backend: DbBackend) -> DatabaseConnection {
    let url = match backend {
        #[expect(clippy::disallowed_methods, reason = "./test says where PostgreSQL is")]
        DbBackend::Postgres => {
            std::env::var("MCP_REGISTRY_TEST_POSTGRES_URL").expect("run the tests through ./test")
        }
        _ => "sqlite::memory:".to_owned(),
    };
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let (numbers, id) = if backend == DbBackend::Postgres {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let schema = format!("fairness_{}_{count}", std::process::id());
        let fresh = format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET search_path = {schema}"
        );
        db.execute_unprepared(&fresh).await.unwrap();
        (format!("SELECT n FROM generate_series(1, {}) AS n", BUSY + OTHERS), "gen_random_uuid()")
    } else {
        let numbers = format!(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {}) \
             SELECT n FROM number",
            BUSY + OTHERS
        );
        (numbers, "randomblob(16)")
    };
    Migrator::up(&db, None).await.unwrap();
    let unlinked = match backend {
        DbBackend::Postgres => "SET session_replication_role = replica",
        _ => "PRAGMA foreign_keys = OFF",
    };
    db.execute_unprepared(unlinked).await.unwrap();
    let fill = format!(
        "INSERT INTO registration (id, server_id, state, due_at, wanted, failures, lost_answers, lease_until, fence, \
         created_at, updated_at, upstream) \
         SELECT {id}, {id}, 'queued', CASE WHEN n <= {BUSY} THEN n ELSE n * 2 END, 1, 0, 0, 0, 0, 0, 0, \
         CASE WHEN n <= {BUSY} THEN 'https://busy.example' ELSE 'https://as-' || n || '.example' END \
         FROM ({numbers}) AS numbers"
    );
    db.execute_unprepared(&fill).await.unwrap();
    db.execute_unprepared("ANALYZE").await.unwrap();
    db
}

fn look(max_per_upstream: u64) -> Look<'static> {
    Look { worker: "one", due: 10 * BUSY, now: 10 * BUSY, limit: 32, max_per_upstream }
}

async fn claim(db: &DatabaseConnection, ids: &[Uuid]) {
    for id in ids {
        let sql = "UPDATE registration SET lease_owner = 'one', lease_until = 9000000000000000 WHERE id = $1";
        let values = [(*id).into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        db.execute_raw(statement).await.unwrap();
    }
}

async fn upstreams(db: &DatabaseConnection) -> i64 {
    let sql = "SELECT COUNT(DISTINCT upstream) AS n FROM registration WHERE lease_until > 0";
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
}

async fn every_upstream_has_its_turn(backend: DbBackend) {
    let db = crowded(backend).await;
    let mut cursor = String::new();
    // What one look claims is held when the next one comes: 24 of the busy upstream at most.
    let enough = OTHERS / (32 - 24) + 24;
    for _ in 0..enough {
        let ids = candidates(&db, &look(24), &mut cursor).await.unwrap().ids;
        assert!(ids.len() <= 32);
        claim(&db, &ids).await;
    }
    assert_eq!(upstreams(&db).await, OTHERS + 1);
    let busy =
        "SELECT COUNT(*) AS n FROM registration WHERE lease_until > 0 AND upstream = 'https://busy.example'";
    let statement = Statement::from_string(backend, busy);
    let busy: i64 = db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap();
    assert_eq!(busy, 24);
}

#[tokio::test]
async fn every_upstream_has_its_turn_on_sqlite() {
    every_upstream_has_its_turn(DbBackend::Sqlite).await;
}

#[tokio::test]
async fn every_upstream_has_its_turn_on_postgres() {
    every_upstream_has_its_turn(DbBackend::Postgres).await;
}

/// What the planner says it does for a statement.
async fn plan(db: &DatabaseConnection, statement: &Statement) -> Vec<String> {
    let backend = db.get_database_backend();
    let (explain, column) = match backend {
        DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let explained = Statement { sql: format!("{explain} {}", statement.sql), ..statement.clone() };
    let rows = db.query_all_raw(explained).await;
    rows.unwrap().iter().map(|row| row.try_get::<String>("", column).unwrap()).collect()
}

fn ids() -> Vec<Uuid> {
    (0..16).map(Uuid::from_u128).collect()
}

fn picked() -> Vec<Picked> {
    ids().into_iter().map(|id| Picked { id, fence: 0, wanted: 1, state: None }).collect()
}

async fn no_claim_reads_all(backend: DbBackend) {
    let db = crowded(backend).await;
    let look = look(24);
    // With those that put rows in order.
    let statements = [
        (window_statement(backend, &look, 128), true),
        (visits_statement(backend, &look, "https://as-1"), true),
        (take_statement(backend, 10 * BUSY, 1, "one", picked()), false),
        (backend.build(&situation::statement(&ids())), false),
    ];
    for (statement, ordered) in statements {
        let plan = plan(&db, &statement).await;
        assert!(plan.iter().any(|line| line.contains("registration")), "{plan:#?}");
        for line in &plan {
            // The index of leases holds those alone that are claimed now.
            let whole = line.contains("Seq Scan on registration")
                || line.contains("SCAN registration") && !line.contains("registration_lease");
            assert!(!whole, "{statement}\n{plan:#?}");
            // Nothing is put in order that an index does not give in order: that would read all of it.
            let sorts = line.contains("Sort") || line.contains("TEMP B-TREE");
            assert!(!(ordered && sorts), "{statement}\n{plan:#?}");
        }
    }
}

#[tokio::test]
async fn no_claim_reads_all_on_sqlite() {
    no_claim_reads_all(DbBackend::Sqlite).await;
}

#[tokio::test]
async fn no_claim_reads_all_on_postgres() {
    no_claim_reads_all(DbBackend::Postgres).await;
}
