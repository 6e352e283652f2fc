//! The audit log as evidence: the hash chain is checked link by link, a checkpoint is signed once a day, and events older
//! than `audit.keep_days` are removed after a checkpoint of the last of them was signed.

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

/// Key of the [`PendingPrune`] in the table `deployment`.
pub(crate) const PENDING_PRUNE: &str = "audit.doomed";
/// How often a checkpoint is signed; also how long a [`PendingPrune`] waits.
const CHECKPOINT_INTERVAL: Duration = Duration::days(1);
/// Events read or removed at a time.
const EVENTS_PER_BATCH: u64 = 2_000;

/// A removal of events that was recorded and is carried out a day later.
#[derive(Deserialize, Serialize)]
struct PendingPrune {
    /// The number of the last event to remove.
    through: i64,
    /// When the removal was recorded, in milliseconds since 1970.
    at: i64,
}

impl Audit<'_> {
    /// Checks the whole log as it is at one moment; a log that was changed is no error but a `broken` link in the result.
    /// `keys`: public keys in hex that were noted earlier. If there are any, every checkpoint must be signed by one of them,
    /// and the newest must be at most two days older than the last event: otherwise an attacker could rewrite the log and
    /// delete the checkpoints that contradict it.
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

    /// As [`Self::verify`], but neither the permission is checked nor whether a signing key exists: for [`Self::maintain`] and
    /// [`Self::restart`].
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

    /// The hash of event `number` in hex, to be compared with a hash that was noted elsewhere; `None`: there is no such event.
    pub async fn hash_of(self, actor: &Actor, number: i64) -> Result<Option<String>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let event = audit_event::Entity::find_by_id(number).one(self.registry.db()).await?;
        Ok(event.map(|event| event.hash))
    }

    /// Signs a checkpoint of the last event if the newest checkpoint is a day old and events came after it. Then removes
    /// events older than `audit.keep_days`, if that is set, and returns how many. Signs and removes nothing, but fails, if a
    /// checkpoint is due and the log was changed.
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
            // Interactive writes take turns, so that several workers make only one signing key.
            write.lock_interactive_writes().await?;
            sign(&mut write, end.audit, &end.audit_hash, false).await?;
            write.commit().await?;
        }
        self.prune().await
    }

    /// Fails if the log was changed, so that a changed log is never signed. Sets the gauge
    /// `mcp_registry_audit_log_changed` to 1 then, else to 0.
    async fn verify_before_signing(self) -> Result<()> {
        let broken = self.check(&[]).await?.broken;
        metrics::gauge!("mcp_registry_audit_log_changed").set(f64::from(u8::from(broken.is_some())));
        let Some(BrokenLink { number, why }) = broken else { return Ok(()) };
        tracing::error!(number, %why, "the audit log was changed: run `mcp-registry audit verify`");
        Err(Error::damaged(format!("the audit log breaks at number {number}: {why}")))
    }

    /// Removes the events whose removal was recorded a day ago, or records the next removal. Returns the number of events that
    /// were removed. A checkpoint of the last of them is signed first: the chain of the remaining events begins there.
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

    /// The last event that may be removed now, if a [`PendingPrune`] is a day old. `None`: the removal has to wait; if none
    /// waits yet, the one up to `through` is recorded. A removal is carried out only a day after it was recorded, so that a
    /// clock that is wrong for a while removes nothing. `watch_clock` deletes the record when the clock is set back.
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

    /// The last event before the first one that is to be kept: all up to it are older than `cutoff`, in milliseconds since
    /// 1970. `None`: there is none.
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

/// Checks that the newest checkpoint was signed at most two days before the last event was written; a broken link if not.
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

/// Follows the hash chain from the first event to `end` and compares it with `checkpoints`. Returns the first broken link, and
/// counts in `verdict` what is valid before it.
async fn verify_chain(
    db: &DatabaseTransaction,
    checkpoints: &Checkpoints,
    end: &sequence::Model,
    verdict: &mut AuditVerification,
) -> Result<Option<BrokenLink>> {
    let broken = |number, why: &'static str| Ok(Some(BrokenLink { number, why: why.into() }));
    // The number of the last event that was removed on purpose; 0: none was.
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
                if event.number > pruned + 1 {
                    return broken(event.number, "the events before it are missing");
                }
                // After a removal, the checkpoint of the last removed event has the hash that this event follows. In an
                // unfinished removal there may be no such checkpoint: then this first link cannot be checked.
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

/// Signs a checkpoint of event `number`, whose hash is `hash`, in place of an earlier checkpoint of this event. `pruned`: the
/// events up to it are being removed. Fails if the checkpoints contradict the record that is sealed with the signing key.
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

/// The number of the newest event that records a restore of the database.
async fn last_restoration(db: &DatabaseTransaction) -> Result<Option<i64>> {
    let restored = audit_event::Entity::find()
        .filter(audit_event::Column::Action.eq(AuditAction::DatabaseRestored.as_str()));
    let last = restored.order_by_desc(audit_event::Column::Number).one(db).await?;
    Ok(last.map(|event| event.number))
}
