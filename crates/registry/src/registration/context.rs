//! A claimed registration: its row under the fence, and what was loaded of it.
use crate::actor::Actor;
use crate::configuration::layers::ServerLayers;
use crate::ports::registration_queue::{Claim, ReconcileContext, StepError};
use crate::secrets::rotation::KNOWN;
use crate::storage::deployment_values::KEY_CHECK;
use crate::storage::entity::{deployment, registration};
use crate::storage::settings_generations::SETTINGS;
use crate::storage::write::Write;
use crate::{Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::registration::State;
use sea_orm::sea_query::{Expr, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, Iterable, QueryFilter,
    QueryResult, QuerySelect, QueryTrait, UpdateMany,
};

/// What the queue needs to record an outcome: the registration as it was loaded.
#[derive(Clone, Debug)]
pub struct LoadedRow {
    /// The row as it was read or last written by this claim.
    pub(crate) row: registration::Model,
    pub(crate) layers: ServerLayers,
    /// The generation of its newest client; 0: it never had one.
    pub(crate) newest_generation: i64,
}

impl LoadedRow {
    /// The state that users see.
    pub(crate) fn state(&self) -> State {
        State::parse(&self.row.state).unwrap_or(State::Queued)
    }
}

/// What is wanted and known of a claimed registration.
pub(crate) type Context = ReconcileContext<LoadedRow>;

/// Whether gateways have a client they can use meanwhile.
pub(crate) fn serves(context: &Context, now: Timestamp) -> bool {
    context.observed.client.as_ref().is_some_and(|client| client.usable(now))
}

/// The claimed row, locked.
pub(crate) async fn claimed(write: &Write<'_>, claim: &Claim) -> Result<registration::Model, StepError> {
    registration::Entity::find_by_id(claim.registration.0)
        .filter(registration::Column::Fence.eq(claim.fence))
        .lock_exclusive()
        .one(&write.txn)
        .await?
        .ok_or(StepError::LeaseLost)
}

impl Registry {
    /// Opens a write of a claim. Its first statement is one of [`guarded`] or [`guarded_unchanged`].
    pub(crate) async fn begin_claim_write(&self, claim: &Claim) -> Result<Write<'_>> {
        self.begin_unchecked_write(&Actor::worker(&claim.worker)).await
    }
}

/// Writes `update` on the claimed registration if the fence of `claim` holds and this process may write. Returns the row as
/// it is then.
pub(crate) async fn guarded(
    write: &mut Write<'_>,
    claim: &Claim,
    update: UpdateMany<registration::Entity>,
) -> Result<registration::Model, StepError> {
    write_guarded(write, claim, update).await?.ok_or(StepError::LeaseLost)
}

/// As [`guarded`], if the desired generation is still that of `context` too; `None`: one of them is not, and nothing was written.
pub(crate) async fn guarded_unchanged(
    write: &mut Write<'_>,
    claim: &Claim,
    context: &Context,
    update: UpdateMany<registration::Entity>,
) -> Result<Option<registration::Model>, StepError> {
    let update = update.filter(registration::Column::Wanted.eq(context.row.row.wanted));
    write_guarded(write, claim, update).await
}

async fn write_guarded(
    write: &mut Write<'_>,
    claim: &Claim,
    update: UpdateMany<registration::Entity>,
) -> Result<Option<registration::Model>, StepError> {
    let mut update = update
        .filter(registration::Column::Id.eq(claim.registration.0))
        .filter(registration::Column::Fence.eq(claim.fence));
    let columns: Vec<SimpleExpr> = registration::Column::iter().map(Expr::col).collect();
    let values_at = columns.len();
    let returning = columns.into_iter().chain(deployment_values());
    QueryTrait::query(&mut update).returning(Query::returning().exprs(returning));
    let statement = update.build(write.txn.get_database_backend());
    let Some(row) = write.txn.query_one_raw(statement).await? else { return Ok(None) };
    write.check_deployment(deployment_at(&row, values_at)?)?;
    Ok(Some(registration::Model::from_query_result(&row, "")?))
}

/// The keys of `deployment` that a write of a claim needs: who may write, and who may seal.
const DEPLOYMENT: [&str; 3] = [SETTINGS, KEY_CHECK, KNOWN];

/// Sub-selects of the rows of `deployment` that a write of a claim needs, for [`deployment_at`].
pub(crate) fn deployment_values() -> impl Iterator<Item = SimpleExpr> {
    DEPLOYMENT.into_iter().map(|key| {
        let value = deployment::Entity::find()
            .select_only()
            .column(deployment::Column::Value)
            .filter(deployment::Column::Key.eq(key))
            .into_query();
        SimpleExpr::SubQuery(None, Box::new(value.into()))
    })
}

/// The rows of `deployment` that `row` holds from its column `first` on.
pub(crate) fn deployment_at(row: &QueryResult, first: usize) -> Result<Vec<deployment::Model>, DbErr> {
    let mut found = Vec::with_capacity(DEPLOYMENT.len());
    for (index, key) in DEPLOYMENT.into_iter().enumerate() {
        let value: Option<String> = row.try_get_by_index(first + index)?;
        found.extend(value.map(|value| deployment::Model { key: key.to_owned(), value, updated_at: 0 }));
    }
    Ok(found)
}

/// Milliseconds by the clock that leases are judged by, in SQL: on PostgreSQL the database's, because workers' clocks differ.
pub(crate) fn lease_clock(backend: DbBackend, now: i64) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"),
        _ => Expr::val(now),
    }
}

/// How long a claim holds, in milliseconds.
pub(crate) fn lease_millis(registry: &Registry) -> i64 {
    i64::try_from(registry.settings().lease.as_millis()).unwrap_or(i64::MAX / 4)
}
