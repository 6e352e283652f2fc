//! The audit log as evidence: its chain is checked link by link, checkpoints of it are signed once a day, and what is older
//! than it must be kept is removed behind such a checkpoint.

use crate::audit::checkpoints::{
    AuditVerification, BrokenLink, Checkpoints, checkpoints, is_signed, message,
};
use crate::audit::{Audit, signing_key};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{hex, millis};
use crate::storage::deployment_values::{record, recorded};
use crate::storage::entity::{audit_checkpoint, audit_event, sequence};
use crate::storage::write::{Event, Write, chain_hash};
use crate::{Actor, Error, Result};
use chrono::Duration;
use registry_core::permission::Permission;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Key of the [`PendingPrune`] in `deployment`.
pub(crate) const PENDING_PRUNE: &str = "audit.doomed";
/// How often a checkpoint is signed.
const CHECKPOINT_INTERVAL: Duration = Duration::days(1);
/// Events read or removed at a time.
const EVENTS_PER_BATCH: u64 = 2_000;

/// A removal of events that waits for its confirmation a day later.
#[derive(Deserialize, Serialize)]
struct PendingPrune {
    /// Up to this number.
    through: i64,
    /// When that was noted, in milliseconds since 1970.
    at: i64,
}

impl Audit<'_> {
    /// Checks the whole log as it is at one moment. With `keys` (hex) every signed checkpoint must be signed by one of them, and
    /// the newest must not be long before the end: else an attacker who rewrites the log only has to delete the checkpoints.
    pub async fn verify(self, actor: &Actor, keys: &[String]) -> Result<AuditVerification> {
        actor.require_organisation(Permission::ReadAudit)?;
        let mut verdict = self.check(keys).await?;
        if verdict.broken.is_none() && self.lacks_a_signing_key().await? {
            verdict.broken = Some(BrokenLink {
                number: verdict.last,
                why: "no key that signs checkpoints is there although the log is older than two days: the key was removed, or no worker ever ran".into(),
            });
        }
        Ok(verdict)
    }

    /// As [`Self::verify`], without a permission check: for the worker and the CLI.
    pub(crate) async fn check(self, keys: &[String]) -> Result<AuditVerification> {
        let db = self.registry.begin_read().await?;
        let checkpoints = checkpoints(&db).await?;
        let end = sequence::Entity::find_by_id(1)
            .one(&db)
            .await?
            .ok_or_else(|| Error::corrupt("sequence", "id", 1))?;
        let mut verdict = AuditVerification {
            events: 0,
            first: None,
            last: 0,
            last_hash: String::new(),
            checkpoints: 0,
            public_keys: checkpoints.values().map(|checkpoint| checkpoint.public_key.clone()).collect(),
            broken: None,
            unchecked: Vec::new(),
            restored: last_restoration(&db).await?,
        };
        for checkpoint in checkpoints.values() {
            let foreign =
                !keys.is_empty() && !keys.iter().any(|key| key.eq_ignore_ascii_case(&checkpoint.public_key));
            if foreign || !is_signed(checkpoint) {
                verdict.broken = Some(BrokenLink {
                    number: checkpoint.number,
                    why: "its signed checkpoint is not signed by the key".into(),
                });
                return Ok(verdict);
            }
        }
        verdict.broken = verify_chain(&db, &checkpoints, &end, &mut verdict).await?;
        if verdict.broken.is_none() {
            verdict.broken = self.compare_with_key(&db, &checkpoints, keys.is_empty(), &mut verdict).await?;
        }
        if verdict.broken.is_none() && !keys.is_empty() {
            verdict.broken = check_signed_end(&db, &checkpoints, &verdict).await?;
        }
        verdict.last_hash = end.audit_hash;
        Ok(verdict)
    }

    /// The hash of one event, for comparing it with one that was noted elsewhere; `None`: it is not there.
    pub async fn hash_of(self, actor: &Actor, number: i64) -> Result<Option<String>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let event = audit_event::Entity::find_by_id(number).one(self.registry.db()).await?;
        Ok(event.map(|event| event.hash))
    }

    /// Signs a checkpoint of the chain if the last one is a day old; removes events older than `audit.keep_days`, if that is
    /// set. Answers how many were removed.
    pub async fn maintain(self) -> Result<u64> {
        let newest = audit_checkpoint::Entity::find().order_by_desc(audit_checkpoint::Column::Number);
        let newest = newest.one(self.registry.db()).await?;
        let end = sequence::Entity::find_by_id(1).one(self.registry.db()).await?;
        let Some(end) = end.filter(|end| end.audit > 0) else { return Ok(0) };
        let now = millis(self.registry.now());
        let due = newest.is_none_or(|checkpoint| {
            // A checkpoint with a timestamp in the future was signed while the clock was wrong.
            let old = checkpoint.at <= now - CHECKPOINT_INTERVAL.num_milliseconds() || checkpoint.at > now;
            checkpoint.number < end.audit && old
        });
        if due {
            self.verify_before_signing().await?;
            let mut write = self.registry.begin_write(&Actor::worker("audit")).await?;
            // Serialised with other writes, so that several workers create one key only.
            write.lock_interactive_writes().await?;
            sign(&mut write, end.audit, &end.audit_hash, false).await?;
            write.commit().await?;
        }
        self.prune().await
    }

    /// Verifies the whole log before a checkpoint is signed, so that a changed log is never signed.
    async fn verify_before_signing(self) -> Result<()> {
        let broken = self.check(&[]).await?.broken;
        metrics::gauge!("mcp_registry_audit_log_changed").set(f64::from(u8::from(broken.is_some())));
        let Some(BrokenLink { number, why }) = broken else { return Ok(()) };
        tracing::error!(number, %why, "the audit log was changed: run `mcp-registry audit verify`");
        Err(Error::damaged(format!("the audit log breaks at number {number}: {why}")))
    }

    async fn prune(self) -> Result<u64> {
        let Some(keep) = self.registry.settings().audit_keep else { return Ok(0) };
        let cutoff = millis(self.registry.now()) - i64::try_from(keep.as_millis()).unwrap_or(i64::MAX / 2);
        let Some(through) = self.last_before(cutoff).await? else { return Ok(0) };
        let Some(through) = self.confirm_pending_prune(through).await? else { return Ok(0) };
        let checkpoint = audit_checkpoint::Entity::find_by_id(through.number).one(self.registry.db()).await?;
        if checkpoint.is_none_or(|checkpoint| !checkpoint.pruned) {
            let mut write = self.registry.begin_write(&Actor::worker("audit")).await?;
            write.lock_interactive_writes().await?;
            sign(&mut write, through.number, &through.hash, true).await?;
            let event = Event::new(AuditAction::AuditPruned, "audit", through.number);
            write.audit(event.after(json!({ "through": through.number, "hash": through.hash })));
            write.commit().await?;
        }
        let mut removed = 0;
        loop {
            let write = self.registry.begin_write(&Actor::worker("audit")).await?;
            let first = audit_event::Entity::find().order_by_asc(audit_event::Column::Number);
            let Some(first) = first.one(&write.txn).await? else { break };
            let last = through.number.min(first.number + i64::try_from(EVENTS_PER_BATCH).unwrap_or_default());
            let gone = audit_event::Entity::delete_many().filter(audit_event::Column::Number.lte(last));
            let gone = gone.exec(&write.txn).await?.rows_affected;
            write.commit().await?;
            removed += gone;
            if gone == 0 {
                break;
            }
        }
        Ok(removed)
    }

    /// A removal is recorded first and carried out a day later, so that a clock that is wrong for a while removes nothing.
    /// `watch_clock` deletes the record when the clock is set back.
    async fn confirm_pending_prune(self, through: audit_event::Model) -> Result<Option<audit_event::Model>> {
        let pending = recorded(self.registry.db()).await?.remove(PENDING_PRUNE);
        let pending: Option<PendingPrune> = pending.and_then(|pending| serde_json::from_value(pending).ok());
        let now = millis(self.registry.now());
        if let Some(pending) = pending.filter(|pending| pending.at <= now) {
            if pending.at > now - CHECKPOINT_INTERVAL.num_milliseconds() {
                return Ok(None);
            }
            let event = audit_event::Entity::find_by_id(pending.through).one(self.registry.db()).await?;
            if event.is_some() {
                return Ok(event);
            }
        }
        let write = self.registry.begin_write(&Actor::worker("audit")).await?;
        record(&write, PENDING_PRUNE, json!(PendingPrune { through: through.number, at: now })).await?;
        write.commit().await?;
        Ok(None)
    }

    /// The last event of those that are all older than `cutoff`.
    async fn last_before(self, cutoff: i64) -> Result<Option<audit_event::Model>> {
        use audit_event::Column as C;
        let kept = audit_event::Entity::find().filter(C::At.gte(cutoff)).order_by_asc(C::Number);
        let older = match kept.one(self.registry.db()).await? {
            Some(kept) => audit_event::Entity::find().filter(C::Number.lt(kept.number)),
            None => audit_event::Entity::find(),
        };
        Ok(older.order_by_desc(C::Number).one(self.registry.db()).await?)
    }
}

/// Checks that the newest checkpoint is not older than the events after it may be without one.
async fn check_signed_end(
    db: &DatabaseTransaction,
    checkpoints: &Checkpoints,
    verdict: &AuditVerification,
) -> Result<Option<BrokenLink>> {
    let Some(last) = audit_event::Entity::find_by_id(verdict.last).one(db).await? else { return Ok(None) };
    let signed = checkpoints.values().map(|checkpoint| checkpoint.at).max();
    let young = signed.is_some_and(|at| last.at - at <= 2 * CHECKPOINT_INTERVAL.num_milliseconds());
    Ok((!young).then(|| BrokenLink {
        number: verdict.last,
        why: "no signed checkpoint is near the end of the log".into(),
    }))
}

/// Follows the hash chain; returns the first broken link.
async fn verify_chain(
    db: &DatabaseTransaction,
    checkpoints: &Checkpoints,
    end: &sequence::Model,
    verdict: &mut AuditVerification,
) -> Result<Option<BrokenLink>> {
    let broken = |number, why: &'static str| Ok(Some(BrokenLink { number, why: why.into() }));
    let pruned = checkpoints
        .values()
        .filter(|checkpoint| checkpoint.pruned)
        .map(|checkpoint| checkpoint.number)
        .max()
        .unwrap_or(0);
    let (mut number, mut hash): (i64, Option<String>) = (0, None);
    loop {
        let rows = audit_event::Entity::find()
            .filter(audit_event::Column::Number.gt(number))
            .order_by_asc(audit_event::Column::Number)
            .limit(EVENTS_PER_BATCH)
            .all(db)
            .await?;
        if rows.is_empty() {
            break;
        }
        for event in rows {
            if hash.is_none() {
                verdict.first = Some(event.number);
                // Where older ones were removed, the signed checkpoint says what the first one follows.
                if event.number > pruned + 1 {
                    return broken(event.number, "the events before it are missing");
                }
                hash = match checkpoints.get(&(event.number - 1)) {
                    Some(checkpoint) => Some(checkpoint.hash.clone()),
                    None if event.number == 1 => Some(String::new()),
                    None => Some(event.previous_hash.clone()),
                };
            } else if event.number != number + 1 {
                return broken(event.number, "the event before it is missing");
            }
            if hash.as_deref() != Some(&event.previous_hash) {
                return broken(event.number, "it does not follow the event before it");
            }
            if chain_hash(&event) != event.hash {
                return broken(event.number, "it was changed");
            }
            if let Some(checkpoint) = checkpoints.get(&event.number) {
                if checkpoint.hash != event.hash {
                    return broken(event.number, "it is not the event that was signed");
                }
                verdict.checkpoints += 1;
            }
            verdict.events += 1;
            (number, hash) = (event.number, Some(event.hash));
        }
    }
    verdict.last = number;
    if hash.is_none() && end.audit > pruned || hash.is_some() && number != end.audit {
        return broken(end.audit, "the last events are missing");
    }
    if hash.is_some_and(|hash| hash != end.audit_hash) {
        return broken(end.audit, "it is not the event that was written last");
    }
    Ok(checkpoints
        .keys()
        .find(|checkpoint| **checkpoint > end.audit)
        .map(|checkpoint| BrokenLink { number: *checkpoint, why: "it was signed and is missing".into() }))
}

async fn sign(write: &mut Write<'_>, number: i64, hash: &str, pruned: bool) -> Result<()> {
    let mut checkpoints = checkpoints(&write.txn).await?;
    let key = signing_key::for_signing(write, &checkpoints, number).await?;
    let recorded = key.recorded_checkpoints.as_ref();
    if let Some(broken) = recorded.and_then(|recorded| recorded.find_contradiction(&checkpoints)) {
        return Err(Error::damaged(format!(
            "the audit log breaks at number {}: {}",
            broken.number, broken.why
        )));
    }
    let at = write.millis();
    let checkpoint = audit_checkpoint::Model {
        number,
        at,
        hash: hash.to_owned(),
        pruned,
        public_key: hex(key.public_key()),
        signature: key.sign(&message(number, at, pruned, hash)),
    };
    audit_checkpoint::Entity::delete_by_id(number).exec(&write.txn).await?;
    checkpoint.clone().into_active_model().reset_all().insert(&write.txn).await?;
    checkpoints.insert(number, checkpoint);
    key.record_checkpoints(write, &checkpoints).await
}

/// The number of the last event that says that the database was restored.
async fn last_restoration(db: &DatabaseTransaction) -> Result<Option<i64>> {
    let restored = audit_event::Entity::find()
        .filter(audit_event::Column::Action.eq(AuditAction::DatabaseRestored.as_str()));
    let last = restored.order_by_desc(audit_event::Column::Number).one(db).await?;
    Ok(last.map(|event| event.number))
}
