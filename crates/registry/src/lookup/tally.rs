//! Counts that are kept with each write (ADR 25): what a list of integrations or workspaces shows costs one row per kind,
//! however many servers there are.

use crate::storage::entity::tally;
use crate::{Error, Result};
use registry_core::registration::{RegistrationMethod, State};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// The scope of the whole organisation.
pub(crate) const ORGANISATION: Uuid = Uuid::nil();

/// The sum of the rows of a kind; PostgreSQL sums `bigint` as `numeric`.
const SUM: &str = "CAST(SUM(n) AS BIGINT)";

/// How many deltas one statement adds up at most.
const MAX_DELTAS: u64 = 50_000;

/// The counts of one scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Live servers.
    pub(crate) servers: u64,
    /// Live servers whose server layer has a configuration.
    pub(crate) configured: u64,
    /// Pairs of integration and workspace that have a live server.
    pub(crate) pairs: u64,
    /// Registrations of live servers by state.
    live: HashMap<State, u64>,
    /// Registrations of deleted servers by state.
    gone: HashMap<State, u64>,
    /// Of the retried registrations of live servers: how many by reason.
    pub(crate) retrying: HashMap<String, u64>,
    /// Active clients of live servers by method.
    pub(crate) methods: HashMap<RegistrationMethod, u64>,
}

impl Tally {
    /// Registrations of live servers in `state`.
    pub(crate) fn live(&self, state: State) -> u64 {
        self.live.get(&state).copied().unwrap_or(0)
    }

    /// Registrations in `state`, those of deleted servers too.
    pub(crate) fn all(&self, state: State) -> u64 {
        self.live(state) + self.gone.get(&state).copied().unwrap_or(0)
    }

    fn add(&mut self, scope: Uuid, kind: &str, n: u64) -> Result<()> {
        let unknown = || Error::corrupt("tally", "kind", scope);
        match kind.split_once(':') {
            Some(("gone", state)) => {
                *self.gone.entry(State::parse(state).ok_or_else(unknown)?).or_default() += n;
            }
            Some(("method", method)) => {
                *self.methods.entry(RegistrationMethod::parse(method).ok_or_else(unknown)?).or_default() += n;
            }
            Some(("retrying", reason)) => {
                *self.live.entry(State::Retrying).or_default() += n;
                *self.retrying.entry(reason.to_owned()).or_default() += n;
            }
            Some(_) => return Err(unknown()),
            None => match kind {
                "servers" => self.servers = n,
                "configured" => self.configured = n,
                "pairs" => self.pairs = n,
                state => *self.live.entry(State::parse(state).ok_or_else(unknown)?).or_default() += n,
            },
        }
        Ok(())
    }
}

/// The counts of some scopes, each the id of an integration or a workspace, or [`ORGANISATION`]. A scope without any
/// server has no entry.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    scopes: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Tally>> {
    let rows: Vec<(Uuid, String, i64)> = tally::Entity::find()
        .select_only()
        .column(tally::Column::ScopeId)
        .column(tally::Column::Kind)
        .expr_as(Expr::cust(SUM), "count")
        .filter(tally::Column::ScopeId.is_in(scopes))
        .group_by(tally::Column::ScopeId)
        .group_by(tally::Column::Kind)
        .into_tuple()
        .all(db)
        .await?;
    let mut tallies: HashMap<Uuid, Tally> = HashMap::new();
    for (scope, kind, n) in rows {
        tallies.entry(scope).or_default().add(scope, &kind, u64::try_from(n).unwrap_or_default())?;
    }
    Ok(tallies)
}

/// The counts of one scope.
pub(crate) async fn one(db: &impl ConnectionTrait, scope: Uuid) -> Result<Tally> {
    Ok(of(db, [scope]).await?.remove(&scope).unwrap_or_default())
}

/// Scopes with a registration of a live server in one of `states`.
pub(crate) fn scopes_with_states(states: &[State]) -> SelectStatement {
    scopes_where(in_states(states))
}

/// Scopes with an active client that was obtained by `method`.
pub(crate) fn scopes_with_method(method: RegistrationMethod) -> SelectStatement {
    let kind = tally::Column::Kind.eq(format!("method:{}", method.as_str()));
    scopes_where(Condition::all().add(kind))
}

/// How many registrations of live servers in one of `states` the scope `id` has, as a part of another query.
pub(crate) fn count_in_states(id: Expr, states: &[State]) -> SelectStatement {
    Query::select()
        .expr(Expr::cust("CAST(COALESCE(SUM(n), 0) AS BIGINT)"))
        .from(tally::Entity)
        .and_where(Expr::col(tally::Column::ScopeId).eq(id))
        .cond_where(in_states(states))
        .to_owned()
}

fn in_states(states: &[State]) -> Condition {
    let kind = tally::Column::Kind;
    states.iter().fold(Condition::any(), |any, state| match state {
        // With its reason: `retrying:timeout`. The column is compared byte by byte on both engines.
        State::Retrying => any.add(Condition::all().add(kind.gte("retrying")).add(kind.lt("retrying;"))),
        other => any.add(kind.eq(other.as_str())),
    })
}

fn scopes_where(condition: Condition) -> SelectStatement {
    Query::select()
        .column(tally::Column::ScopeId)
        .from(tally::Entity)
        .cond_where(condition)
        .group_by_col(tally::Column::ScopeId)
        .and_having(Expr::cust("SUM(n) > 0"))
        .to_owned()
}

/// Adds up the deltas of PostgreSQL. One statement, so that readers see either the deltas or their sum; no write waits
/// for it, because a delta is never changed. Another process that does the same at this time does it alone.
pub(crate) async fn add_up(db: &impl ConnectionTrait) -> Result<()> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = format!(
        "WITH mine AS MATERIALIZED (SELECT pg_try_advisory_xact_lock('tally'::regclass::oid::int, 7303) AS locked), \
         taken AS (DELETE FROM tally_delta WHERE (SELECT locked FROM mine) AND ctid = ANY (ARRAY \
           (SELECT ctid FROM tally_delta LIMIT {MAX_DELTAS})) RETURNING integration_id, workspace_id, kind, n), \
         scoped AS (SELECT integration_id AS scope_id, kind, n FROM taken \
           UNION ALL SELECT workspace_id, kind, n FROM taken \
           UNION ALL SELECT '{ORGANISATION}'::uuid, kind, n FROM taken) \
         INSERT INTO tally (scope_id, kind, n) \
         SELECT scope_id, kind, SUM(n)::bigint FROM scoped GROUP BY scope_id, kind HAVING SUM(n) <> 0 \
         ON CONFLICT (scope_id, kind) DO UPDATE SET n = tally.n + EXCLUDED.n"
    );
    db.execute_unprepared(&sql).await?;
    Ok(())
}
