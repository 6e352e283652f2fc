//! A claimed registration: its row under the fence, and what was loaded of it.
use crate::configuration::layers::ServerLayers;
use crate::ports::registration_queue::{Claim, ReconcileContext, StepError};
use crate::storage::entity::registration;
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::clock::Timestamp;
use registry_core::registration::State;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, Statement};

/// "Look at it again when something happens": later than every clock.
pub(crate) const NEVER: i64 = i64::MAX;

/// What the queue needs to record an outcome: the registration as it was loaded.
#[derive(Clone, Debug)]
pub struct LoadedRow {
    pub(crate) state: State,
    pub(crate) desired_generation: i64,
    pub(crate) layers: ServerLayers,
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

/// Milliseconds by the clock that leases are judged by: on PostgreSQL the database's, because workers' clocks differ.
pub(crate) async fn lease_clock(write: &Write<'_>) -> Result<i64> {
    if write.txn.get_database_backend() != DbBackend::Postgres {
        return Ok(write.millis());
    }
    let statement = Statement::from_string(
        DbBackend::Postgres,
        "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now",
    );
    let row = write.txn.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal("the database has no clock".into()))?;
    Ok(row.try_get::<i64>("", "now")?)
}
