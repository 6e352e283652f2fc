//! Carries rollouts out, step by step: a batch, the end of the canary, a stop because of failures, the end.

use crate::configuration::enqueue::Cause;
use crate::configuration::impact::Reach;
use crate::lookup::servers::is_live;
use crate::rollouts::Rollouts;
use crate::rollouts::batch::Batch;
use crate::rollouts::list::{failed_registrations, has_unsettled_registrations};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, millis};
use crate::storage::entity::{rollout, server};
use crate::storage::write::{Event, MAX_ROWS_PER_STATEMENT, Write};
use crate::{Actor, Affected, Result};
use registry_core::id::SealedId;
use registry_core::rollout::{NextMove, RolloutKind, RolloutProgress, RolloutState, next_move};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a worker that died holds up a rollout.
const LEASE_TTL: Duration = Duration::from_secs(10);
/// How long the rest waits for registrations of the canary.
const CANARY_TIMEOUT: Duration = Duration::from_mins(10);
/// How often a batch is worked out again because a configuration changed in between; then it is worked out in the write.
const MAX_READS: usize = 3;

/// What there is to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// A step was taken; there may be more.
    Moved,
    /// Rollouts wait for registrations, or another worker carries them out.
    Waiting,
    /// No rollout is running.
    Idle,
}

impl Rollouts<'_> {
    /// Takes one step of the running rollout whose last step is longest ago, as `worker`.
    pub async fn advance(self, worker: &str) -> Result<Advance> {
        let running = rollout::Entity::find()
            .filter(rollout::Column::State.eq(RolloutState::Running.as_str()))
            .order_by_asc(rollout::Column::UpdatedAt)
            .limit(MAX_LOOKED_AT)
            .all(self.registry.db())
            .await?;
        let mut any = Advance::Idle;
        for mut row in running {
            if !self.take_lease(&row, worker).await? {
                any = Advance::Waiting;
                continue;
            }
            row.lease_owner = Some(worker.to_owned());
            if self.step(&row, worker).await? {
                return Ok(Advance::Moved);
            }
            any = Advance::Waiting;
        }
        Ok(any)
    }

    /// Whether `worker` carries out the rollout. The lease is prolonged with each batch.
    async fn take_lease(self, row: &rollout::Model, worker: &str) -> Result<bool> {
        let now = millis(self.registry.now());
        if row.lease_owner.as_deref() == Some(worker) && row.lease_until > now + lease_millis() / 2 {
            return Ok(true);
        }
        let free = Condition::any()
            .add(rollout::Column::LeaseUntil.lte(now))
            .add(rollout::Column::LeaseOwner.eq(worker))
            // The clock was set back.
            .add(rollout::Column::LeaseUntil.gt(now + 2 * lease_millis()));
        let taken = rollout::Entity::update_many()
            .set(rollout::ActiveModel {
                lease_owner: Set(Some(worker.to_owned())),
                lease_until: Set(now + lease_millis()),
                ..Default::default()
            })
            .filter(rollout::Column::Id.eq(row.id))
            .filter(rollout::Column::State.eq(RolloutState::Running.as_str()))
            .filter(free)
            .exec(self.registry.db())
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Takes one step; `false`: it waits.
    async fn step(self, row: &rollout::Model, worker: &str) -> Result<bool> {
        match next_move(&self.progress(row).await?) {
            NextMove::Wait => return Ok(false),
            NextMove::Batch(most) => {
                let sizes = self.registry.settings().rollout_sizes;
                let most = most.min(sizes.batch).min(self.registry.inner.rollout_batch_size.next());
                if row.kind()? == RolloutKind::Deletion {
                    self.delete_batch(row, most, worker).await?;
                    return Ok(true);
                }
                for _ in 0..MAX_READS {
                    if self.batch(row, most, worker).await? {
                        return Ok(true);
                    }
                }
                self.batch_in_write(row, most.min(SMALL_BATCH), worker).await?;
            }
            NextMove::PassCanary => {
                let mut changed = row.clone();
                changed.canary_passed = true;
                self.change(row, changed, worker, None).await?;
            }
            NextMove::Stop => {
                let mut changed = row.clone();
                RolloutState::Stopped.as_str().clone_into(&mut changed.state);
                self.change(row, changed, worker, Some(AuditAction::RolloutStopped)).await?;
            }
        }
        Ok(true)
    }

    async fn progress(self, row: &rollout::Model) -> Result<RolloutProgress> {
        let db = self.registry.db();
        let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
        let failed = match row.max_failures {
            Some(most) => failed_registrations(db, row.id, unsigned(most) + 1).await?,
            None => 0,
        };
        let in_canary = !row.canary_passed && row.canary_size > 0 && row.processed >= row.canary_size;
        Ok(RolloutProgress {
            processed: unsigned(row.processed),
            canary_size: unsigned(row.canary_size),
            canary_passed: row.canary_passed,
            failures: unsigned(row.refused) + failed,
            max_failures: row.max_failures.map(unsigned),
            unsettled: in_canary && has_unsettled_registrations(db, row.id).await?,
            waited_enough: millis(self.registry.now()) - row.updated_at
                > i64::try_from(CANARY_TIMEOUT.as_millis()).unwrap_or(i64::MAX),
        })
    }

    /// Reaches the next servers. `false`: a configuration changed while the batch was worked out; nothing was written.
    async fn batch(self, row: &rollout::Model, most: u64, worker: &str) -> Result<bool> {
        let read = self.registry.begin_read().await?;
        let batch = Batch::read(self.registry, &read, row, most).await?;
        let reach = batch.plan(self.registry, &read, row).await?;
        let behind = batch.last.is_none() && self.is_behind(&read, row).await?;
        read.commit().await?;
        let write = self.begin(worker).await?;
        let began = Instant::now();
        if !still(&write, row).await? {
            // Another worker, a user or a later save was quicker.
            return Ok(true);
        }
        if !batch.is_current(&write).await? {
            return Ok(false);
        }
        finish_batch(write, row, &batch, &reach, behind).await?;
        self.registry.inner.rollout_batch_size.record(batch.reached() as u64, began.elapsed());
        Ok(true)
    }

    /// As [`Self::batch`], in one write: while others save one configuration after the other.
    async fn batch_in_write(self, row: &rollout::Model, most: u64, worker: &str) -> Result<()> {
        let write = self.begin(worker).await?;
        if !still(&write, row).await? {
            return Ok(());
        }
        let batch = Batch::read(self.registry, &write.txn, row, most).await?;
        let reach = batch.plan(self.registry, &write.txn, row).await?;
        let behind = batch.last.is_none() && self.is_behind(&write.txn, row).await?;
        finish_batch(write, row, &batch, &reach, behind).await
    }

    /// Whether a live server still has an earlier revision than that of the rollout.
    async fn is_behind(self, db: &impl ConnectionTrait, row: &rollout::Model) -> Result<bool> {
        let Some(revision) = row.revision else { return Ok(false) };
        let behind = server::Entity::find()
            .select_only()
            .column(server::Column::Id)
            .filter(is_live())
            .filter(server::Column::OrganisationRevision.lt(revision))
            .limit(1)
            .into_tuple::<Uuid>();
        Ok(behind.one(db).await?.is_some())
    }

    async fn change(
        self,
        row: &rollout::Model,
        changed: rollout::Model,
        worker: &str,
        action: Option<AuditAction>,
    ) -> Result<()> {
        let mut write = self.begin(worker).await?;
        if still(&write, row).await? {
            store(&mut write, changed, action).await?;
            write.commit().await?;
        }
        Ok(())
    }

    pub(super) async fn begin(&self, worker: &str) -> Result<Write<'_>> {
        let write = self.registry.begin_write(&Actor::worker(worker)).await?;
        write.lock_interactive_writes().await?;
        Ok(write)
    }
}

/// How many running rollouts are looked at for one that can move.
const MAX_LOOKED_AT: u64 = 20;
/// The most servers of a batch that is worked out in its write.
const SMALL_BATCH: u64 = 50;

fn lease_millis() -> i64 {
    i64::try_from(LEASE_TTL.as_millis()).unwrap_or(i64::MAX)
}

/// Whether the rollout stands where it stood when the step was worked out. Locks it.
pub(super) async fn still(write: &Write<'_>, row: &rollout::Model) -> Result<bool> {
    let now = rollout::Entity::find_by_id(row.id).lock_exclusive().one(&write.txn).await?;
    Ok(now.is_some_and(|now| {
        (&now.state, now.position, now.canary_passed) == (&row.state, row.position, row.canary_passed)
    }))
}

/// Writes a batch, and where the rollout stands after it.
async fn finish_batch(
    mut write: Write<'_>,
    row: &rollout::Model,
    batch: &Batch,
    reach: &Reach<'_>,
    behind: bool,
) -> Result<()> {
    batch.store(&write, row).await?;
    reach.carry_out(&mut write, Cause { because: &row.because, rollout: Some(row.id) }).await?;
    let mut affected = reach.affected;
    affected.reached = batch.reached() as u64;
    let mut changed = moved(&write, row, affected, batch.last)?;
    changed.refused += i64::try_from(batch.refused()).unwrap_or_default();
    let mut action = None;
    if batch.last.is_none() {
        action = Some(end(&write, &mut changed));
        if let (Some(text), false) = (&row.old_secrets, behind) {
            let ids: Vec<SealedId> = json(text, "rollout", "old_secrets", row.id)?;
            for chunk in ids.chunks(MAX_ROWS_PER_STATEMENT) {
                write.delete_sealed(chunk.iter().copied()).await?;
            }
            changed.old_secrets = None;
        }
    }
    store(&mut write, changed, action).await?;
    write.commit().await
}

/// The rollout after a batch: what the batch did, and the last server that it looked at.
pub(super) fn moved(
    write: &Write<'_>,
    row: &rollout::Model,
    affected: Affected,
    last: Option<Uuid>,
) -> Result<rollout::Model> {
    let mut changed = row.clone();
    let mut sum: Affected = json(&row.affected, "rollout", "affected", row.id)?;
    sum.add(affected);
    changed.affected = serde_json::to_string(&sum)?;
    changed.processed += i64::try_from(affected.reached).unwrap_or_default();
    changed.lease_until = write.millis() + lease_millis();
    changed.position = last.or(row.position);
    // More servers than were counted: some were created meanwhile, or the count was bounded.
    changed.total = changed.total.max(changed.processed);
    Ok(changed)
}

/// Ends a rollout: no server is left.
pub(super) fn end(write: &Write<'_>, changed: &mut rollout::Model) -> AuditAction {
    RolloutState::Done.as_str().clone_into(&mut changed.state);
    changed.finished_at = Some(write.millis());
    (changed.total, changed.total_is_exact) = (changed.processed, true);
    AuditAction::RolloutFinished
}

/// Stores a changed rollout, with an audit event where a user wants to know of it.
pub(super) async fn store(
    write: &mut Write<'_>,
    mut changed: rollout::Model,
    action: Option<AuditAction>,
) -> Result<()> {
    changed.updated_at = write.millis();
    if let Some(action) = action {
        let event = Event::new(action, "rollout", changed.id);
        write.audit(event.named(&changed.because).after(json!({
            "state": changed.state, "kind": changed.kind, "revision": changed.revision,
            "processed": changed.processed, "total": changed.total, "refused": changed.refused,
        })));
    }
    changed.into_active_model().reset_all().update(&write.txn).await?;
    Ok(())
}
