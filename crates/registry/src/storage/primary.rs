//! Keeps a pool at the primary among several PostgreSQL hosts (ADR 27).
//!
//! One task for each pool looks once a second, over a connection of its own, whether the host can still be written. When it
//! cannot, the task asks all hosts at the same time and points the pool at the primary: new connections go there, older
//! ones are closed before they are used again. The pool itself refuses a new connection to a host that cannot be written.
//!
//! Two hosts may both say that they are the primary, when the former one comes back as it was. A promotion begins a new
//! timeline of the write-ahead log, with a higher number: the host with the highest one is the primary, and a process never
//! goes back to a lower one.

use crate::storage::database_fault::DatabaseFault;
use crate::storage::hosts::{DatabaseHost, DatabaseHosts};
use crate::storage::writability::doubts;
use sea_orm::sqlx::{self, ConnectOptions, Connection, PgConnection, PgPool};
use std::cmp::Reverse;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// How often the primary is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two looks, however many statements fail.
const MIN_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// How long one host may take to answer.
const HOST_TIMEOUT: Duration = Duration::from_secs(2);
/// How much longer the other hosts are waited for, once one says that it is the primary.
const GRACE: Duration = Duration::from_millis(300);
/// Between two searches; doubled up to [`CHECK_INTERVAL`].
const SEARCH_INTERVAL: Duration = Duration::from_millis(100);
/// How long a process that starts looks for the primary.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);

/// What a host says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostState {
    /// It can be written; with the timeline of its write-ahead log, 0 where it does not tell.
    Primary(i64),
    /// It is a standby, or read-only.
    ReadOnly,
    /// It does not let this user in.
    Denied,
    /// It does not answer, or not yet.
    Away,
}

impl fmt::Display for HostState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Primary(_) => "is a former primary",
            Self::ReadOnly => "cannot be written (a standby, or read-only)",
            Self::Denied => "refuses the user or the password",
            Self::Away => "does not answer",
        })
    }
}

/// Where the pool is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Index of the host.
    host: usize,
    timeline: i64,
    /// How often the primary changed.
    moves: u64,
    /// Connections of before are not used any more.
    since: Instant,
}

/// The primary among the hosts of a URL, as far as it is known.
pub(crate) struct Primary {
    hosts: DatabaseHosts,
    place: Mutex<Place>,
    /// A connection could not be used: the host should be looked at.
    doubt: Notify,
}

/// The task that follows the primary; it ends when this is dropped.
pub(crate) struct Follower {
    primary: Arc<Primary>,
    task: AbortHandle,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// How often the primary changed.
    pub(crate) fn moves(&self) -> u64 {
        self.primary.place().moves
    }
}

impl Primary {
    /// Finds the primary. The error says of each host why it is not.
    pub(crate) async fn find(hosts: DatabaseHosts) -> Result<Arc<Self>, String> {
        let deadline = Instant::now() + OPEN_TIMEOUT;
        let mut pause = SEARCH_INTERVAL;
        loop {
            let states = ask(hosts.as_slice()).await;
            if let Some((host, timeline)) = best(&states, 0) {
                let place = Mutex::new(Place { host, timeline, moves: 0, since: Instant::now() });
                let this = Self { hosts, place, doubt: Notify::new() };
                tracing::info!(host = %this.host().name, "this host of the database is the primary");
                return Ok(Arc::new(this));
            }
            if Instant::now() + pause >= deadline || states.contains(&HostState::Denied) {
                return Err(describe(&hosts, &states));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(CHECK_INTERVAL);
        }
    }

    fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that the pool is at.
    pub(crate) fn host(&self) -> &DatabaseHost {
        // The index is one of this list.
        &self.hosts.as_slice()[self.place().host]
    }

    /// Whether a connection of this age was opened before the primary changed.
    pub(crate) fn is_former(&self, age: Duration) -> bool {
        age >= self.place().since.elapsed()
    }

    /// For a new connection of the pool: an error unless its host can be written.
    pub(crate) async fn require_primary(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match timeout(HOST_TIMEOUT, state_of(connection)).await.unwrap_or(HostState::Away) {
            HostState::Primary(timeline) if timeline >= self.place().timeline => Ok(()),
            refused => {
                self.doubt.notify_one();
                Err(sqlx::Error::Configuration(format!("the host {refused}").into()))
            }
        }
    }

    /// For an idle connection of the pool: an error if it does not answer.
    pub(crate) async fn require_answer(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let answered = timeout(HOST_TIMEOUT, connection.ping()).await;
        answered
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
            .inspect_err(|_| {
                self.doubt.notify_one();
            })
    }

    /// Follows the primary with `pool` from now on.
    pub(crate) fn follow(self: Arc<Self>, pool: PgPool) -> Follower {
        let primary = self.clone();
        let task = tokio::spawn(async move { self.run(&pool).await }).abort_handle();
        Follower { primary, task }
    }

    async fn run(&self, pool: &PgPool) {
        let mut watched = None;
        loop {
            // Before the look, so that a doubt during it is not missed.
            let (doubt, doubts) = (self.doubt.notified(), doubts());
            if !self.is_primary_still(&mut watched).await {
                watched = None;
                self.search(pool).await;
            }
            tokio::time::sleep(MIN_CHECK_INTERVAL).await;
            tokio::select! {
                () = doubt => {}
                () = doubts => {}
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
            }
        }
    }

    /// Looks at the host over `watched`, which is opened if needed.
    async fn is_primary_still(&self, watched: &mut Option<PgConnection>) -> bool {
        let place = self.place();
        let looked = timeout(HOST_TIMEOUT, async {
            let mut connection = match watched.take() {
                Some(connection) => connection,
                None => self.host().options.connect().await.ok()?,
            };
            let state = state_of(&mut connection).await;
            *watched = Some(connection);
            Some(state)
        });
        match looked.await.ok().flatten() {
            Some(HostState::Primary(timeline)) => timeline == place.timeline,
            _ => false,
        }
    }

    /// Points `pool` at the primary, as soon as there is one.
    async fn search(&self, pool: &PgPool) {
        let former = self.place();
        let (began, mut pause, mut told) = (Instant::now(), SEARCH_INTERVAL, false);
        loop {
            let states = ask(self.hosts.as_slice()).await;
            if let Some((host, timeline)) = best(&states, former.timeline) {
                let moved = (host, timeline) != (former.host, former.timeline);
                let seconds = began.elapsed().as_secs_f32();
                if moved {
                    let place = Place { host, timeline, moves: former.moves + 1, since: Instant::now() };
                    *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
                    pool.set_connect_options(self.host().options.clone());
                    let from = &self.hosts.as_slice()[former.host].name;
                    tracing::warn!(%from, to = %self.host().name, timeline, seconds, "the primary of the database changed");
                } else if told {
                    tracing::info!(host = %self.host().name, seconds, "the primary of the database answers again");
                }
                return;
            }
            if !told {
                told = true;
                tracing::warn!(hosts = %describe(&self.hosts, &states), "the database has no primary now; looking for it");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(CHECK_INTERVAL);
        }
    }
}

/// What each host says of itself. All are asked at the same time; those that are late count as away.
async fn ask(hosts: &[DatabaseHost]) -> Vec<HostState> {
    let mut asked = JoinSet::new();
    for (index, host) in hosts.iter().enumerate() {
        let options = host.options.clone();
        asked.spawn(async move { (index, timeout(HOST_TIMEOUT, look_at(options.connect())).await) });
    }
    let mut states = vec![HostState::Away; hosts.len()];
    let mut end = tokio::time::Instant::now() + HOST_TIMEOUT;
    while let Ok(Some(answer)) = tokio::time::timeout_at(end, asked.join_next()).await {
        let Ok((index, Ok(state))) = answer else { continue };
        states[index] = state;
        if matches!(state, HostState::Primary(_)) {
            end = end.min(tokio::time::Instant::now() + GRACE);
        }
    }
    states
}

async fn look_at(connecting: impl Future<Output = Result<PgConnection, sqlx::Error>>) -> HostState {
    match connecting.await {
        Ok(mut connection) => {
            let state = state_of(&mut connection).await;
            // The server notices a connection that is only dropped later.
            drop(connection.close().await);
            state
        }
        Err(error) if DatabaseFault::of(&error) == Some(DatabaseFault::Denied) => HostState::Denied,
        Err(error) => {
            tracing::debug!(%error, "a host of the database could not be reached");
            HostState::Away
        }
    }
}

async fn state_of(connection: &mut PgConnection) -> HostState {
    let writable = sqlx::query_scalar::<_, bool>(
        "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'",
    );
    match writable.fetch_one(&mut *connection).await {
        Ok(true) => {}
        Ok(false) => return HostState::ReadOnly,
        Err(_) => return HostState::Away,
    }
    // The first eight digits of a file of the write-ahead log are its timeline.
    let timeline = sqlx::query_scalar::<_, i64>(
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint",
    );
    match timeline.fetch_one(connection).await {
        Ok(timeline) => HostState::Primary(timeline),
        // Some providers' servers have no log of their own to ask for.
        Err(sqlx::Error::Database(_)) => HostState::Primary(0),
        Err(_) => HostState::Away,
    }
}

/// The primary, with its timeline, which is `least` or higher: the one with the highest, of equal ones the first.
fn best(states: &[HostState], least: i64) -> Option<(usize, i64)> {
    let primaries = states.iter().enumerate().filter_map(|(index, state)| match state {
        HostState::Primary(timeline) if *timeline >= least => Some((index, *timeline)),
        _ => None,
    });
    primaries.max_by_key(|(index, timeline)| (*timeline, Reverse(*index)))
}

/// `h1:5432 does not answer, h2:5432 cannot be written`.
fn describe(hosts: &DatabaseHosts, states: &[HostState]) -> String {
    let each: Vec<_> =
        hosts.as_slice().iter().zip(states).map(|(host, state)| format!("{} {state}", host.name)).collect();
    each.join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::HostState::{Away, Denied, Primary, ReadOnly};
    use super::*;

    #[test]
    fn the_primary_is_the_one_with_the_highest_timeline() {
        for (states, least, expected) in [
            (&[Primary(1), ReadOnly][..], 0, Some((0, 1))),
            (&[ReadOnly, Primary(2)], 1, Some((1, 2))),
            // The former primary came back as it was.
            (&[Primary(1), Primary(2)], 1, Some((1, 2))),
            (&[Primary(2), Primary(1)], 1, Some((0, 2))),
            (&[Primary(1), Away], 2, None),
            (&[Primary(1), Primary(1)], 1, Some((0, 1))),
            // Servers that do not tell their timeline.
            (&[Primary(0), Primary(0)], 0, Some((0, 0))),
            (&[ReadOnly, Away, Denied], 0, None),
        ] {
            assert_eq!(best(states, least), expected, "{states:?} {least}");
        }
    }

    #[test]
    fn hosts_that_cannot_be_used_are_described_without_credentials() {
        let hosts = DatabaseHosts::parse("postgres://me:s3cret@h1,h2:6432/db").unwrap().unwrap();
        assert_eq!(
            describe(&hosts, &[Away, ReadOnly]),
            "h1:5432 does not answer, h2:6432 cannot be written (a standby, or read-only)"
        );
    }
}
