//! The signing key, which signs checkpoints of the audit log, and a record of these checkpoints. Key and record are sealed
//! together: nobody without the sealing key can change the record, so even the deletion of all checkpoints is detected.

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

/// Name of the value in the table `deployment` that holds the id of the sealed signing key.
const SIGNING_KEY: &str = "audit.signing_key";
/// Two days, in milliseconds. Wherever a worker runs, a log that is older than this has a checkpoint.
const MAX_UNSIGNED_AGE_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// The JSON object that is sealed.
#[derive(Deserialize, Serialize)]
struct SealedKey {
    /// Seed of the Ed25519 key, in base64.
    seed: String,
    #[serde(rename = "memory")]
    recorded_checkpoints: RecordedCheckpoints,
}

/// The record of the checkpoints, sealed together with the key.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct RecordedCheckpoints {
    /// The number of the newest checkpoint, which is that of its event; 0: there are no checkpoints.
    number: i64,
    /// The hash of this event; empty: there are no checkpoints.
    hash: String,
    /// How many checkpoints there are.
    count: u64,
    /// The number of the log's last event when the key was made, if the key was made long after the log began or by
    /// [`Audit::restart`]: no signature of this key proves that the events up to this number are the original ones.
    #[serde(rename = "late")]
    made_after: Option<i64>,
}

impl RecordedCheckpoints {
    /// The record of `checkpoints`, which the caller has verified or accepts as they are.
    fn of(checkpoints: &Checkpoints, made_after: Option<i64>) -> Self {
        let newest = checkpoints.values().next_back();
        Self {
            number: newest.map_or(0, |checkpoint| checkpoint.number),
            hash: newest.map(|checkpoint| checkpoint.hash.clone()).unwrap_or_default(),
            count: checkpoints.len() as u64,
            made_after,
        }
    }

    /// The first contradiction between this record and `checkpoints`, those of the log; `None`: they agree.
    pub(crate) fn find_contradiction(&self, checkpoints: &Checkpoints) -> Option<BrokenLink> {
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
    /// The key is open and can sign.
    Usable(SigningKey),
    /// No key was made yet.
    NeverCreated,
    /// A key was made, but it was removed or is damaged.
    Lost,
    /// The sealing key that the signing key is sealed with is not available: the id of the sealed value, and the error.
    Locked(SealedId, Error),
}

/// The opened signing key.
pub(crate) struct SigningKey {
    /// The id of the sealed value that holds this key.
    id: SealedId,
    seed: Zeroizing<Vec<u8>>,
    pair: Ed25519KeyPair,
    /// `None`: sealed by an earlier release, which recorded no checkpoints.
    pub(crate) recorded_checkpoints: Option<RecordedCheckpoints>,
}

impl SigningKey {
    /// Parses an opened sealed value: a [`SealedKey`], or, from an earlier release, the seed alone. `None`: it is damaged.
    fn parse(id: SealedId, text: &str) -> Option<Self> {
        let (seed, recorded_checkpoints) = match serde_json::from_str::<SealedKey>(text) {
            Ok(sealed) => (sealed.seed, Some(sealed.recorded_checkpoints)),
            Err(_) => (text.to_owned(), None),
        };
        let seed = Zeroizing::new(STANDARD.decode(Zeroizing::new(seed).as_bytes()).ok()?);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        Some(Self { id, seed, pair, recorded_checkpoints })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The Ed25519 signature of `message`, in base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(message))
    }

    /// Replaces the record by one of `checkpoints`, in the transaction that changed them.
    pub(crate) async fn record_checkpoints(
        mut self,
        write: &mut Write<'_>,
        checkpoints: &Checkpoints,
    ) -> Result<()> {
        let made_after = self.recorded_checkpoints.as_ref().and_then(|recorded| recorded.made_after);
        self.recorded_checkpoints = Some(RecordedCheckpoints::of(checkpoints, made_after));
        write.delete_sealed([self.id]).await?;
        self.store(write).await
    }

    /// Seals key and record under a new id, and stores this id in the table `deployment`.
    async fn store(&mut self, write: &mut Write<'_>) -> Result<()> {
        self.id = SealedId(write.registry.new_id());
        let sealed = json!({ "seed": STANDARD.encode(&*self.seed), "memory": self.recorded_checkpoints });
        let text = Zeroizing::new(sealed.to_string());
        write.seal(self.id, OwnerKind::Audit.with_id(self.id.0), "/signing_key", &text).await?;
        record(write, SIGNING_KEY, Value::String(self.id.0.to_string())).await
    }
}

impl Audit<'_> {
    /// Compares `checkpoints`, those of the log, with the record that is sealed with the signing key. Adds checks that are
    /// not possible to `verdict`. `no_public_key_given`: the caller of `verify` gave no key that was noted before.
    pub(crate) async fn compare_with_key(
        self,
        db: &DatabaseTransaction,
        checkpoints: &Checkpoints,
        no_public_key_given: bool,
        verdict: &mut AuditVerification,
    ) -> Result<Option<BrokenLink>> {
        let lost = |why: &'static str| Ok(Some(BrokenLink { number: verdict.last, why: why.into() }));
        match signing_key_state(self.registry, db).await? {
            SigningKeyState::Lost => return lost("the key that signs checkpoints was removed or changed"),
            SigningKeyState::NeverCreated => {}
            SigningKeyState::Locked(_, Error::KeyMissing(key_id)) => verdict.unchecked.push(format!(
                "Whether checkpoints were removed: the key that signs them is sealed with the sealing key `{key_id}`, which is not here."
            )),
            SigningKeyState::Locked(_, error) => return Err(error),
            SigningKeyState::Usable(key) => match &key.recorded_checkpoints {
                None => verdict.unchecked.push(
                    "Whether checkpoints were removed: an earlier release signed them. It can be checked from the next checkpoint on, which is signed within a day."
                        .to_owned(),
                ),
                Some(recorded) => {
                    if let Some(made_after) = recorded.made_after.filter(|_| no_public_key_given) {
                        verdict.unchecked.push(format!(
                            "Whether the events up to number {made_after} are the original ones: the key that signs checkpoints was made after them. Give a key that was noted before as `--public-key`."
                        ));
                    }
                    return Ok(recorded.find_contradiction(checkpoints));
                }
            },
        }
        Ok(None)
    }

    /// Accepts the log as it is, and makes a new key that signs it from now on: for an operator who knows why `verify`
    /// fails. An audit event records the restart and the broken link that `verify` found.
    pub async fn restart(self, actor: &Actor) -> Result<()> {
        actor.require_organisation(Permission::ReadAudit)?;
        let broken = self.check(&[]).await?.broken;
        let mut write = self.registry.begin_write(actor).await?;
        write.lock_interactive_writes().await?;
        let checkpoints = checkpoints(&write.txn).await?;
        let end = sequence::Entity::find_by_id(1).one(&write.txn).await?;
        replace_key(&mut write, &checkpoints, end.map_or(0, |end| end.audit)).await?;
        let broken = broken.map(|broken| json!({ "number": broken.number, "why": broken.why }));
        write.audit(Event::new(AuditAction::AuditRestarted, "audit", "log").before(json!(broken)));
        write.commit().await
    }

    /// Whether there is no trace of a signing key, although a worker would have signed the log by now: the key and its traces
    /// were removed, or no worker ever ran.
    pub(crate) async fn lacks_a_signing_key(self) -> Result<bool> {
        Ok(matches!(
            signing_key_state(self.registry, self.registry.db()).await?,
            SigningKeyState::NeverCreated
        ) && is_log_old(self.registry, self.registry.db()).await?)
    }
}

/// Loads and opens the signing key.
async fn signing_key_state(registry: &Registry, db: &impl ConnectionTrait) -> Result<SigningKeyState> {
    let recorded_id = recorded(db).await?.remove(SIGNING_KEY);
    let Some(recorded_id) = recorded_id.filter(|id| !id.is_null()) else {
        // Without an entry in `deployment`, a sealed key or a checkpoint proves that the entry was deleted.
        let sealed = sealed_value::Entity::find()
            .filter(sealed_value::Column::OwnerKind.eq(OwnerKind::Audit.as_str()));
        let checkpoints = audit_checkpoint::Entity::find().count(db).await?;
        let no_trace = checkpoints == 0 && sealed.count(db).await? == 0;
        return Ok(if no_trace { SigningKeyState::NeverCreated } else { SigningKeyState::Lost });
    };
    let Some(id) = serde_json::from_value::<Uuid>(recorded_id).ok().map(SealedId) else {
        return Ok(SigningKeyState::Lost);
    };
    Ok(match registry.open_sealed_if_present(db, id).await {
        Ok(Some(text)) => {
            SigningKey::parse(id, text.expose()).map_or(SigningKeyState::Lost, SigningKeyState::Usable)
        }
        Ok(None) => SigningKeyState::Lost,
        Err(error @ Error::KeyMissing(_)) => SigningKeyState::Locked(id, error),
        // A wrong sealing key under the right key id fails like a damaged value; then the stored value may be intact.
        Err(error) if error.is_damage() => match registry.secrets().wrong_key_of(db, id).await? {
            Some(key_id) => SigningKeyState::Locked(id, Error::KeyMissing(key_id)),
            None => SigningKeyState::Lost,
        },
        Err(error) => return Err(error),
    })
}

/// Whether the log is so old that a worker would have signed it. Its age is that of the oldest of: first audit event,
/// organisation, sealed value.
async fn is_log_old(registry: &Registry, db: &impl ConnectionTrait) -> Result<bool> {
    let first = audit_event::Entity::find().order_by_asc(audit_event::Column::Number).one(db).await?;
    let organisation = organisation::Entity::find().one(db).await?;
    let sealed = sealed_value::Entity::find().order_by_asc(sealed_value::Column::Id).one(db).await?;
    // The id of a sealed value contains its time of creation and is authenticated with the value, so that nobody can forge
    // a later time.
    let sealed_at = sealed.and_then(|row| row.id.get_timestamp()).map(|time| {
        let (seconds, nanoseconds) = time.to_unix();
        i64::try_from(seconds).unwrap_or_default() * 1000 + i64::from(nanoseconds / 1_000_000)
    });
    let since = [first.map(|event| event.at), organisation.map(|row| row.created_at), sealed_at];
    let since = since.into_iter().flatten().min();
    Ok(since
        .is_some_and(|since| crate::storage::columns::millis(registry.now()) - since > MAX_UNSIGNED_AGE_MS))
}

/// The key to sign with; `last` is the number of the event to be signed. Makes a new key if none was made yet, or if the
/// sealing key of the present one was abandoned. If the key was lost, fails until an operator accepts the log (`audit
/// restart`).
pub(crate) async fn for_signing(
    write: &mut Write<'_>,
    checkpoints: &Checkpoints,
    last: i64,
) -> Result<SigningKey> {
    match signing_key_state(write.registry, &write.txn).await? {
        SigningKeyState::Usable(key) => Ok(key),
        SigningKeyState::NeverCreated => {
            let made_after = is_log_old(write.registry, &write.txn).await?.then_some(last);
            if made_after.is_some() {
                tracing::warn!(last, "the audit log is signed for the first time, long after it began");
                write.audit(Event::new(AuditAction::AuditSigningKeyMade, "audit", last));
            }
            make_key(write, checkpoints, made_after).await
        }
        SigningKeyState::Locked(id, error) if is_key_abandoned(&write.txn, &error).await? => {
            write.delete_sealed([id]).await?;
            write.audit(Event::new(AuditAction::AuditSigningKeyReplaced, "audit", id.0));
            make_key(write, checkpoints, None).await
        }
        SigningKeyState::Locked(_, error) => Err(error),
        SigningKeyState::Lost => Err(Error::damaged(
            "the key that signs the audit log is missing; `mcp-registry audit verify` says more".to_owned(),
        )),
    }
}

/// Replaces any existing key by a new one whose record accepts `checkpoints` and the events up to number `last` as they are.
async fn replace_key(write: &mut Write<'_>, checkpoints: &Checkpoints, last: i64) -> Result<()> {
    sealed_value::Entity::delete_many()
        .filter(sealed_value::Column::OwnerKind.eq(OwnerKind::Audit.as_str()))
        .exec(&write.txn)
        .await?;
    make_key(write, checkpoints, Some(last)).await.map(drop)
}

/// Makes and stores a new key; `made_after` as in [`RecordedCheckpoints`].
async fn make_key(
    write: &mut Write<'_>,
    checkpoints: &Checkpoints,
    made_after: Option<i64>,
) -> Result<SigningKey> {
    let mut seed = Zeroizing::new(vec![0; 32]);
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| Error::Internal("no random numbers".into()))?;
    let pair =
        Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Internal("no signing key".into()))?;
    let recorded_checkpoints = Some(RecordedCheckpoints::of(checkpoints, made_after));
    // `store` sets the id.
    let mut key = SigningKey { id: SealedId(Uuid::nil()), seed, pair, recorded_checkpoints };
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
    fn key_of_an_earlier_release_has_no_recorded_checkpoints() {
        let id = SealedId(Uuid::nil());
        let old = SigningKey::parse(id, &STANDARD.encode([7; 32])).unwrap();
        assert_eq!(old.recorded_checkpoints, None);
        let recorded = RecordedCheckpoints::of(&checkpoints(&[4]), None);
        let sealed = SealedKey { seed: STANDARD.encode([7; 32]), recorded_checkpoints: recorded.clone() };
        let text = serde_json::to_string(&sealed);
        let new = SigningKey::parse(id, &text.unwrap()).unwrap();
        assert_eq!(new.public_key(), old.public_key());
        assert_eq!(new.recorded_checkpoints, Some(recorded));
        for broken in ["", "{}", "c2hvcnQ=", "not base64"] {
            assert!(SigningKey::parse(id, broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn checkpoints_that_differ_from_the_recorded_ones_are_found() {
        let recorded = RecordedCheckpoints::of(&checkpoints(&[4, 9]), None);
        let found =
            |numbers: &[i64]| recorded.find_contradiction(&checkpoints(numbers)).map(|broken| broken.number);
        assert_eq!(found(&[4, 9]), None);
        assert_eq!(found(&[4]), Some(9), "the newest is missing");
        assert_eq!(found(&[9]), Some(9), "an older one is missing");
        assert_eq!(found(&[]), Some(9));
        assert_eq!(found(&[4, 9, 12]), Some(12), "one that nobody signed with this key");
        assert_eq!(found(&[3, 4, 9]), Some(9), "one too many");
        let mut other = checkpoints(&[4, 9]);
        other.get_mut(&9).unwrap().hash = "other".to_owned();
        assert_eq!(recorded.find_contradiction(&other).unwrap().number, 9);
        assert_eq!(
            RecordedCheckpoints::of(&checkpoints(&[]), None).find_contradiction(&checkpoints(&[])),
            None
        );
    }
}
