//! The audit log as evidence: its chain is checked link by link, checkpoints of it are signed once a day, and what is older
//! than it must be kept is removed behind such a checkpoint.

use crate::audit::checkpoints::{AuditVerdict, BrokenLink, Checkpoints, checkpoints, is_signed, message};
use crate::audit::{Audit, signing_key};
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

/// Key of what is to be removed, in `deployment`.
pub(crate) const DOOMED: &str = "audit.doomed";
/// A point is signed when the last one is as old as this.
const EVERY: Duration = Duration::days(1);
/// Events read or removed at a time.
const BATCH: u64 = 2_000;

/// Events that are to be removed.
#[derive(Deserialize, Serialize)]
struct Doomed {
    /// Up to this number.
    through: i64,
    /// When that was noted, in milliseconds since 1970.
    at: i64,
}

impl Audit<'_> {
    /// Checks the whole log as it is at one moment. With `keys` (hex) every signed point must be signed by one of them, and
    /// the newest must not be long before the end: else who rewrites the log only has to leave the points out.
    pub async fn verify(self, actor: &Actor, keys: &[String]) -> Result<AuditVerdict> {
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

    /// The same, for the program itself.
    pub(crate) async fn check(self, keys: &[String]) -> Result<AuditVerdict> {
        let db = self.registry.begin_read().await?;
        let points = checkpoints(&db).await?;
        let end = sequence::Entity::find_by_id(1)
            .one(&db)
            .await?
            .ok_or_else(|| Error::corrupt("sequence", "id", 1))?;
        let mut verdict = AuditVerdict {
            events: 0,
            first: None,
            last: 0,
            last_hash: String::new(),
            checkpoints: 0,
            public_keys: points.values().map(|point| point.public_key.clone()).collect(),
            broken: None,
            unchecked: Vec::new(),
            restored: last_restoration(&db).await?,
        };
        for point in points.values() {
            let foreign =
                !keys.is_empty() && !keys.iter().any(|key| key.eq_ignore_ascii_case(&point.public_key));
            if foreign || !is_signed(point) {
                verdict.broken = Some(BrokenLink {
                    number: point.number,
                    why: "its signed point is not signed by the key".into(),
                });
                return Ok(verdict);
            }
        }
        verdict.broken = walk(&db, &points, &end, &mut verdict).await?;
        if verdict.broken.is_none() {
            verdict.broken = self.compare_with_key(&db, &points, keys.is_empty(), &mut verdict).await?;
        }
        if verdict.broken.is_none() && !keys.is_empty() {
            verdict.broken = unsigned_end(&db, &points, &verdict).await?;
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

    /// Signs a point of the chain if the last one is a day old; removes events older than `audit.keep_days`, if that is
    /// set. Answers how many were removed.
    pub async fn maintain(self) -> Result<u64> {
        let newest = audit_checkpoint::Entity::find().order_by_desc(audit_checkpoint::Column::Number);
        let newest = newest.one(self.registry.db()).await?;
        let end = sequence::Entity::find_by_id(1).one(self.registry.db()).await?;
        let Some(end) = end.filter(|end| end.audit > 0) else { return Ok(0) };
        let now = millis(self.registry.now());
        let due = newest.is_none_or(|point| {
            // One of a day to come was signed while the clock was wrong.
            let old = point.at <= now - EVERY.num_milliseconds() || point.at > now;
            point.number < end.audit && old
        });
        if due {
            self.refuse_a_changed_log().await?;
            let mut write = self.registry.begin_write(&Actor::worker("audit")).await?;
            // One key, although several workers may begin at once.
            write.lock_interactive_writes().await?;
            sign(&mut write, end.audit, &end.audit_hash, false).await?;
            write.commit().await?;
        }
        self.prune().await
    }

    /// Once a day, before a checkpoint is signed, the whole log is checked: what was changed is never signed.
    async fn refuse_a_changed_log(self) -> Result<()> {
        let broken = self.check(&[]).await?.broken;
        metrics::gauge!("mcp_registry_audit_log_changed").set(f64::from(u8::from(broken.is_some())));
        let Some(BrokenLink { number, why }) = broken else { return Ok(()) };
        tracing::error!(number, %why, "the audit log was changed; run `mcp-registry audit verify`");
        Err(Error::damaged(format!("the audit log breaks at number {number}: {why}")))
    }

    async fn prune(self) -> Result<u64> {
        let Some(keep) = self.registry.settings().audit_keep else { return Ok(0) };
        let cutoff = millis(self.registry.now()) - i64::try_from(keep.as_millis()).unwrap_or(i64::MAX / 2);
        let Some(through) = self.last_before(cutoff).await? else { return Ok(0) };
        let Some(through) = self.is_marked(through).await? else { return Ok(0) };
        let point = audit_checkpoint::Entity::find_by_id(through.number).one(self.registry.db()).await?;
        if point.is_none_or(|point| !point.pruned) {
            let mut write = self.registry.begin_write(&Actor::worker("audit")).await?;
            write.lock_interactive_writes().await?;
            sign(&mut write, through.number, &through.hash, true).await?;
            let event = Event::new("audit.pruned", "audit", through.number);
            write.audit(event.after(json!({ "through": through.number, "hash": through.hash })));
            write.commit().await?;
        }
        let mut removed = 0;
        loop {
            let write = self.registry.begin_write(&Actor::worker("audit")).await?;
            let first = audit_event::Entity::find().order_by_asc(audit_event::Column::Number);
            let Some(first) = first.one(&write.txn).await? else { break };
            let last = through.number.min(first.number + i64::try_from(BATCH).unwrap_or_default());
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

    /// What may be removed is noted first, and removed a day later: a clock that is wrong for a while, or at a start,
    /// removes nothing. `watch_clock` takes the note away when the clock is set back.
    async fn is_marked(self, through: audit_event::Model) -> Result<Option<audit_event::Model>> {
        let mark = recorded(self.registry.db()).await?.remove(DOOMED);
        let mark: Option<Doomed> = mark.and_then(|mark| serde_json::from_value(mark).ok());
        let now = millis(self.registry.now());
        if let Some(mark) = mark.filter(|mark| mark.at <= now) {
            if mark.at > now - EVERY.num_milliseconds() {
                return Ok(None);
            }
            let marked = audit_event::Entity::find_by_id(mark.through).one(self.registry.db()).await?;
            if marked.is_some() {
                return Ok(marked);
            }
        }
        let write = self.registry.begin_write(&Actor::worker("audit")).await?;
        record(&write, DOOMED, json!(Doomed { through: through.number, at: now })).await?;
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

/// Whether the end of the log is as young as what is not signed yet may be.
async fn unsigned_end(
    db: &DatabaseTransaction,
    points: &Checkpoints,
    verdict: &AuditVerdict,
) -> Result<Option<BrokenLink>> {
    let Some(last) = audit_event::Entity::find_by_id(verdict.last).one(db).await? else { return Ok(None) };
    let signed = points.values().map(|point| point.at).max();
    let young = signed.is_some_and(|at| last.at - at <= 2 * EVERY.num_milliseconds());
    Ok((!young).then(|| BrokenLink {
        number: verdict.last,
        why: "no signed point is near the end of the log".into(),
    }))
}

/// Follows the chain; answers where it breaks.
async fn walk(
    db: &DatabaseTransaction,
    points: &Checkpoints,
    end: &sequence::Model,
    verdict: &mut AuditVerdict,
) -> Result<Option<BrokenLink>> {
    let broken = |number, why: &'static str| Ok(Some(BrokenLink { number, why: why.into() }));
    let pruned = points.values().filter(|point| point.pruned).map(|point| point.number).max().unwrap_or(0);
    let (mut number, mut hash): (i64, Option<String>) = (0, None);
    loop {
        let rows = audit_event::Entity::find()
            .filter(audit_event::Column::Number.gt(number))
            .order_by_asc(audit_event::Column::Number)
            .limit(BATCH)
            .all(db)
            .await?;
        if rows.is_empty() {
            break;
        }
        for event in rows {
            if hash.is_none() {
                verdict.first = Some(event.number);
                // Where older ones were removed, the signed point says what the first one follows.
                if event.number > pruned + 1 {
                    return broken(event.number, "the events before it are missing");
                }
                hash = match points.get(&(event.number - 1)) {
                    Some(point) => Some(point.hash.clone()),
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
            if let Some(point) = points.get(&event.number) {
                if point.hash != event.hash {
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
    Ok(points
        .keys()
        .find(|point| **point > end.audit)
        .map(|point| BrokenLink { number: *point, why: "it was signed and is missing".into() }))
}

async fn sign(write: &mut Write<'_>, number: i64, hash: &str, pruned: bool) -> Result<()> {
    let mut points = checkpoints(&write.txn).await?;
    let key = signing_key::for_signing(write, &points, number).await?;
    if let Some(broken) = key.memory.as_ref().and_then(|memory| memory.contradicts(&points)) {
        return Err(Error::damaged(format!(
            "the audit log breaks at number {}: {}",
            broken.number, broken.why
        )));
    }
    let at = write.millis();
    let point = audit_checkpoint::Model {
        number,
        at,
        hash: hash.to_owned(),
        pruned,
        public_key: hex(key.public_key()),
        signature: key.sign(&message(number, at, pruned, hash)),
    };
    audit_checkpoint::Entity::delete_by_id(number).exec(&write.txn).await?;
    point.clone().into_active_model().reset_all().insert(&write.txn).await?;
    points.insert(number, point);
    key.remember(write, &points).await
}

/// The number of the last event that says that the database was restored.
async fn last_restoration(db: &DatabaseTransaction) -> Result<Option<i64>> {
    let restored = audit_event::Entity::find().filter(audit_event::Column::Action.eq("database.restored"));
    let last = restored.order_by_desc(audit_event::Column::Number).one(db).await?;
    Ok(last.map(|event| event.number))
}
