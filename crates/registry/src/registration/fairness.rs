//! Which due registrations are claimed next: each upstream's first before anybody's second, however many are due.
//!
//! A look reads a window of those due longest, which an index gives in order. If the window is full, more may be due than it
//! shows, and one upstream may fill it: then the look also visits a bounded number of upstreams in the order of their
//! names, and takes the first due registration of each. The next look goes on where this one ended, so that every upstream has
//! its turn, and no look reads all that is due.

use crate::Result;
use crate::storage::columns::NEVER;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How many due registrations a look reads for each that it may claim, and at least.
const WINDOW_PER_CLAIM: u64 = 4;
const MIN_WINDOW: u64 = 64;
/// How many upstreams a look visits beside its window.
const MAX_VISITS: i64 = 128;

/// What a look is for.
pub(crate) struct Look<'a> {
    pub(crate) worker: &'a str,
    /// Registrations due until then, in epoch milliseconds.
    pub(crate) due: i64,
    /// Leases that ended until then on SQLite; PostgreSQL judges by its own clock.
    pub(crate) now: i64,
    pub(crate) limit: u64,
    pub(crate) max_per_upstream: u64,
}

/// A registration that a look shows.
#[derive(Debug, FromQueryResult)]
struct Seen {
    id: Uuid,
    upstream: String,
    /// One of the numbers below.
    kind: i64,
    /// When it is due, or its lease ends, in epoch milliseconds.
    at: i64,
}

/// It is due.
const DUE: i64 = 0;
/// The worker that looks holds it.
const HELD: i64 = 1;
/// Another worker holds it.
const HELD_ELSEWHERE: i64 = 2;
/// It is due next.
const NEXT: i64 = 3;

/// What a look found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The registrations to claim, best first.
    pub(crate) ids: Vec<Uuid>,
    /// When something else may be claimed, in epoch milliseconds; in the past: it is due, and may not be claimed now.
    pub(crate) next_at: Option<i64>,
}

/// The first due registration of an upstream; `None`: it has none.
#[derive(Debug, FromQueryResult)]
struct Visited {
    id: Option<Uuid>,
    upstream: String,
}

/// The registrations to claim next. `cursor` is the upstream that the last look ended at.
pub(crate) async fn candidates(
    db: &impl ConnectionTrait,
    look: &Look<'_>,
    cursor: &mut String,
) -> Result<Found> {
    let window = (look.limit * WINDOW_PER_CLAIM).max(MIN_WINDOW);
    let seen =
        Seen::find_by_statement(window_statement(db.get_database_backend(), look, window)).all(db).await?;
    let (due, others): (Vec<_>, Vec<_>) = seen.into_iter().partition(|one| one.kind == DUE);
    let earliest_due = due.iter().map(|one| one.at).min();
    let in_window = due.len();
    let (held, later): (Vec<_>, Vec<_>) = others.into_iter().partition(|one| one.kind == HELD);
    let ids = choose(db, look, cursor, &held, due, window).await?;
    let later = held.iter().chain(&later).map(|one| one.at).min();
    let next_at = if in_window > ids.len() { earliest_due } else { later };
    Ok(Found { ids, next_at })
}

/// Chooses among `due`, and among what the upstreams have that are visited where the `window` is full.
async fn choose(
    db: &impl ConnectionTrait,
    look: &Look<'_>,
    cursor: &mut String,
    held: &[Seen],
    due: Vec<Seen>,
    window: u64,
) -> Result<Vec<Uuid>> {
    let is_full = due.len() as u64 >= window;
    let mut turns = Turns::after(held, look.max_per_upstream);
    for one in due {
        turns.add(one.id, one.upstream);
    }
    if !is_full {
        return Ok(turns.in_order(look.limit));
    }
    let visits = visits_statement(db.get_database_backend(), look, cursor);
    let visited = Visited::find_by_statement(visits).all(db).await?;
    let more = visited.len() as u64 >= MAX_VISITS.unsigned_abs();
    let mut offered = Vec::with_capacity(visited.len());
    for one in visited {
        let offer = one.id.filter(|id| turns.add(*id, one.upstream.clone()));
        offered.push((offer, one.upstream));
    }
    let taken = turns.in_order(look.limit);
    // The next look goes on after the last upstream that had its turn, and begins again after all of them.
    let passed = |(offer, _): &&(Option<Uuid>, String)| offer.is_none_or(|id| taken.contains(&id));
    let passed = offered.iter().take_while(passed).count();
    match offered[..passed].last() {
        Some(_) if passed == offered.len() && !more => cursor.clear(),
        Some((_, upstream)) => cursor.clone_from(upstream),
        None if offered.is_empty() => cursor.clear(),
        None => {}
    }
    Ok(taken)
}

/// Puts due registrations in the order of their turns.
struct Turns {
    max_per_upstream: u64,
    /// The last turn of each upstream; what the worker holds already counts.
    last: HashMap<String, u64>,
    known: HashSet<Uuid>,
    /// Turn and place in the order of arrival.
    found: Vec<(u64, usize, Uuid)>,
}

impl Turns {
    fn after(held: &[Seen], max_per_upstream: u64) -> Self {
        let mut last = HashMap::new();
        for one in held {
            *last.entry(one.upstream.clone()).or_default() += 1;
        }
        let max_per_upstream = max_per_upstream.max(1);
        Self { max_per_upstream, last, known: HashSet::new(), found: Vec::new() }
    }

    /// Gives `id` the next turn of its upstream, if it has one left and `id` has none yet; says whether it did.
    fn add(&mut self, id: Uuid, upstream: String) -> bool {
        let last = self.last.entry(upstream).or_default();
        let has_turn = *last < self.max_per_upstream && self.known.insert(id);
        if has_turn {
            *last += 1;
            self.found.push((*last, self.found.len(), id));
        }
        has_turn
    }

    fn in_order(mut self, limit: u64) -> Vec<Uuid> {
        self.found.sort_unstable();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.found.into_iter().take(limit).map(|(_, _, id)| id).collect()
    }
}

/// A statement with `$1` the due time and `$2`, `$3` as given. `lease_now` stands for the time that leases are judged by.
fn statement(backend: DbBackend, look: &Look<'_>, sql: &str, count: i64, text: &str) -> Statement {
    let mut values = vec![look.due.into(), count.into(), text.into()];
    let lease_now = if backend == DbBackend::Postgres {
        // The same during one statement, so that an index can be searched for it.
        "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)"
    } else {
        values.push(look.now.into());
        "$4"
    };
    Statement::from_sql_and_values(backend, sql.replace("lease_now", lease_now), values)
}

/// The first `window` of what is due, what is held, and what is due next.
pub(crate) fn window_statement(backend: DbBackend, look: &Look<'_>, window: u64) -> Statement {
    let sql = format!(
        "SELECT id, COALESCE(upstream, '') AS upstream,
             CAST(CASE WHEN lease_owner = $3 THEN {HELD} ELSE {HELD_ELSEWHERE} END AS BIGINT) AS kind, lease_until AS at
         FROM registration WHERE lease_until > 0 AND lease_until > lease_now
         UNION ALL
         SELECT id, upstream, CAST({DUE} AS BIGINT) AS kind, due_at AS at FROM (
             SELECT id, COALESCE(upstream, '') AS upstream, due_at FROM registration
             WHERE due_at <= $1 AND lease_until <= lease_now ORDER BY due_at LIMIT $2
         ) AS due
         UNION ALL
         SELECT id, upstream, CAST({NEXT} AS BIGINT) AS kind, due_at AS at FROM (
             SELECT id, COALESCE(upstream, '') AS upstream, due_at FROM registration
             WHERE due_at > $1 AND due_at < {NEVER} AND lease_until = 0 ORDER BY due_at LIMIT 1
         ) AS next"
    );
    statement(backend, look, &sql, i64::try_from(window).unwrap_or(i64::MAX), look.worker)
}

/// The first due registration of each of the next upstreams after `cursor`. Each step of the recursion is one search in the
/// index of upstreams.
pub(crate) fn visits_statement(backend: DbBackend, look: &Look<'_>, cursor: &str) -> Statement {
    let sql = "WITH RECURSIVE visit (upstream, number) AS (
             SELECT (SELECT upstream FROM registration WHERE upstream > $3 ORDER BY upstream LIMIT 1), CAST(1 AS BIGINT)
             UNION ALL
             SELECT (SELECT upstream FROM registration WHERE upstream > visit.upstream ORDER BY upstream LIMIT 1),
                 visit.number + 1 FROM visit WHERE visit.upstream IS NOT NULL AND visit.number < $2
         )
         SELECT visit.upstream AS upstream, (
             SELECT id FROM registration
             WHERE registration.upstream = visit.upstream AND due_at <= $1 AND lease_until <= lease_now
             ORDER BY due_at LIMIT 1
         ) AS id FROM visit WHERE visit.upstream IS NOT NULL";
    statement(backend, look, sql, MAX_VISITS, cursor)
}
