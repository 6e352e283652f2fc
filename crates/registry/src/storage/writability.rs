//! Whether the database of this process can be written: set by the first write that fails, logged once, cleared by the
//! first write that succeeds.
//!
//! A process has one database, and errors are classified where no handle of it is available: so this state is global.

use crate::Error;
use crate::storage::database_fault::DatabaseFault;
use crate::storage::writability;
use sea_orm::sqlx;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Notified when a statement fails because the database is away or read-only.
static DOUBTS: Notify = Notify::const_new();

static STATE: Mutex<State> = Mutex::new(State { fault: None, distrusted: None });

pub(crate) struct State {
    /// Why the last write failed; `None`: writes succeed.
    pub(crate) fault: Option<DatabaseFault>,
    /// Connections that were opened before this moment may stay read-only: SQLite opens a file that cannot be written
    /// for reading, and a server that became a standby stays one.
    distrusted: Option<Instant>,
}

pub(crate) fn with_state<T>(look: impl FnOnce(&mut State) -> T) -> T {
    look(&mut STATE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The next statement that fails because the database is away or read-only; it counts from this call on.
pub(crate) fn doubts() -> Notified<'static> {
    DOUBTS.notified()
}

/// Records a fault; logs it once, not for each request.
pub(crate) fn note(fault: DatabaseFault, error: &sqlx::Error) {
    if matches!(fault, DatabaseFault::Away | DatabaseFault::ReadOnly) {
        DOUBTS.notify_waiters();
    }
    if !fault.stops_writing() {
        return;
    }
    let news = with_state(|state| {
        if fault == DatabaseFault::ReadOnly {
            state.distrusted = Some(Instant::now());
        }
        state.fault.replace(fault).is_none()
    });
    if news {
        tracing::error!(%error, "{}", fault.sentence());
    } else {
        tracing::debug!(%error, "the database still cannot be written");
    }
}

/// Records a write that reached the disk.
pub(crate) fn note_written() {
    let over = with_state(|state| {
        let fault = state.fault.take();
        if fault == Some(DatabaseFault::ReadOnly) {
            state.distrusted = Some(Instant::now());
        }
        fault.is_some()
    });
    if over {
        tracing::info!("the database can be written again");
    }
}

/// Whether a connection of this age may be read-only for ever.
pub(crate) fn is_distrusted(age: Duration) -> bool {
    with_state(|state| state.distrusted).is_some_and(|moment| age >= moment.elapsed())
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        use sea_orm::DbErr;
        if let Some((fault, cause)) = DatabaseFault::cause_of(&error) {
            writability::note(fault, cause);
            return fault.into();
        }
        match error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => DatabaseFault::Away.into(),
            other => Self::Internal(Box::new(other)),
        }
    }
}
