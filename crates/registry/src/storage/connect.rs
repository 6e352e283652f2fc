//! How the database is opened.

use crate::storage::database_fault::DatabaseFault;
use crate::storage::writability::is_distrusted;
use crate::{Error, Result};
use sea_orm::sqlx::Connection;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr};
use std::time::Duration;

/// Whether an SQLite database that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is.
    Make,
    /// It is an error.
    Refuse,
}

/// Opens the database behind `url`.
pub(crate) async fn connect(url: &str, max_connections: u32, missing: Missing) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .max_connections(max_connections)
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(8));
    if url.starts_with("sqlite::memory:") {
        // Each connection would have a database of its own.
        options.max_connections(1).min_connections(1);
    }
    options.map_sqlx_sqlite_opts(move |options| {
        options
            .create_if_missing(missing == Missing::Make)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
    });
    // SQLite ends a transaction by itself when its disk is full, and the driver goes on believing in it: what is
    // "committed" on such a connection later is only a savepoint that never reaches the disk. And a connection that was
    // opened while nothing could be written may never write: both are given up.
    options.map_sqlx_sqlite_pool_opts(|options| {
        options
            .after_release(|connection, about| {
                Box::pin(async move {
                    // Also waits for a rollback that is still to be made.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction() && !is_distrusted(about.age))
                })
            })
            .before_acquire(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
    });
    options.map_sqlx_postgres_pool_opts(|options| {
        options
            .after_release(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
            .before_acquire(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
    });
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
    // How much work requests make of the database: the first thing to look at when they grow slow.
    db.set_metric_callback(|_| metrics::counter!("mcp_registry_database_statements_total").increment(1));
    debug_assert!(matches!(db.get_database_backend(), DbBackend::Sqlite | DbBackend::Postgres));
    Ok(db)
}
