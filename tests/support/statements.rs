//! How much work the database had: how many statements, and what each of them costs.

use crate::{Engine, TestDatabase};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many SQL statements all registries of this process have run since [`crate::TestServer`] first started.
pub fn statements() -> u64 {
    let rendered = mcp_registry::telemetry::metrics().render();
    let counted =
        rendered.lines().find_map(|line| line.strip_prefix("mcp_registry_database_statements_total "));
    counted.and_then(|number| number.parse().ok()).unwrap_or(0)
}

static SEEN: Mutex<Option<Vec<Statement>>> = Mutex::new(None);

fn seen() -> std::sync::MutexGuard<'static, Option<Vec<Statement>>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `requests` read from the database: every `SELECT` that this process sends meanwhile.
pub async fn reads<T>(requests: impl Future<Output = T>) -> (T, Vec<Statement>) {
    registry::observe_statements(|statement| {
        if let Some(seen) = seen().as_mut()
            && statement.sql.starts_with("SELECT")
        {
            seen.push(statement.clone());
        }
    });
    *seen() = Some(Vec::new());
    let result = requests.await;
    (result, seen().take().unwrap_or_default())
}

/// Explains statements on a connection of its own.
pub struct Explainer {
    db: DatabaseConnection,
    engine: Engine,
    steps: Arc<AtomicU64>,
}

/// What one statement costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Its text, with its values.
    pub sql: String,
    /// On SQLite the steps of its program; on PostgreSQL the rows that its plan read, filtered or sorted.
    pub work: u64,
    /// How it is answered, for people.
    pub plan: String,
    /// Tables that are read as a whole, without an index; on PostgreSQL only where they are long.
    pub scanned: BTreeSet<String>,
}

impl Explainer {
    /// For a database that exists.
    pub async fn new(database: &TestDatabase) -> Self {
        let mut options = ConnectOptions::new(&database.url);
        options.max_connections(1).min_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.expect("the test's database");
        let steps = Arc::new(AtomicU64::new(0));
        if database.engine == Engine::Sqlite {
            let mut connection = db.get_sqlite_connection_pool().acquire().await.expect("its connection");
            let mut handle = connection.lock_handle().await.expect("its handle");
            let counted = steps.clone();
            handle.set_progress_handler(1, move || {
                counted.fetch_add(1, Ordering::Relaxed);
                true
            });
        }
        Self { db, engine: database.engine, steps }
    }

    /// Runs a `SELECT` again and says what it cost.
    pub async fn cost(&self, statement: &Statement) -> Cost {
        let sql = statement.to_string();
        match self.engine {
            Engine::Sqlite => {
                let rows = self.prefixed("EXPLAIN QUERY PLAN ", statement).await;
                let lines: Vec<String> =
                    rows.iter().map(|row| row.try_get("", "detail").expect("a detail")).collect();
                let scans =
                    lines.iter().filter(|line| !line.contains(" USING ") && !line.contains("VIRTUAL"));
                let scanned = scans.filter_map(|line| line.strip_prefix("SCAN ")).map(first_word).collect();
                let before = self.steps.load(Ordering::Relaxed);
                self.prefixed("", statement).await;
                let work = self.steps.load(Ordering::Relaxed) - before;
                Cost { sql, work, plan: lines.join("\n"), scanned }
            }
            Engine::Postgres => {
                let rows = self.prefixed("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ", statement).await;
                let plan: Value = rows[0].try_get("", "QUERY PLAN").expect("a plan");
                let (mut work, mut scanned) = (0, BTreeSet::new());
                walk(&plan[0]["Plan"], &mut work, &mut scanned);
                let plan = serde_json::to_string_pretty(&plan).expect("JSON");
                Cost { sql, work, plan, scanned }
            }
        }
    }

    async fn prefixed(&self, prefix: &str, statement: &Statement) -> Vec<sea_orm::QueryResult> {
        let mut again = statement.clone();
        again.sql = format!("{prefix}{}", statement.sql);
        self.db.query_all_raw(again).await.unwrap_or_else(|error| panic!("{error}\n{statement}"))
    }
}

fn first_word(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// Adds up the rows of every node of a plan of PostgreSQL.
fn walk(node: &Value, work: &mut u64, scanned: &mut BTreeSet<String>) {
    let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
    let rows = number("Actual Rows")
        + number("Rows Removed by Filter")
        + number("Rows Removed by Join Filter")
        + number("Rows Removed by Index Recheck");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of rows")]
    {
        *work += (rows * number("Actual Loops")) as u64;
    }
    // PostgreSQL reads a small table as a whole, and is right.
    if node["Node Type"] == "Seq Scan"
        && rows > 1_000.0
        && let Some(table) = node["Relation Name"].as_str()
    {
        scanned.insert(table.to_owned());
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        walk(child, work, scanned);
    }
}
