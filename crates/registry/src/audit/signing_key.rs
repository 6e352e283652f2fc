//! The key that signs checkpoints of the audit log, and what it remembers of them. Both are sealed together, so that
//! nobody without the sealing key can change what is remembered: who deletes every checkpoint is found.

use crate::audit::Audit;
use crate::audit::checkpoints::{AuditVerification, BrokenLink, Checkpoints, checkpoints};
use crate::secrets::rotation::is_key_abandoned;
use crate::storage::audit_action::AuditAction;
use crate::storage::deployment_values::{record, recorded};
use crate::storage::entity::{audit_checkpoint, audit_event, organisation, sealed_value, sequence};
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Registry, Result};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry_core::id::SealedId;
use registry_core::permission::Permission;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Key of the sealed value with the signing key in `deployment`.
const SIGNING_KEY: &str = "audit.signing_key";
/// A log older than this, in milliseconds, has a checkpoint wherever a worker runs: two days.
const MAX_UNSIGNED_AGE_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// What is sealed.
#[derive(Deserialize, Serialize)]
struct SealedKey {
    seed: String,
    memory: RecordedCheckpoints,
}

/// What is recorded about the checkpoints, sealed together with the key.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct RecordedCheckpoints {
    /// The number of the newest checkpoint's event.
    number: i64,
    /// That event's hash.
    hash: String,
    /// How many checkpoints there are.
    count: u64,
    /// The log's last event when the key was made long after the log began; what is before is older than any signature.
    late: Option<i64>,
}

impl RecordedCheckpoints {
    /// Of checkpoints that are believed.
    fn of(checkpoints: &Checkpoints, late: Option<i64>) -> Self {
        let newest = checkpoints.values().next_back();
        Self {
            number: newest.map_or(0, |checkpoint| checkpoint.number),
            hash: newest.map(|checkpoint| checkpoint.hash.clone()).unwrap_or_default(),
            count: checkpoints.len() as u64,
            late,
        }
    }

    /// The log's last event when the key was made, if that was late.
    pub(crate) fn late(&self) -> Option<i64> {
        self.late
    }

    /// Where the checkpoints are not those that are remembered.
    pub(crate) fn contradicts(&self, checkpoints: &Checkpoints) -> Option<BrokenLink> {
        let broken = |number, why: String| Some(BrokenLink { number, why: why.into() });
        if self.count > 0 {
            let (number, hash) = (self.number, &self.hash);
            match checkpoints.get(&number) {
                None => {
                    return broken(
                        number,
                        format!(
                            "checkpoint {number} (hash {hash}) is known to the signing key but missing from the log"
                        ),
                    );
                }
                Some(found) if found.hash != *hash => {
                    return broken(
                        number,
                        format!(
                            "checkpoint {number} is not the one (hash {hash}) that is known to the signing key"
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        if let Some((number, _)) = checkpoints.range(self.number + 1..).next() {
            return broken(*number, format!("checkpoint {number} is not known to the signing key"));
        }
        let present = checkpoints.len() as u64;
        (present != self.count).then(|| BrokenLink {
            number: self.number,
            why: format!("the signing key knows {} checkpoints, the log has {present}", self.count).into(),
        })
    }
}

/// State of the signing key.
pub(crate) enum SigningKeyState {
    /// It can be used.
    Usable(SigningKey),
    /// None was made yet.
    NeverCreated,
    /// There was one; it was removed or is damaged.
    Lost,
    /// The key that it is sealed with is not here.
    Locked(SealedId, Error),
}

/// The signing key, opened.
pub(crate) struct SigningKey {
    id: SealedId,
    seed: Zeroizing<Vec<u8>>,
    pair: Ed25519KeyPair,
    /// `None`: sealed by an earlier release, which remembered nothing.
    pub(crate) memory: Option<RecordedCheckpoints>,
}

impl SigningKey {
    fn read(id: SealedId, text: &str) -> Option<Self> {
        let (seed, memory) = match serde_json::from_str::<SealedKey>(text) {
            Ok(sealed) => (sealed.seed, Some(sealed.memory)),
            Err(_) => (text.to_owned(), None),
        };
        let seed = Zeroizing::new(STANDARD.decode(Zeroizing::new(seed).as_bytes()).ok()?);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        Some(Self { id, seed, pair, memory })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(message))
    }

    /// Remembers the checkpoints as they are now, in the transaction that changed them.
    pub(crate) async fn remember(mut self, write: &mut Write<'_>, checkpoints: &Checkpoints) -> Result<()> {
        let late = self.memory.as_ref().and_then(RecordedCheckpoints::late);
        self.memory = Some(RecordedCheckpoints::of(checkpoints, late));
        write.delete_sealed([self.id]).await?;
        self.store(write).await
    }

    async fn store(&mut self, write: &mut Write<'_>) -> Result<()> {
        self.id = SealedId(write.registry.new_id());
        let sealed = json!({ "seed": STANDARD.encode(&*self.seed), "memory": self.memory });
        let text = Zeroizing::new(sealed.to_string());
        write.seal(self.id, OwnerKind::Audit.with_id(self.id.0), "/signing_key", &text).await?;
        record(write, SIGNING_KEY, Value::String(self.id.0.to_string())).await
    }
}

impl Audit<'_> {
    /// Compares the checkpoints with what the key that signed them remembers, which only who has the sealing key can change.
    pub(crate) async fn compare_with_key(
        self,
        db: &DatabaseTransaction,
        checkpoints: &Checkpoints,
        no_key_was_noted: bool,
        verdict: &mut AuditVerification,
    ) -> Result<Option<BrokenLink>> {
        let lost = |why: &'static str| Ok(Some(BrokenLink { number: verdict.last, why: why.into() }));
        match find(self.registry, db).await? {
            SigningKeyState::Lost => return lost("the key that signs checkpoints was removed or changed"),
            SigningKeyState::NeverCreated => {}
            SigningKeyState::Locked(_, Error::KeyMissing(id)) => verdict.unchecked.push(format!(
                "Whether checkpoints were removed: the key that signs them is sealed with the sealing key `{id}`, which is not here."
            )),
            SigningKeyState::Locked(_, error) => return Err(error),
            SigningKeyState::Usable(key) => match &key.memory {
                None => verdict.unchecked.push(
                    "Whether checkpoints were removed: an earlier release signed them. It can be checked from the next checkpoint on, which is signed within a day."
                        .to_owned(),
                ),
                Some(memory) => {
                    if let Some(late) = memory.late().filter(|_| no_key_was_noted) {
                        verdict.unchecked.push(format!(
                            "Whether the events up to number {late} are the original ones: the key that signs checkpoints was made after them. Give a key that was noted before as `--public-key`."
                        ));
                    }
                    return Ok(memory.contradicts(checkpoints));
                }
            },
        }
        Ok(None)
    }

    /// Accepts the log as it is and signs it with a new key from now on: for an operator who knows why `verify` fails. The
    /// restart itself is audited.
    pub async fn restart(self, actor: &Actor) -> Result<()> {
        actor.require_organisation(Permission::ReadAudit)?;
        let broken = self.check(&[]).await?.broken;
        let mut write = self.registry.begin_write(actor).await?;
        write.lock_interactive_writes().await?;
        let checkpoints = checkpoints(&write.txn).await?;
        let end = sequence::Entity::find_by_id(1).one(&write.txn).await?;
        replace(&mut write, &checkpoints, end.map_or(0, |end| end.audit)).await?;
        let broken = broken.map(|broken| json!({ "number": broken.number, "why": broken.why }));
        write.audit(Event::new(AuditAction::AuditRestarted, "audit", "log").before(json!(broken)));
        write.commit().await
    }

    /// Whether nothing was ever signed, or what signs was removed without a trace, although a worker would have signed by now.
    pub(crate) async fn lacks_a_signing_key(self) -> Result<bool> {
        Ok(matches!(find(self.registry, self.registry.db()).await?, SigningKeyState::NeverCreated)
            && is_old(self.registry, self.registry.db()).await?)
    }
}

/// Looks for the signing key.
pub(crate) async fn find(registry: &Registry, db: &impl ConnectionTrait) -> Result<SigningKeyState> {
    let known = recorded(db).await?.remove(SIGNING_KEY);
    let Some(known) = known.filter(|known| !known.is_null()) else {
        // A sealed key without an entry in `deployment` means that the entry was deleted.
        let sealed = sealed_value::Entity::find()
            .filter(sealed_value::Column::OwnerKind.eq(OwnerKind::Audit.as_str()));
        let checkpoints = audit_checkpoint::Entity::find().count(db).await?;
        let never = checkpoints == 0 && sealed.count(db).await? == 0;
        return Ok(if never { SigningKeyState::NeverCreated } else { SigningKeyState::Lost });
    };
    let Some(id) = serde_json::from_value::<Uuid>(known).ok().map(SealedId) else {
        return Ok(SigningKeyState::Lost);
    };
    Ok(match registry.open_sealed_if_present(db, id).await {
        Ok(Some(text)) => {
            SigningKey::read(id, text.expose()).map_or(SigningKeyState::Lost, SigningKeyState::Usable)
        }
        Ok(None) => SigningKeyState::Lost,
        Err(error @ Error::KeyMissing(_)) => SigningKeyState::Locked(id, error),
        // With another key under the same id nothing opens; that says nothing about what is stored.
        Err(error) if error.is_damage() => match registry.secrets().wrong_key_of(db, id).await? {
            Some(key) => SigningKeyState::Locked(id, Error::KeyMissing(key)),
            None => SigningKeyState::Lost,
        },
        Err(error) => return Err(error),
    })
}

/// Whether the log is so old that a worker would have signed it.
pub(crate) async fn is_old(registry: &Registry, db: &impl ConnectionTrait) -> Result<bool> {
    let first = audit_event::Entity::find().order_by_asc(audit_event::Column::Number).one(db).await?;
    let house = organisation::Entity::find().one(db).await?;
    let sealed = sealed_value::Entity::find().order_by_asc(sealed_value::Column::Id).one(db).await?;
    // The id of a sealed value is authenticated along with it: its time cannot be made younger.
    let sealed = sealed.and_then(|row| row.id.get_timestamp()).map(|time| {
        let (seconds, nanoseconds) = time.to_unix();
        i64::try_from(seconds).unwrap_or_default() * 1000 + i64::from(nanoseconds / 1_000_000)
    });
    let since = [first.map(|event| event.at), house.map(|row| row.created_at), sealed];
    let since = since.into_iter().flatten().min();
    Ok(since
        .is_some_and(|since| crate::storage::columns::millis(registry.now()) - since > MAX_UNSIGNED_AGE_MS))
}

/// The key to sign with. A trusted one is made where there never was one, and where the sealing key of the last one was
/// given up; else the key was removed, and an operator must confirm that (`audit restart`).
pub(crate) async fn for_signing(
    write: &mut Write<'_>,
    checkpoints: &Checkpoints,
    last: i64,
) -> Result<SigningKey> {
    match find(write.registry, &write.txn).await? {
        SigningKeyState::Usable(key) => Ok(key),
        SigningKeyState::NeverCreated => {
            let late = is_old(write.registry, &write.txn).await?.then_some(last);
            if let Some(last) = late {
                tracing::warn!(last, "the audit log is signed for the first time, long after it began");
                write.audit(Event::new(AuditAction::AuditSigningKeyMade, "audit", last));
            }
            make(write, checkpoints, late).await
        }
        SigningKeyState::Locked(id, error) if is_key_abandoned(&write.txn, &error).await? => {
            write.delete_sealed([id]).await?;
            write.audit(Event::new(AuditAction::AuditSigningKeyReplaced, "audit", id.0));
            make(write, checkpoints, None).await
        }
        SigningKeyState::Locked(_, error) => Err(error),
        SigningKeyState::Lost => Err(Error::damaged(
            "the key that signs the audit log is missing; `mcp-registry audit verify` says more".to_owned(),
        )),
    }
}

/// Replaces any existing key by a new one that accepts the log as it is now.
pub(crate) async fn replace(write: &mut Write<'_>, checkpoints: &Checkpoints, last: i64) -> Result<()> {
    sealed_value::Entity::delete_many()
        .filter(sealed_value::Column::OwnerKind.eq(OwnerKind::Audit.as_str()))
        .exec(&write.txn)
        .await?;
    make(write, checkpoints, Some(last)).await.map(drop)
}

async fn make(write: &mut Write<'_>, checkpoints: &Checkpoints, late: Option<i64>) -> Result<SigningKey> {
    let mut seed = Zeroizing::new(vec![0; 32]);
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| Error::Internal("no random numbers".into()))?;
    let pair =
        Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Internal("no signing key".into()))?;
    let memory = Some(RecordedCheckpoints::of(checkpoints, late));
    let mut key = SigningKey { id: SealedId(Uuid::nil()), seed, pair, memory };
    key.store(write).await?;
    Ok(key)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn checkpoints(numbers: &[i64]) -> Checkpoints {
        let one = |number: &i64| audit_checkpoint::Model {
            number: *number,
            at: 0,
            hash: format!("hash of {number}"),
            pruned: false,
            public_key: String::new(),
            signature: String::new(),
        };
        numbers.iter().map(|number| (*number, one(number))).collect()
    }

    #[test]
    fn key_of_an_earlier_release_remembers_nothing() {
        let id = SealedId(Uuid::nil());
        let old = SigningKey::read(id, &STANDARD.encode([7; 32])).unwrap();
        assert_eq!(old.memory, None);
        let memory = RecordedCheckpoints::of(&checkpoints(&[4]), None);
        let text =
            serde_json::to_string(&SealedKey { seed: STANDARD.encode([7; 32]), memory: memory.clone() });
        let new = SigningKey::read(id, &text.unwrap()).unwrap();
        assert_eq!(new.public_key(), old.public_key());
        assert_eq!(new.memory, Some(memory));
        for broken in ["", "{}", "c2hvcnQ=", "not base64"] {
            assert!(SigningKey::read(id, broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn checkpoints_that_differ_from_the_remembered_ones_are_found() {
        let memory = RecordedCheckpoints::of(&checkpoints(&[4, 9]), None);
        let found = |numbers: &[i64]| memory.contradicts(&checkpoints(numbers)).map(|broken| broken.number);
        assert_eq!(found(&[4, 9]), None);
        assert_eq!(found(&[4]), Some(9), "the newest is missing");
        assert_eq!(found(&[9]), Some(9), "an older one is missing");
        assert_eq!(found(&[]), Some(9));
        assert_eq!(found(&[4, 9, 12]), Some(12), "one that nobody signed with this key");
        assert_eq!(found(&[3, 4, 9]), Some(9), "one too many");
        let mut other = checkpoints(&[4, 9]);
        other.get_mut(&9).unwrap().hash = "other".to_owned();
        assert_eq!(memory.contradicts(&other).unwrap().number, 9);
        assert_eq!(RecordedCheckpoints::of(&checkpoints(&[]), None).contradicts(&checkpoints(&[])), None);
    }
}
