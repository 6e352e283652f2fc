//! What an error of the database means. One table for each engine, because their codes differ.

use crate::{ConflictCode, Error};
use registry_core::finding::Finding;
use registry_core::nul;
use sea_orm::sqlx::postgres::PgDatabaseError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// A fault of the database, the same for both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseFault {
    /// The connection broke, or the server is starting or stopping.
    Away,
    /// The server accepts no further connection.
    TooManyConnections,
    /// The disk is full.
    DiskFull,
    /// The database, its disk, folder or file is read-only, or the file does not exist.
    ReadOnly,
    /// The disk refuses to read or write.
    DiskFails,
    /// The stored data are damaged.
    Damaged,
    /// The server or this process is out of memory.
    OutOfMemory,
    /// Another process holds a lock for too long.
    Locked,
    /// Another transaction interfered; this one changed nothing.
    Interrupted,
    /// The database's user may not do this.
    Denied,
    /// A row with the same unique value exists.
    Duplicate,
    /// A text that this database cannot store.
    UnstorableText,
}

impl DatabaseFault {
    /// What `error` means; `None`: an unexpected error, for example a bug.
    pub(crate) fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Some(Self::Away),
            sqlx::Error::Database(error) => {
                if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                    return Self::of_postgres(error.code());
                }
                // Its `code` is the extended result code as a number.
                let error = error.try_downcast_ref::<SqliteError>()?;
                let code = sqlx::error::DatabaseError::code(error)?;
                Self::of_sqlite(code.parse().ok()?)
            }
            _ => None,
        }
    }

    /// The same for an error of sea-orm, with its cause.
    pub(crate) fn cause_of(error: &DbErr) -> Option<(Self, &sqlx::Error)> {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some((Self::of(cause)?, cause)),
            _ => None,
        }
    }

    /// SQLite's extended result codes (<https://www.sqlite.org/rescode.html>); the low byte is the primary one.
    fn of_sqlite(code: u32) -> Option<Self> {
        match code {
            // SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_ROWID
            1555 | 2067 | 2579 => return Some(Self::Duplicate),
            _ => {}
        }
        match code & 0xff {
            // SQLITE_PERM, SQLITE_AUTH
            3 | 23 => Some(Self::Denied),
            // SQLITE_BUSY, SQLITE_LOCKED
            5 | 6 => Some(Self::Locked),
            // SQLITE_NOMEM
            7 => Some(Self::OutOfMemory),
            // SQLITE_READONLY; SQLITE_CANTOPEN, of a file that must be made
            8 | 14 => Some(Self::ReadOnly),
            // SQLITE_IOERR
            10 => Some(Self::DiskFails),
            // SQLITE_CORRUPT, SQLITE_NOTADB
            11 | 26 => Some(Self::Damaged),
            // SQLITE_FULL
            13 => Some(Self::DiskFull),
            _ => None,
        }
    }

    /// PostgreSQL's SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    fn of_postgres(state: &str) -> Option<Self> {
        match state {
            "53100" => Some(Self::DiskFull),
            "53200" => Some(Self::OutOfMemory),
            "53300" | "53400" => Some(Self::TooManyConnections),
            // read_only_sql_transaction
            "25006" => Some(Self::ReadOnly),
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Some(Self::Interrupted),
            // lock_not_available; query_canceled, as by `statement_timeout`
            "55P03" | "57014" => Some(Self::Locked),
            // character_not_in_repertoire, untranslatable_character
            "22021" | "22P05" => Some(Self::UnstorableText),
            "23505" => Some(Self::Duplicate),
            // insufficient_privilege
            "42501" => Some(Self::Denied),
            // data_corrupted, index_corrupted
            "XX001" | "XX002" => Some(Self::Damaged),
            _ => match state.get(..2)? {
                // Connection exceptions; operator intervention.
                "08" => Some(Self::Away),
                "57" if state.starts_with("57P") => Some(Self::Away),
                // Invalid authorization.
                "28" => Some(Self::Denied),
                // System errors: io_error, undefined_file.
                "58" => Some(Self::DiskFails),
                _ => None,
            },
        }
    }

    /// Whether writing is impossible until the operator repairs the disk or the server.
    pub(crate) fn stops_writing(self) -> bool {
        matches!(self, Self::DiskFull | Self::ReadOnly | Self::DiskFails)
    }

    /// What is wrong and what to do, a sentence for callers and operators.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Away => "The database cannot be reached now. Try again shortly.",
            Self::TooManyConnections => {
                "The database accepts no further connection. Try again shortly; the operator can raise its limit or lower `database.max_connections`."
            }
            Self::DiskFull => {
                "The database cannot be written: its disk is full. Nothing was saved; reading still works. Free some space; writing then works again without a restart."
            }
            Self::ReadOnly => {
                "The database cannot be written: its disk, folder or file is read-only or missing, or its server accepts no writes. Nothing was saved. Make it writable; writing then works again without a restart."
            }
            Self::DiskFails => {
                "The database cannot be written: its disk is full, read-only or broken. Nothing was saved; reading still works. Repair the disk; writing then works again without a restart."
            }
            Self::Damaged => "The database is damaged. The operator must restore a backup.",
            Self::OutOfMemory => "The database is out of memory. Nothing was saved. Try again shortly.",
            Self::Locked => {
                "Another process keeps the database locked. Nothing was saved. Try again shortly."
            }
            Self::Interrupted => "Another change interfered. Nothing was saved. Try again.",
            Self::Denied => {
                "The database does not allow this. Nothing was saved. The operator must give the user of `database.url` the rights to read and write all tables."
            }
            Self::Duplicate => {
                "Another user saved the same name or address at this moment. Nothing was saved. Read again and repeat your change."
            }
            Self::UnstorableText => {
                "A text contains a character that the database cannot store, such as NUL. Nothing was saved. Remove the character."
            }
        }
    }
}

impl From<DatabaseFault> for Error {
    fn from(fault: DatabaseFault) -> Self {
        let message = fault.sentence().to_owned();
        match fault {
            DatabaseFault::Duplicate => {
                Self::Conflict { code: ConflictCode::Conflict, message, pointer: None }
            }
            // Input is validated before; a text that gets here nevertheless must not be retried.
            DatabaseFault::UnstorableText => Self::invalid(Finding::error("", nul::CODE, message)),
            _ => Self::Unavailable(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseFault::{self, *};

    #[test]
    fn each_engine_has_a_table_of_its_own() {
        for (code, fault) in [
            (3, Some(Denied)),
            (5, Some(Locked)),
            (261, Some(Locked)),
            (517, Some(Locked)),
            (6, Some(Locked)),
            (7, Some(OutOfMemory)),
            (8, Some(ReadOnly)),
            (1032, Some(ReadOnly)),
            (14, Some(ReadOnly)),
            (778, Some(DiskFails)),
            (4874, Some(DiskFails)),
            (11, Some(Damaged)),
            (26, Some(Damaged)),
            (13, Some(DiskFull)),
            (2067, Some(Duplicate)),
            (1555, Some(Duplicate)),
            (787, None),
            (1, None),
        ] {
            assert_eq!(DatabaseFault::of_sqlite(code), fault, "SQLite {code}");
        }
        for (state, fault) in [
            ("53100", Some(DiskFull)),
            ("53200", Some(OutOfMemory)),
            ("53300", Some(TooManyConnections)),
            ("57P01", Some(Away)),
            ("57P02", Some(Away)),
            ("57P03", Some(Away)),
            ("08006", Some(Away)),
            ("57014", Some(Locked)),
            ("55P03", Some(Locked)),
            ("25006", Some(ReadOnly)),
            ("40001", Some(Interrupted)),
            ("40P01", Some(Interrupted)),
            ("58030", Some(DiskFails)),
            ("XX001", Some(Damaged)),
            ("28P01", Some(Denied)),
            // As numbers these end in bytes that are SQLite's BUSY, READONLY and LOCKED.
            ("22021", Some(UnstorableText)),
            ("22P05", Some(UnstorableText)),
            ("42501", Some(Denied)),
            ("22024", None),
            ("23505", Some(Duplicate)),
            ("23503", None),
            ("42703", None),
            ("", None),
        ] {
            assert_eq!(DatabaseFault::of_postgres(state), fault, "PostgreSQL {state}");
        }
    }
}
