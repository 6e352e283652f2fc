//! How the watcher hears of commits of other processes.

use crate::storage::notify::CHANNEL;
use sea_orm::sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, Connection};
use sea_orm::{DatabaseConnection, DbBackend};
use std::time::Duration;

/// How often another process's commits are looked for in SQLite; the look costs some microseconds.
const SQLITE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long opening may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// What hears of other processes' commits.
pub(super) enum CommitListener {
    /// Nothing does: the safety net is all there is.
    Polling,
    Sqlite(SqliteConnection, i64),
    Postgres(PgListener),
}

impl CommitListener {
    /// Listens on a connection beside those of `db`; `url` is that of an SQLite database.
    pub(super) async fn open(db: &DatabaseConnection, url: &str) -> Self {
        let opened = match db.get_database_backend() {
            DbBackend::Postgres => postgres(db.get_postgres_connection_pool()).await.map(Self::Postgres),
            _ if url.contains(":memory:") => return Self::Polling,
            _ => sqlite(url).await.map(|connection| Self::Sqlite(connection, 0)),
        };
        opened.unwrap_or_else(|error| {
            tracing::warn!(%error, "commits of other processes are only seen twice a second");
            Self::Polling
        })
    }

    /// Returns when another process may have committed.
    pub(super) async fn changed(&mut self) {
        loop {
            let heard = match self {
                Self::Polling => std::future::pending().await,
                // `None`: the connection is lost, and with it what was committed meanwhile.
                Self::Postgres(listener) => match listener.try_recv().await {
                    Ok(None) => Err(sqlx::Error::WorkerCrashed),
                    other => other.map(|_| true),
                },
                Self::Sqlite(connection, seen) => {
                    tokio::time::sleep(SQLITE_POLL_INTERVAL).await;
                    let version: Result<i64, _> =
                        sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await;
                    version.map(|version| std::mem::replace(seen, version) != version)
                }
            };
            match heard {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => {
                    *self = Self::Polling;
                    return;
                }
            }
        }
    }
}

/// Listens where `pool` connects to now: the host changes when another one becomes the primary.
async fn postgres(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let options = pool.connect_options().as_ref().clone();
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(OPEN_TIMEOUT)
        .connect_with(options)
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    // A lost connection is opened by `open`, which knows the host.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

async fn sqlite(url: &str) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = SqliteConnection::connect(url).await?;
    sqlx::query("PRAGMA query_only = ON").execute(&mut connection).await?;
    Ok(connection)
}
