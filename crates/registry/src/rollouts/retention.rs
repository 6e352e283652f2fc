//! Removes rollouts that ended long ago, and the servers that could not take their change.

use crate::rollouts::Rollouts;
use crate::storage::columns::millis;
use crate::storage::entity::{rollout, rollout_failure};
use crate::{Actor, Result};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// How many rollouts are looked at in one statement.
const ROLLOUTS_PER_BATCH: u64 = 100;
/// How many refused servers one transaction removes at most.
const MAX_REMOVED: u64 = 5_000;

impl Rollouts<'_> {
    /// Removes rollouts that ended before `retention.rollouts_days`. One whose earlier secrets are still in use is kept until
    /// the next change of its layer. Returns how many were removed.
    pub async fn prune(self) -> Result<u64> {
        let keep = i64::try_from(self.registry.settings().rollouts_keep.as_millis()).unwrap_or(i64::MAX);
        let cutoff = millis(self.registry.now()).saturating_sub(keep);
        let mut after = Uuid::nil();
        let mut removed = 0;
        loop {
            // In the order of time; those that are kept are few.
            let rows: Vec<(Uuid, i64, Option<i64>, Option<String>)> = rollout::Entity::find()
                .select_only()
                .columns([rollout::Column::Id, rollout::Column::CreatedAt])
                .columns([rollout::Column::FinishedAt, rollout::Column::OldSecrets])
                .filter(rollout::Column::Id.gt(after))
                .order_by_asc(rollout::Column::Id)
                .limit(ROLLOUTS_PER_BATCH)
                .into_tuple()
                .all(self.registry.db())
                .await?;
            for (id, created_at, finished_at, old_secrets) in &rows {
                if *created_at >= cutoff {
                    return Ok(removed);
                }
                if finished_at.is_some_and(|at| at < cutoff) && old_secrets.is_none() {
                    self.remove(*id).await?;
                    removed += 1;
                }
                after = *id;
            }
            if rows.is_empty() {
                return Ok(removed);
            }
        }
    }

    /// Removes one rollout, in as many transactions as its refused servers need; the rollout itself is removed last.
    async fn remove(self, id: Uuid) -> Result<()> {
        use rollout_failure::Column as C;
        let refused = rollout_failure::Entity::find().filter(C::RolloutId.eq(id));
        let refused = refused.select_only().column(C::ServerId).order_by_asc(C::ServerId);
        loop {
            let next: Option<Uuid> =
                refused.clone().offset(MAX_REMOVED).into_tuple().one(self.registry.db()).await?;
            let write = self.registry.begin_write(&Actor::worker("retention")).await?;
            let mut gone = rollout_failure::Entity::delete_many().filter(C::RolloutId.eq(id));
            if let Some(next) = next {
                gone = gone.filter(C::ServerId.lt(next));
            }
            gone.exec(&write.txn).await?;
            if next.is_none() {
                rollout::Entity::delete_by_id(id).exec(&write.txn).await?;
            }
            write.commit().await?;
            if next.is_none() {
                return Ok(());
            }
        }
    }
}
