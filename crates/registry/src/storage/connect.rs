//! Opening the database.

use crate::storage::database_fault::DatabaseFault;
use crate::storage::hosts::DatabaseHosts;
use crate::storage::primary::{Follower, Primary};
use crate::storage::writability::is_distrusted;
use crate::{Error, Result};
use sea_orm::sqlx::Connection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What happens when an SQLite database does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is created.
    Create,
    /// Opening fails.
    Refuse,
}

static OBSERVER: OnceLock<fn(&Statement)> = OnceLock::new();

/// Calls `observer` with every statement that this process sends from now on. For tests that explain statements; only the
/// first observer of a process is called.
#[doc(hidden)]
pub fn observe_statements(observer: fn(&Statement)) {
    let _ = OBSERVER.set(observer);
}

/// How many prepared statements each connection keeps: more than this program has, lists of different length included. A
/// statement that is not kept is parsed and planned again each time.
const PREPARED_STATEMENTS: usize = 300;

/// An opened database.
pub(crate) struct Opened {
    /// Its pool of connections.
    pub(crate) db: DatabaseConnection,
    /// What keeps the pool at the primary, where the URL names several hosts.
    pub(crate) follower: Option<Follower>,
}

/// Opens the database behind `url`.
pub(crate) async fn connect(url: &str, max_connections: u32, missing: Missing) -> Result<Opened> {
    let hosts =
        DatabaseHosts::parse(url).map_err(|why| Error::Unavailable(format!("`database.url`: {why}.")))?;
    let Some(hosts) = hosts else {
        let db = open(url, max_connections, missing, None).await?;
        return Ok(Opened { db, follower: None });
    };
    let primary = Primary::find(hosts.with_options(prepare)).await.map_err(|why| {
        Error::Unavailable(format!("None of the hosts of `database.url` can be written now: {why}."))
    })?;
    let db = open(&primary.host().url, max_connections, missing, Some(&primary)).await?;
    let follower = primary.follow(db.get_postgres_connection_pool().clone());
    Ok(Opened { db, follower: Some(follower) })
}

/// Opens a replica, without connecting to it: a process starts and works without it.
pub(crate) async fn connect_replica(url: &str, max_connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .max_connections(max_connections)
        .connect_lazy(true)
        .acquire_timeout(Duration::from_secs(1))
        .map_sqlx_postgres_opts(prepare);
    let mut db = Database::connect(options)
        .await
        .map_err(|_| Error::Unavailable("`database.read_url` is not a PostgreSQL URL.".to_owned()))?;
    count_statements(&mut db);
    Ok(db)
}

/// What every connection to PostgreSQL has.
fn prepare(options: PgConnectOptions) -> PgConnectOptions {
    options.statement_cache_capacity(PREPARED_STATEMENTS)
}

async fn open(
    url: &str,
    max_connections: u32,
    missing: Missing,
    primary: Option<&Arc<Primary>>,
) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .max_connections(max_connections)
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(8));
    if url.starts_with("sqlite::memory:") {
        // Each connection would have its own database.
        options.max_connections(1).min_connections(1);
    }
    options.map_sqlx_sqlite_opts(move |options| {
        options
            .create_if_missing(missing == Missing::Create)
            .foreign_keys(true)
            .statement_cache_capacity(PREPARED_STATEMENTS)
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            // Moving pages from the log into the database holds the write lock: seldom, 16 MB at a time.
            .pragma("wal_autocheckpoint", "4000")
            // The log is put on the disk by `storage::durability`.
            .pragma("synchronous", "NORMAL")
    });
    // SQLite ends a transaction itself when the disk is full, but the driver still counts it as open: a later "commit"
    // on that connection only releases a savepoint and never reaches the disk. And a connection that was opened while
    // the database was read-only may never write. Both are closed.
    options.map_sqlx_postgres_opts(prepare);
    options.map_sqlx_sqlite_pool_opts(|options| {
        options
            .after_release(|connection, about| {
                Box::pin(async move {
                    // Also waits for a pending rollback.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction() && !is_distrusted(about.age))
                })
            })
            .before_acquire(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
    });
    match primary.cloned() {
        Some(primary) => options.map_sqlx_postgres_pool_opts(move |options| at_primary(options, &primary)),
        None => options.map_sqlx_postgres_pool_opts(|options| {
            options
                .after_release(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
                .before_acquire(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
        }),
    };
    let mut db = Database::connect(options).await.map_err(|error| {
        tracing::debug!(%error, "connecting to the database failed");
        let why = match &error {
            DbErr::Conn(RuntimeErr::SqlxError(error)) => DatabaseFault::of(error),
            _ => None,
        };
        let why = why.filter(|fault| *fault != DatabaseFault::Away).map_or(
            "The database cannot be opened. Check `database.url` and that it is reachable.",
            DatabaseFault::sentence,
        );
        Error::Unavailable(why.to_owned())
    })?;
    count_statements(&mut db);
    debug_assert!(matches!(db.get_database_backend(), DbBackend::Sqlite | DbBackend::Postgres));
    Ok(db)
}

/// Statements per request: the first thing to look at when requests become slow.
fn count_statements(db: &mut DatabaseConnection) {
    db.set_metric_callback(|info| {
        metrics::counter!("mcp_registry_database_statements_total").increment(1);
        if let Some(observe) = OBSERVER.get() {
            observe(info.statement);
        }
    });
}

/// Refuses connections to a host that is not the primary.
fn at_primary(options: PgPoolOptions, primary: &Arc<Primary>) -> PgPoolOptions {
    let (opened, released, acquired) = (primary.clone(), primary.clone(), primary.clone());
    options
        .after_connect(move |connection, _| {
            let primary = opened.clone();
            Box::pin(async move { primary.require_primary(connection).await })
        })
        .after_release(move |_, about| {
            let usable = !is_distrusted(about.age) && !released.is_former(about.age);
            Box::pin(async move { Ok(usable) })
        })
        // A host without power answers nothing at all: a connection to a former host must not be asked first.
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            let primary = acquired.clone();
            Box::pin(async move {
                if is_distrusted(about.age) || primary.is_former(about.age) {
                    return Ok(false);
                }
                primary.require_answer(connection).await.map(|()| true)
            })
        })
}
