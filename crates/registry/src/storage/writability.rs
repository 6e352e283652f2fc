//! Whether the database of this process can be written: noticed with the first write that fails, said once, over with the
//! first write that succeeds.
//!
//! A process has one database, and errors are judged where no handle to it is at hand: so this is one state a process.

use crate::Error;
use crate::storage::database_fault::DatabaseFault;
use crate::storage::writability;
use sea_orm::sqlx;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static STATE: Mutex<State> = Mutex::new(State { fault: None, distrusted: None });

pub(crate) struct State {
    /// Why nothing can be written, since a write failed for it.
    pub(crate) fault: Option<DatabaseFault>,
    /// Connections that were opened before this moment may be read-only for as long as they live: SQLite opens a file that
    /// cannot be written for reading, and a server that became a standby stays one.
    distrusted: Option<Instant>,
}

pub(crate) fn with_state<T>(look: impl FnOnce(&mut State) -> T) -> T {
    look(&mut STATE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Takes note of a fault; the log says so once, not for each request.
pub(crate) fn note(fault: DatabaseFault, error: &sqlx::Error) {
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

/// Takes note of a write that reached the disk.
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

/// Whether a connection of this age is one that may never write again.
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
