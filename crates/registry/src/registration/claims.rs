//! Claiming due registrations, fairly among upstreams.

use crate::actor::Actor;
use crate::ports::registration_queue::Claim;
use crate::registration::context::{NEVER, lease_clock};
use crate::storage::columns::{millis, moment};
use crate::storage::entity::registration;
use crate::storage::write::Write;
use crate::{Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::RegistrationId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use uuid::Uuid;

/// Claims at most `limit` due registrations for `worker`, those due longest first, but of no upstream more than
/// `max_per_upstream` at once: one that is dead or slow must not hold up the rest.
pub(crate) async fn claim(
    registry: &Registry,
    worker: &str,
    limit: u64,
    max_per_upstream: u64,
) -> Result<Vec<Claim>> {
    let due = registration::Entity::find()
        .filter(registration::Column::DueAt.lte(millis(registry.now())))
        .count(registry.db())
        .await?;
    if due == 0 || limit == 0 {
        return Ok(Vec::new());
    }
    let write = registry.begin_write(&Actor::worker(worker)).await?;
    let lease_now = lease_clock(&write).await?;
    let candidates = fair_candidates(&write, worker, lease_now, limit, max_per_upstream).await?;
    let mut rows = registration::Entity::find()
        .filter(registration::Column::Id.is_in(candidates.iter().copied()))
        .filter(registration::Column::DueAt.lte(write.millis()))
        .filter(registration::Column::LeaseUntil.lte(lease_now))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(&write.txn)
        .await?;
    rows.sort_by_key(|row| candidates.iter().position(|id| *id == row.id));
    let mut claims = Vec::with_capacity(rows.len());
    for row in rows {
        let fence = row.fence + 1;
        registration::ActiveModel {
            id: Set(row.id),
            fence: Set(fence),
            lease_owner: Set(Some(worker.to_owned())),
            lease_until: Set(lease_now + lease_millis(registry)),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        claims.push(Claim { registration: RegistrationId(row.id), fence, worker: worker.to_owned() });
    }
    write.commit().await?;
    Ok(claims)
}

/// When the next registration is due, as far as is known now.
pub(crate) async fn next_due(registry: &Registry) -> Result<Option<Timestamp>> {
    let next: Option<i64> = registration::Entity::find()
        .select_only()
        .column(registration::Column::DueAt)
        .filter(registration::Column::DueAt.lt(NEVER))
        .order_by_asc(registration::Column::DueAt)
        .limit(1)
        .into_tuple()
        .one(registry.db())
        .await?;
    Ok(next.map(moment))
}

/// The due registrations to claim, fairly: each upstream's first before anybody's second, and none that has `max_per_upstream` in
/// the hands of `worker` already.
async fn fair_candidates(
    write: &Write<'_>,
    worker: &str,
    lease_now: i64,
    limit: u64,
    max_per_upstream: u64,
) -> Result<Vec<Uuid>> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(
        write.txn.get_database_backend(),
        // Counted once for all: a count for each due row would take the square of their number.
        "WITH held AS (
            SELECT COALESCE(upstream, '') AS upstream, COUNT(*) AS count FROM registration
            WHERE lease_owner = $1 AND lease_until > $2 GROUP BY COALESCE(upstream, '')
        ), due AS (
            SELECT id, due_at, COALESCE(upstream, '') AS upstream,
                ROW_NUMBER() OVER (PARTITION BY COALESCE(upstream, '') ORDER BY due_at, id) AS number
            FROM registration WHERE due_at <= $3 AND lease_until <= $2
        )
        SELECT due.id FROM due LEFT JOIN held ON held.upstream = due.upstream
        WHERE due.number + COALESCE(held.count, 0) <= $4
        ORDER BY due.number + COALESCE(held.count, 0), due.due_at LIMIT $5",
        [
            worker.into(),
            lease_now.into(),
            write.millis().into(),
            whole(max_per_upstream.max(1)).into(),
            whole(limit).into(),
        ],
    );
    let rows = write.txn.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get::<Uuid>("", "id")?)).collect()
}

pub(crate) fn lease_millis(registry: &Registry) -> i64 {
    i64::try_from(registry.settings().lease.as_millis()).unwrap_or(i64::MAX / 4)
}
