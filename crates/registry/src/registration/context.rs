//! A claim on a registration, and what is known when one is reconciled.

use crate::configuration::layers::ServerLayers;
use crate::storage::entity::registration;
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::RegistrationId;
use registry_core::registration::{Desired, Observed, State};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, Statement};

/// "Look at it again when something happens": later than every clock.
pub(crate) const NEVER: i64 = i64::MAX;

/// A registration that one worker holds for a while.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The registration.
    pub registration: RegistrationId,
    /// Grows with each claim; a write with an older one is refused.
    pub(crate) fence: i64,
    pub(crate) worker: String,
}

/// What is wanted and known of a claimed registration.
#[derive(Clone, Debug)]
pub struct Situation {
    /// `workspace/server`, for logs.
    pub name: String,
    /// What is wanted.
    pub desired: Desired,
    /// What is known.
    pub observed: Observed,
    pub(crate) state: State,
    pub(crate) wanted: i64,
    pub(crate) layers: ServerLayers,
}

impl Situation {
    /// Whether gateways have a client they can use meanwhile.
    pub(crate) fn serves(&self, now: Timestamp) -> bool {
        self.observed.client.as_ref().is_some_and(|client| client.usable(now))
    }
}

/// The claimed row, locked, if the claim still holds.
pub(crate) async fn claimed(write: &Write<'_>, claim: &Claim) -> Result<Option<registration::Model>> {
    Ok(registration::Entity::find_by_id(claim.registration.0)
        .filter(registration::Column::Fence.eq(claim.fence))
        .lock_exclusive()
        .one(&write.txn)
        .await?)
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
