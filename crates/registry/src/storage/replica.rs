//! A replica that answers lists for users (ADR 27): which of its answers are new enough, and what reads there.
//!
//! A task notes twice a second how far the write-ahead log of the primary is, and how far the replica has replayed it. So
//! the replica is known to have everything that was committed before some moment, whatever the clocks of the machines say
//! and also when it has lost its primary. It is used while that moment is at most five seconds ago, and for callers who
//! have changed something only when the moment is after the change.

use crate::actor::{Actor, Channel};
use crate::storage::connect;
use crate::{Registry, Result};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How far the replica may be behind.
const MAX_LAG: Duration = Duration::from_secs(5);
/// How often it is compared with the primary.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// How long it may take to answer; then the primary is asked.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Position in the write-ahead log, in bytes, and which database it is of.
const PRIMARY: &str = "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint AS position, \
    system_identifier::text || '/' || current_database() AS identity FROM pg_control_system()";
/// The same of a standby; no position: it is not one.
const STANDBY: &str = "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint AS position, \
    system_identifier::text || '/' || current_database() AS identity FROM pg_control_system() \
    WHERE pg_is_in_recovery()";

/// Why the replica is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unused {
    #[error("it does not answer")]
    Away,
    #[error("it is not a standby, or does not tell how far it is")]
    NotStandby,
    #[error("it is of another database")]
    Other,
    #[error("it is ahead of the primary: it follows another one")]
    Ahead,
    #[error("it is more than five seconds behind the primary")]
    Behind,
}

/// The replica, and the task that watches it; the task ends when this is dropped.
pub(crate) struct Replica {
    watched: Arc<Watched>,
    task: AbortHandle,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watched {
    db: DatabaseConnection,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The replica has everything that was committed before this moment; `None`: that is unknown.
    as_of: Option<Instant>,
    /// Whether the log says that it is used; `None`: it says nothing yet.
    told_used: Option<bool>,
    /// When each caller changed something, within the last [`MAX_LAG`].
    changed: HashMap<String, Instant>,
    /// Where the log of the primary was, oldest first.
    positions: VecDeque<(Instant, i64)>,
}

/// Where the log is, and of which database.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    bytes: i64,
    identity: String,
}

impl Replica {
    /// Uses the replica at `url` beside `primary`. Nothing is connected before it is needed.
    pub(crate) async fn open(url: &str, max_connections: u32, primary: DatabaseConnection) -> Result<Self> {
        let db = connect::connect_replica(url, max_connections).await?;
        let watched = Arc::new(Watched { db, state: Mutex::default() });
        let task = tokio::spawn({
            let watched = watched.clone();
            async move {
                loop {
                    watched.check(&primary).await;
                    tokio::time::sleep(CHECK_INTERVAL).await;
                }
            }
        });
        Ok(Self { watched, task: task.abort_handle() })
    }

    /// Whether it is used for callers who have changed nothing.
    pub(crate) fn is_used(&self) -> bool {
        self.watched.state(|state| state.is_new_enough(None))
    }

    /// Notes that `actor` has changed something now.
    pub(crate) fn note_change(&self, actor: &Actor) {
        // No person waits for lists of the worker.
        if actor.origin.door != Channel::Worker {
            self.watched.state(|state| state.changed.insert(actor.who().to_owned(), Instant::now()));
        }
    }
}

impl State {
    fn is_new_enough(&self, who: Option<&str>) -> bool {
        let changed = who.and_then(|who| self.changed.get(who));
        self.as_of
            .is_some_and(|as_of| as_of.elapsed() <= MAX_LAG && changed.is_none_or(|changed| *changed < as_of))
    }

    /// Takes in where both are; the replica was asked first, and `before` is a moment before the primary was asked.
    fn compare(&mut self, before: Instant, primary: &Position, standby: &Position) -> Result<(), Unused> {
        self.as_of = None;
        if standby.identity != primary.identity {
            return Err(Unused::Other);
        }
        if standby.bytes > primary.bytes {
            return Err(Unused::Ahead);
        }
        self.positions.push_back((before, primary.bytes));
        // One older than the bound is kept: it shows that this process has watched for long enough.
        while self.positions.get(1).is_some_and(|(at, _)| at.elapsed() > MAX_LAG) {
            self.positions.pop_front();
        }
        let replayed = self.positions.iter().rev().find(|(_, bytes)| *bytes <= standby.bytes);
        let as_of = replayed.map(|(at, _)| *at).filter(|at| at.elapsed() <= MAX_LAG).ok_or(Unused::Behind)?;
        self.as_of = Some(as_of);
        Ok(())
    }
}

impl Watched {
    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn check(&self, primary: &DatabaseConnection) {
        self.state(|state| state.changed.retain(|_, changed| changed.elapsed() <= MAX_LAG));
        let standby = position(&self.db, STANDBY).await;
        let before = Instant::now();
        let compared = match (standby, position(primary, PRIMARY).await) {
            (Err(_), _) => Err(Unused::Away),
            (Ok(None), _) => Err(Unused::NotStandby),
            // What was known of the replica ages.
            (Ok(Some(_)), Err(_) | Ok(None)) => return,
            (Ok(Some(standby)), Ok(Some(primary))) => {
                self.state(|state| state.compare(before, &primary, &standby))
            }
        };
        self.tell(compared);
    }

    /// What it answers in time; `None`: the primary is to be asked.
    async fn answer<T>(&self, answer: impl Future<Output = Result<T, DbErr>>) -> Option<T> {
        if self.state(|state| state.as_of.is_none()) {
            // It failed since the list began.
            return None;
        }
        match in_time(answer).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                // A standby also ends statements that keep it from replaying; the next check says whether it is well.
                tracing::debug!(%error, "the replica did not answer a list");
                self.tell(Err(Unused::Away));
                None
            }
        }
    }

    /// Logs each change, once.
    fn tell(&self, compared: Result<(), Unused>) {
        let news = self.state(|state| {
            if compared.is_err() {
                state.as_of = None;
            }
            // A process that has just started cannot know how far behind it is.
            let is_early = state.positions.front().is_none_or(|(at, _)| at.elapsed() < MAX_LAG);
            let is_news = state.told_used != Some(compared.is_ok());
            if is_news && !(is_early && compared == Err(Unused::Behind)) {
                state.told_used = Some(compared.is_ok());
                return true;
            }
            false
        });
        match compared {
            Ok(()) if news => tracing::info!("lists are read from the replica (`database.read_url`)"),
            Err(why) if news => {
                tracing::warn!(%why, "the replica (`database.read_url`) is not used; lists are read from the primary");
            }
            _ => {}
        }
    }
}

/// `None`: no answer to this question.
async fn position(db: &DatabaseConnection, sql: &str) -> Result<Option<Position>, DbErr> {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let Some(row) = in_time(db.query_one_raw(statement)).await? else { return Ok(None) };
    let bytes: Option<i64> = row.try_get("", "position")?;
    let identity = row.try_get("", "identity")?;
    Ok(bytes.map(|bytes| Position { bytes, identity }))
}

async fn in_time<T>(answer: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let late = |_| Err(DbErr::Custom("the database does not answer in time".to_owned()));
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(late)
}

impl Registry {
    /// Where the lists of `actor` are read: on the replica, if there is one that has everything this caller may expect.
    /// For pages of lists and their counts; all else reads [`Registry::db`].
    pub(crate) fn list_db(&self, actor: &Actor) -> ListConnection<'_> {
        let replica = self.inner.replica.as_ref().map(|replica| &*replica.watched);
        let replica = replica.filter(|watched| watched.state(|state| state.is_new_enough(Some(actor.who()))));
        ListConnection { primary: self.db(), replica }
    }
}

/// Reads from the replica where one is given, and from the primary what the replica does not answer.
#[derive(Clone, Copy)]
pub(crate) struct ListConnection<'a> {
    primary: &'a DatabaseConnection,
    replica: Option<&'a Watched>,
}

#[async_trait]
impl ConnectionTrait for ListConnection<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.primary.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.primary.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.primary.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if let Some(replica) = self.replica
            && let Some(answer) = replica.answer(replica.db.query_one_raw(statement.clone())).await
        {
            return Ok(answer);
        }
        self.primary.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if let Some(replica) = self.replica
            && let Some(answer) = replica.answer(replica.db.query_all_raw(statement.clone())).await
        {
            return Ok(answer);
        }
        self.primary.query_all_raw(statement).await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(bytes: i64) -> Position {
        Position { bytes, identity: "1/registry".to_owned() }
    }

    #[test]
    fn replica_is_as_new_as_the_last_position_that_it_has_replayed() {
        let (start, mut state) = (Instant::now(), State::default());
        let moment = |seconds: u64| start.checked_sub(Duration::from_secs(10 - seconds)).unwrap();
        // Nothing is known before it has reached a position.
        assert_eq!(state.compare(moment(6), &at(100), &at(90)), Err(Unused::Behind));
        assert!(!state.is_new_enough(None));
        state.compare(moment(7), &at(200), &at(100)).unwrap();
        assert_eq!(state.as_of, Some(moment(6)));
        // An idle primary: the newest position of those that are equal.
        state.compare(moment(8), &at(200), &at(200)).unwrap();
        assert_eq!(state.as_of, Some(moment(8)));
        // It has lost its primary, which goes on.
        state.compare(moment(9), &at(300), &at(200)).unwrap();
        assert_eq!(state.as_of, Some(moment(8)));
        // What it has is too old.
        let mut state = State::default();
        assert_eq!(state.compare(moment(3), &at(100), &at(100)), Err(Unused::Behind));
        assert!(!state.is_new_enough(None));
    }

    #[test]
    fn replica_of_something_else_is_not_used() {
        let mut state = State::default();
        state.compare(Instant::now(), &at(100), &at(100)).unwrap();
        assert!(state.is_new_enough(None));
        assert_eq!(state.compare(Instant::now(), &at(100), &at(101)), Err(Unused::Ahead));
        assert!(!state.is_new_enough(None));
        let other = Position { bytes: 100, identity: "2/registry".to_owned() };
        assert_eq!(state.compare(Instant::now(), &at(100), &other), Err(Unused::Other));
        assert!(!state.is_new_enough(None));
    }

    #[test]
    fn callers_who_changed_something_read_where_it_is() {
        let mut state = State::default();
        state.compare(Instant::now(), &at(100), &at(100)).unwrap();
        assert!(state.is_new_enough(Some("ann")) && state.is_new_enough(Some("bob")));
        state.changed.insert("ann".to_owned(), Instant::now());
        assert!(!state.is_new_enough(Some("ann")) && state.is_new_enough(Some("bob")));
        state.compare(Instant::now(), &at(200), &at(100)).unwrap();
        assert!(!state.is_new_enough(Some("ann")) && state.is_new_enough(Some("bob")));
        state.compare(Instant::now(), &at(200), &at(200)).unwrap();
        assert!(state.is_new_enough(Some("ann")));
    }
}
