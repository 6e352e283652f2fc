//! The key that signs checkpoints of the audit log, and what it remembers of them. Both are sealed together, so that
//! nobody without the sealing key can change what is remembered: who deletes every checkpoint is found.

use crate::audit::Audit;
use crate::audit::checkpoints::{AuditVerdict, BrokenLink, Checkpoints, checkpoints};
use crate::secrets::rotation::is_key_abandoned;
use crate::storage::deployment_values::{record, recorded};
use crate::storage::entity::{audit_checkpoint, audit_event, organisation, sealed_value, sequence};
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
/// Whose sealed value it is.
const OWNER: &str = "audit";
/// A log older than this, in milliseconds, has a checkpoint wherever a worker runs: two days.
const OLD: i64 = 2 * 24 * 60 * 60 * 1000;

/// What is sealed.
#[derive(Deserialize, Serialize)]
struct SealedKey {
    seed: String,
    memory: Memory,
}

/// What the key remembers of the checkpoints.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// The number of the newest checkpoint's event.
    number: i64,
    /// That event's hash.
    hash: String,
    /// How many checkpoints there are.
    count: u64,
    /// The log's last event when the key was made long after the log began; what is before is older than any signature.
    late: Option<i64>,
}

impl Memory {
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

/// How the signing key was found.
pub(crate) enum Found {
    /// It can be used.
    Here(SigningKey),
    /// None was made yet.
    Never,
    /// There was one, and it is gone or no key any more.
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
    pub(crate) memory: Option<Memory>,
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
        let late = self.memory.as_ref().and_then(Memory::late);
        self.memory = Some(Memory::of(checkpoints, late));
        write.delete_sealed([self.id]).await?;
        self.store(write).await
    }

    async fn store(&mut self, write: &mut Write<'_>) -> Result<()> {
        self.id = SealedId(write.registry.new_id());
        let sealed = json!({ "seed": STANDARD.encode(&*self.seed), "memory": self.memory });
        let text = Zeroizing::new(sealed.to_string());
        write.seal(self.id, (OWNER, self.id.0), "/signing_key", &text).await?;
        record(write, SIGNING_KEY, Value::String(self.id.0.to_string())).await
    }
}

impl Audit<'_> {
    /// Compares the checkpoints with what the key that signed them remembers, which only who has the sealing key can change.
    pub(crate) async fn compare_with_key(
        self,
        db: &DatabaseTransaction,
        points: &Checkpoints,
        no_key_was_noted: bool,
        verdict: &mut AuditVerdict,
    ) -> Result<Option<BrokenLink>> {
        let lost = |why: &'static str| Ok(Some(BrokenLink { number: verdict.last, why: why.into() }));
        match find(self.registry, db).await? {
            Found::Lost => return lost("the key that signs checkpoints was removed or changed"),
            Found::Never => {}
            Found::Locked(_, Error::KeyMissing(id)) => verdict.unchecked.push(format!(
                "Whether checkpoints were removed: the key that signs them is sealed with the sealing key `{id}`, which is not here."
            )),
            Found::Locked(_, error) => return Err(error),
            Found::Here(key) => match &key.memory {
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
                    return Ok(memory.contradicts(points));
                }
            },
        }
        Ok(None)
    }

    /// Signs the log from now on with a new key, as it is now: for a person who knows why `verify` complains. On record.
    pub async fn restart(self, actor: &Actor) -> Result<()> {
        actor.require_organisation(Permission::ReadAudit)?;
        let broken = self.check(&[]).await?.broken;
        let mut write = self.registry.begin_write(actor).await?;
        write.lock_interactive_writes().await?;
        let points = checkpoints(&write.txn).await?;
        let end = sequence::Entity::find_by_id(1).one(&write.txn).await?;
        replace(&mut write, &points, end.map_or(0, |end| end.audit)).await?;
        let broken = broken.map(|broken| json!({ "number": broken.number, "why": broken.why }));
        write.audit(Event::new("audit.restarted", "audit", "log").before(json!(broken)));
        write.commit().await
    }

    /// Whether nothing was ever signed, or what signs was removed without a trace, although a worker would have signed by now.
    pub(crate) async fn lacks_a_signing_key(self) -> Result<bool> {
        Ok(matches!(find(self.registry, self.registry.db()).await?, Found::Never)
            && is_old(self.registry, self.registry.db()).await?)
    }
}

/// Looks for the signing key.
pub(crate) async fn find(registry: &Registry, db: &impl ConnectionTrait) -> Result<Found> {
    let known = recorded(db).await?.remove(SIGNING_KEY);
    let Some(known) = known.filter(|known| !known.is_null()) else {
        // A key that nobody names any more was cut off from its name.
        let sealed = sealed_value::Entity::find().filter(sealed_value::Column::OwnerKind.eq(OWNER));
        let checkpoints = audit_checkpoint::Entity::find().count(db).await?;
        let never = checkpoints == 0 && sealed.count(db).await? == 0;
        return Ok(if never { Found::Never } else { Found::Lost });
    };
    let Some(id) = serde_json::from_value::<Uuid>(known).ok().map(SealedId) else { return Ok(Found::Lost) };
    Ok(match registry.open_sealed_if_present(db, id).await {
        Ok(Some(text)) => SigningKey::read(id, text.expose()).map_or(Found::Lost, Found::Here),
        Ok(None) => Found::Lost,
        Err(error @ Error::KeyMissing(_)) => Found::Locked(id, error),
        // With another key under the same id nothing opens; that says nothing about what is stored.
        Err(error) if error.is_damage() => match registry.secrets().wrong_key_of(db, id).await? {
            Some(key) => Found::Locked(id, Error::KeyMissing(key)),
            None => Found::Lost,
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
    Ok(since.is_some_and(|since| crate::storage::columns::millis(registry.now()) - since > OLD))
}

/// The key to sign with. One that may be trusted is made where there never was one, and where the sealing key of the last
/// one was given up; else somebody removed it, and a person has to say so (`audit restart`).
pub(crate) async fn for_signing(
    write: &mut Write<'_>,
    checkpoints: &Checkpoints,
    last: i64,
) -> Result<SigningKey> {
    match find(write.registry, &write.txn).await? {
        Found::Here(key) => Ok(key),
        Found::Never => {
            let late = is_old(write.registry, &write.txn).await?.then_some(last);
            if let Some(last) = late {
                tracing::warn!(last, "the audit log is signed for the first time, long after it began");
                write.audit(Event::new("audit.signing_key_made", "audit", last));
            }
            make(write, checkpoints, late).await
        }
        Found::Locked(id, error) if is_key_abandoned(&write.txn, &error).await? => {
            write.delete_sealed([id]).await?;
            write.audit(Event::new("audit.signing_key_replaced", "audit", id.0));
            make(write, checkpoints, None).await
        }
        Found::Locked(_, error) => Err(error),
        Found::Lost => Err(Error::damaged(
            "the key that signs the audit log is missing; `mcp-registry audit verify` says more".to_owned(),
        )),
    }
}

/// A new key, whatever there was, which believes the log as it is now.
pub(crate) async fn replace(write: &mut Write<'_>, checkpoints: &Checkpoints, last: i64) -> Result<()> {
    sealed_value::Entity::delete_many()
        .filter(sealed_value::Column::OwnerKind.eq(OWNER))
        .exec(&write.txn)
        .await?;
    make(write, checkpoints, Some(last)).await.map(drop)
}

async fn make(write: &mut Write<'_>, checkpoints: &Checkpoints, late: Option<i64>) -> Result<SigningKey> {
    let mut seed = Zeroizing::new(vec![0; 32]);
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| Error::Internal("no random numbers".into()))?;
    let pair =
        Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Internal("no signing key".into()))?;
    let memory = Some(Memory::of(checkpoints, late));
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
        let memory = Memory::of(&checkpoints(&[4]), None);
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
        let memory = Memory::of(&checkpoints(&[4, 9]), None);
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
        assert_eq!(Memory::of(&checkpoints(&[]), None).contradicts(&checkpoints(&[])), None);
    }
}
