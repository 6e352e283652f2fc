//! Backups of an SQLite database: written while others work, and checked before they replace a database. PostgreSQL has
//! its own programs for that.

use crate::deployment::Deployment;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::deployment;
use crate::storage::write::Event;
use crate::{Actor, Error, Result};
use registry_core::permission::Permission;
use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, sqlx};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

impl Deployment<'_> {
    /// Writes a snapshot of the database into a new file. Others can read and write meanwhile.
    pub async fn back_up(self, actor: &Actor, file: &Path) -> Result<()> {
        actor.require_organisation(Permission::ManageKeys)?;
        if self.registry.db().get_database_backend() != DbBackend::Sqlite {
            return Err(Error::NotImplemented(
                "PostgreSQL is backed up with its own programs: `pg_dump` (docs/operations.md).",
            ));
        }
        // The audit event is in the copy too.
        let mut write = self.registry.begin_write(actor).await?;
        write.audit(Event::new(AuditAction::DatabaseBackedUp, "database", "sqlite"));
        write.commit().await?;
        let name =
            file.to_str().ok_or_else(|| Error::Unavailable("The file's name is no UTF-8.".to_owned()))?;
        let statement = format!("VACUUM INTO '{}'", name.replace('\'', "''"));
        self.registry
            .db()
            .execute_unprepared(&statement)
            .await
            .map_err(|error| Error::Unavailable(format!("The copy cannot be written to {name}: {error}.")))?;
        check_copy(file).await
    }

    /// Records in the audit log that the database was restored, and from when it is.
    pub async fn record_restored(self, actor: &Actor) -> Result<()> {
        let newest = deployment::Entity::find()
            .all(self.registry.db())
            .await?
            .into_iter()
            .map(|row| row.updated_at)
            .max();
        let mut write = self.registry.begin_write(actor).await?;
        let audit = json!({ "settings_of": newest });
        write.audit(Event::new(AuditAction::DatabaseRestored, "database", "sqlite").after(audit));
        write.commit().await
    }
}

/// Refuses a file that is not a valid database of this program.
pub async fn check_copy(file: &Path) -> Result<()> {
    let shown = file.display();
    let unsound = |why: String| Error::Unavailable(format!("{shown} is not a valid backup: {why}."));
    let mut journal = file.as_os_str().to_owned();
    journal.push("-wal");
    if std::fs::metadata(journal).is_ok_and(|journal| journal.len() > 0) {
        return Err(unsound("a journal is beside it, so `mcp-registry backup` did not write it".to_owned()));
    }
    let mut db = open(file).await.map_err(|error| unsound(error.to_string()))?;
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut db)
        .await
        .map_err(|error| unsound(error.to_string()))?;
    if verdict != "ok" {
        return Err(unsound(verdict));
    }
    let ours: std::result::Result<i64, _> =
        sqlx::query_scalar("SELECT COUNT(*) FROM sequence").fetch_one(&mut db).await;
    match ours {
        Ok(1) => Ok(()),
        _ => Err(unsound("it is not a database of this program".to_owned())),
    }
}

/// State of a database that is about to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// Intact: in one file, without a journal.
    Whole,
    /// Unreadable; nothing was changed.
    Damaged,
}

/// Refuses a database that a process has open; merges the journal of any other into its file.
pub async fn release(file: &Path) -> Result<Released> {
    let shown = file.display();
    let refusal = |error: &sqlx::Error| match result_code(error) {
        // SQLITE_CORRUPT, SQLITE_NOTADB
        Some(11 | 26) => Ok(Released::Damaged),
        // SQLITE_BUSY, SQLITE_LOCKED
        Some(5 | 6) => Err(in_use(file)),
        _ => Err(Error::Unavailable(format!("{shown} cannot be opened: {error}."))),
    };
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_millis(200));
    let mut db = match options.connect().await {
        Ok(db) => db,
        Err(error) => return refusal(&error),
    };
    // Only an exclusive connection can leave WAL mode.
    let mode: std::result::Result<String, _> =
        sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut db).await;
    match mode {
        Ok(mode) if mode == "delete" => Ok(Released::Whole),
        Ok(_) => Err(in_use(file)),
        Err(error) => refusal(&error),
    }
}

fn in_use(file: &Path) -> Error {
    Error::Unavailable(format!("{} is in use. End every process of this deployment first.", file.display()))
}

/// SQLite's primary result code.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

pub(crate) async fn open(file: &Path) -> std::result::Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(file).read_only(true).immutable(true).connect().await
}
