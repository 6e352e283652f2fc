//! A fresh database for each test, on both engines.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A separate file.
    Sqlite,
    /// A separate schema in the cluster that `./test` started.
    Postgres,
}

/// A database that is gone when the test is.
#[derive(Debug)]
pub struct TestDatabase {
    /// What to open.
    pub url: String,
    /// Where an SQLite database lies.
    pub folder: TempDir,
    /// Which engine it is of.
    pub engine: Engine,
}

impl TestDatabase {
    /// A fresh one. Panics where `./test` has not prepared PostgreSQL.
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = match engine {
            Engine::Sqlite => {
                format!("sqlite://{}?mode=rwc", folder.path().join("registry.sqlite").display())
            }
            Engine::Postgres => {
                static COUNT: AtomicU32 = AtomicU32::new(0);
                let schema = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                let base = variable("MCP_REGISTRY_TEST_POSTGRES_URL");
                let db = Database::connect(&base).await.expect("the PostgreSQL that ./test started");
                // Process ids come back; what a dead process left behind goes.
                let fresh = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
                db.execute_unprepared(&fresh).await.expect("a schema");
                db.close().await.expect("close");
                let sign = if base.contains('?') { '&' } else { '?' };
                format!("{base}{sign}options[search_path]={schema}")
            }
        };
        Self { url, folder, engine }
    }

    /// As [`Self::new`], in another cluster.
    pub fn in_cluster(url: String) -> Self {
        Self { url, folder: tempfile::tempdir().expect("a temporary folder"), engine: Engine::Postgres }
    }

    /// Another SQLite database that holds the same, as it is now.
    pub async fn copy(&self) -> Self {
        assert_eq!(self.engine, Engine::Sqlite, "only a file is copied");
        let copy = Self::new(self.engine).await;
        let connection = self.connect().await;
        let file = copy.folder.path().join("registry.sqlite");
        let sql = format!("VACUUM INTO '{}'", file.display());
        connection.execute_unprepared(&sql).await.expect("a copy");
        connection.close().await.expect("close");
        copy
    }

    /// Copies of the server `slug`, without registrations, with slugs `copy-1`, `copy-2` and so on.
    pub async fn copy_server(&self, slug: &str, copies: usize) {
        let new_id = match self.engine {
            Engine::Sqlite => "randomblob(16)",
            Engine::Postgres => "gen_random_uuid()",
        };
        let columns = "integration_id, workspace_id, name, version, created_at, updated_at, created_by, updated_by, \
                       configuration_revision, organisation_revision";
        let sql = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies}) \
             INSERT INTO server (id, slug, slug_key, {columns}) \
             SELECT {new_id}, 'copy-' || n.i, 'copy-' || n.i, {columns} FROM server, n WHERE slug = '{slug}'"
        );
        self.connect().await.execute_unprepared(&sql).await.expect("copies");
    }

    /// A raw connection, for looking at what is really stored.
    pub async fn connect(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.expect("the test's database")
    }
}

/// A variable that `./test` sets.
pub(crate) fn variable(name: &str) -> String {
    optional_variable(name).unwrap_or_else(|| panic!("{name} is not set: run the tests through ./test"))
}

/// An environment variable of the test run.
pub fn optional_variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how ./test tells where things are")]
    std::env::var(name).ok()
}
