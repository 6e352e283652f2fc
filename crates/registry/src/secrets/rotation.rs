//! Rotation of sealing keys: what each key encrypts, re-encryption with the primary key, what a lost key costs.

use crate::secrets::Secrets;
use crate::secrets::envelope::Sealed;
use crate::storage::audit_action::AuditAction;
use crate::storage::deployment_values::{KEY_CHECK, record, recorded};
use crate::storage::entity::{
    access, draft, integration, oauth_client, registration, sealed_value, server, workspace,
};
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, Write};
use crate::{Actor, Channel, ConflictCode, Error, Registry, Result};
use registry_core::id::SealedId;
use registry_core::secret::Secret;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Key in `deployment`: ids of the abandoned keys.
const ABANDONED_KEYS: &str = "sealing.given_up";
/// Key in `deployment`: check values of all keys that `migrate` recorded and that were not abandoned since. Processes
/// may encrypt with these keys only.
pub(crate) const KNOWN: &str = "sealing.known";
/// Values that one transaction re-encrypts: other writes wait for it.
const BATCH_SIZE: u64 = 200;

/// A sealing key, and what is encrypted with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingKeyUse {
    /// The key's id.
    pub id: String,
    /// Whether this process has it.
    pub present: bool,
    /// Whether it encrypts new secrets.
    pub primary: bool,
    /// Secrets that are encrypted with it.
    pub values: u64,
    /// How many of them cannot be decrypted: all, if the key is missing.
    pub unreadable: u64,
    /// What contains the unreadable ones: a line for each, with what to do.
    pub costs: Vec<String>,
}

/// Result of a rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets that were re-encrypted with the primary key.
    pub values: u64,
    /// Secrets whose key is missing; they are unchanged.
    pub left: u64,
}

impl Registry {
    /// Decrypts a sealed value. Callers write the reason to the audit log.
    pub(crate) async fn open_sealed(&self, db: &impl ConnectionTrait, id: SealedId) -> Result<Secret> {
        let secret = self.open_sealed_if_present(db, id).await?;
        secret.ok_or_else(|| Error::Internal(format!("sealed value {id} is missing").into()))
    }

    /// As [`Self::open_sealed`], for an id that was read earlier; `None`: another value has replaced it since.
    pub(crate) async fn open_sealed_if_present(
        &self,
        db: &impl ConnectionTrait,
        id: SealedId,
    ) -> Result<Option<Secret>> {
        let row = sealed_value::Entity::find_by_id(id.0).one(db).await?;
        row.map(|row| self.ring().open(id, &sealed(row))).transpose()
    }
}

impl Secrets<'_> {
    /// All keys of this process, and all that encrypt something. Decrypts every stored secret to find the unreadable
    /// ones.
    pub async fn keys(self, actor: &Actor) -> Result<Vec<SealingKeyUse>> {
        only_operator(actor)?;
        let ring = self.registry.ring();
        let mut keys: BTreeMap<String, SealingKeyUse> = BTreeMap::new();
        let named = |id: &str| SealingKeyUse {
            id: id.to_owned(),
            present: ring.has(id),
            primary: ring.primary() == id,
            values: 0,
            unreadable: 0,
            costs: Vec::new(),
        };
        for (id, _) in ring.check_values() {
            keys.insert(id.clone(), named(&id));
        }
        let db = self.registry.begin_read().await?;
        let mut last = None;
        loop {
            let rows = after(sealed_value::Entity::find(), last).all(&db).await?;
            let Some(end) = rows.last() else { break };
            last = Some(end.id);
            for row in rows {
                let entry = keys.entry(row.key_id.clone()).or_insert_with(|| named(&row.key_id));
                entry.values += 1;
                let owner = (row.owner_kind.clone(), row.owner_id, row.pointer.clone());
                if ring.open(SealedId(row.id), &sealed(row)).is_err() {
                    entry.unreadable += 1;
                    entry.costs.push(cost(&db, &owner.0, owner.1, &owner.2).await?);
                }
            }
        }
        for entry in keys.values_mut() {
            entry.costs.sort();
        }
        Ok(keys.into_values().collect())
    }

    /// Re-encrypts all stored secrets with the primary key, in batches, while others read and write. May be interrupted
    /// and repeated. Afterwards keys that encrypt nothing may be removed.
    pub async fn reseal(self, actor: &Actor) -> Result<Resealed> {
        only_operator(actor)?;
        let mut done = Resealed::default();
        loop {
            let (mut last, before) = (None, done.values);
            done.left = 0;
            loop {
                let write = self.registry.begin_write(actor).await?;
                let permit = write.permit()?;
                let rows =
                    after(sealed_value::Entity::find(), last).filter(old(self.registry.ring().primary()));
                let rows = rows.all(&write.txn).await?;
                let Some(end) = rows.last() else { break };
                last = Some(end.id);
                for row in rows {
                    let (id, key) = (SealedId(row.id), row.key_id.clone());
                    match permit.reseal(id, sealed(row)) {
                        Ok(new) => done.values += put(&write, id, &key, new).await?,
                        Err(error) => {
                            tracing::warn!(sealed = %id, key, %error, "a stored secret cannot be re-encrypted");
                            done.left += 1;
                        }
                    }
                }
                write.commit().await?;
            }
            // A process with an earlier primary key may have saved secrets meanwhile.
            if done.values == before {
                break;
            }
        }
        let mut write = self.registry.begin_write(actor).await?;
        write.permit()?;
        let needed = self.needed_keys(&write.txn).await?;
        record(&write, KEY_CHECK, needed).await?;
        let event = Event::new(AuditAction::SealingRotated, "sealing", self.registry.ring().primary());
        write.audit(event.after(json!({ "resealed": done.values, "left": done.left })));
        write.commit().await?;
        Ok(done)
    }

    /// Marks a key as lost, so that processes without it may serve again. Secrets that are encrypted with it stay
    /// unreadable until they are entered again. Answers how many these are.
    pub async fn abandon_key(self, actor: &Actor, id: &str) -> Result<u64> {
        only_operator(actor)?;
        if self.registry.ring().has(id) {
            return Err(Error::Conflict {
                code: ConflictCode::SealingKeyPresent,
                message: format!(
                    "The sealing key `{id}` is configured, so no secret is lost. Run `mcp-registry seal rotate` to re-encrypt."
                ),
                pointer: None,
            });
        }
        let mut write = self.registry.begin_write(actor).await?;
        let recorded = recorded(&write.txn).await?;
        let lost = sealed_value::Entity::find().filter(sealed_value::Column::KeyId.eq(id));
        let lost = lost.count(&write.txn).await?;
        let mut keys = match recorded.get(KEY_CHECK) {
            Some(Value::Object(keys)) => keys.clone(),
            _ => Map::new(),
        };
        if keys.remove(id).is_none() && lost == 0 {
            return Err(Error::not_found("sealing key", id));
        }
        // The keys of this process become the keys of the deployment.
        let needed = self.needed_keys(&write.txn).await?;
        let mut known = known_keys(&recorded);
        known.remove(id);
        announce_keys(&write, known, &needed).await?;
        keys.extend(needed.as_object().cloned().unwrap_or_default());
        record(&write, KEY_CHECK, Value::Object(keys)).await?;
        let mut abandoned_keys = abandoned_keys(&recorded);
        abandoned_keys.insert(id.to_owned());
        record(&write, ABANDONED_KEYS, json!(abandoned_keys)).await?;
        write.audit(
            Event::new(AuditAction::SealingKeyAbandoned, "sealing", id).after(json!({ "lost": lost })),
        );
        write.commit().await?;
        Ok(lost)
    }

    /// The check values of the keys that encrypt something, and of the primary key. Abandoned keys are not among them.
    pub(crate) async fn needed_keys(self, db: &impl ConnectionTrait) -> Result<Value> {
        let used = used_keys(db).await?;
        let needed = |id: &str| id == self.registry.ring().primary() || used.iter().any(|used| used == id);
        let checks = self.registry.ring().check_values().into_iter().filter(|(id, _)| needed(id));
        Ok(Value::Object(checks.map(|(id, check)| (id, Value::String(check))).collect::<Map<_, _>>()))
    }
}

/// The check values of the recorded keys, by id.
pub(crate) fn known_keys(recorded: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let members = [recorded.get(KEY_CHECK), recorded.get(KNOWN)];
    let members = members.into_iter().flatten().filter_map(Value::as_object).flatten();
    members.filter_map(|(id, check)| Some((id.clone(), check.as_str()?.to_owned()))).collect()
}

/// Records the `needed` keys of this process beside the `known` ones. Another key of a known id is refused.
pub(crate) async fn announce_keys(
    write: &Write<'_>,
    mut known: BTreeMap<String, String>,
    needed: &Value,
) -> Result<()> {
    let needed = needed.as_object().into_iter().flatten();
    for (id, check) in needed.filter_map(|(id, check)| Some((id, check.as_str()?))) {
        // A known value is kept: a different one is refused below.
        known.entry(id.clone()).or_insert_with(|| check.to_owned());
    }
    write.registry.ring().permit(&known)?;
    record(write, KNOWN, json!(known)).await
}

/// Whether an error is about an abandoned key: then the secret is lost. Otherwise only this process lacks the key.
pub(crate) async fn is_key_abandoned(db: &impl ConnectionTrait, error: &Error) -> Result<bool> {
    let Error::KeyMissing(key) = error else { return Ok(false) };
    Ok(abandoned_keys(&recorded(db).await?).contains(key))
}

/// The abandoned keys.
pub(crate) fn abandoned_keys(recorded: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let ids = recorded.get(ABANDONED_KEYS).and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The keys that encrypt something, and how many secrets each encrypts.
pub(crate) async fn key_uses(db: &impl ConnectionTrait) -> Result<Vec<(String, i64)>> {
    let uses = sealed_value::Entity::find()
        .select_only()
        .column(sealed_value::Column::KeyId)
        .column_as(sealed_value::Column::Id.count(), "values")
        .group_by(sealed_value::Column::KeyId)
        .order_by_asc(sealed_value::Column::KeyId);
    Ok(uses.into_tuple().all(db).await?)
}

/// The keys that encrypt something.
pub(crate) async fn used_keys(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    let used = sealed_value::Entity::find().select_only().column(sealed_value::Column::KeyId).distinct();
    Ok(used.into_tuple().all(db).await?)
}

fn only_operator(actor: &Actor) -> Result<()> {
    if actor.origin.door == Channel::Cli {
        return Ok(());
    }
    Err(Error::Unauthenticated("Sealing keys are managed on the machine itself (`mcp-registry seal`)."))
}

/// The encrypted secret of a row.
pub(crate) fn sealed(row: sealed_value::Model) -> Sealed {
    Sealed { key_id: row.key_id, data_key: row.data_key, nonce: row.nonce, ciphertext: row.ciphertext }
}

fn after(select: Select<sealed_value::Entity>, last: Option<Uuid>) -> Select<sealed_value::Entity> {
    let select = select.order_by_asc(sealed_value::Column::Id).limit(BATCH_SIZE);
    match last {
        Some(last) => select.filter(sealed_value::Column::Id.gt(last)),
        None => select,
    }
}

/// Rows that rotation must re-encrypt.
fn old(primary: &str) -> Condition {
    Condition::any().add(sealed_value::Column::KeyId.ne(primary)).add(sealed_value::Column::DataKey.is_null())
}

/// Replaces a row that is still encrypted with `key`. Answers how many rows that were: 0 or 1.
async fn put(write: &Write<'_>, id: SealedId, key: &str, new: Sealed) -> Result<u64> {
    use sealed_value::Column as C;
    let done = sealed_value::Entity::update_many()
        .col_expr(C::KeyId, Expr::value(new.key_id))
        .col_expr(C::DataKey, Expr::value(new.data_key))
        .col_expr(C::Nonce, Expr::value(new.nonce))
        .col_expr(C::Ciphertext, Expr::value(new.ciphertext))
        .filter(C::Id.eq(id.0).and(C::KeyId.eq(key)))
        .exec(&write.txn)
        .await?;
    Ok(done.rows_affected)
}

/// What is lost with a secret that cannot be decrypted, and what to do.
async fn cost(db: &impl ConnectionTrait, kind: &str, owner: Uuid, pointer: &str) -> Result<String> {
    let enter = |what: String| format!("{what}: enter {pointer} again");
    Ok(match OwnerKind::parse(kind) {
        Some(OwnerKind::Organisation) => enter("the organisation's configuration".to_owned()),
        Some(OwnerKind::Integration) => {
            let found = integration::Entity::find_by_id(owner).one(db).await?;
            enter(format!("integration {}", found.map_or_else(|| owner.to_string(), |row| row.slug)))
        }
        Some(OwnerKind::Access) => {
            let found = access::Entity::find_by_id(owner).one(db).await?;
            let Some(found) = found else { return Ok(enter(format!("access {owner}"))) };
            let integration = integration::Entity::find_by_id(found.integration_id).one(db).await?;
            let workspace = workspace::Entity::find_by_id(found.workspace_id).one(db).await?;
            let slug = integration.map(|row| row.slug).unwrap_or_default();
            enter(format!(
                "integration {slug} in workspace {}",
                workspace.map(|row| row.slug).unwrap_or_default()
            ))
        }
        Some(OwnerKind::Server) => enter(format!("server {}", server_name(db, owner).await?)),
        Some(OwnerKind::Draft) => {
            let found = draft::Entity::find_by_id(owner).one(db).await?;
            enter(format!("draft {}", found.map_or_else(|| owner.to_string(), |row| row.slug)))
        }
        Some(OwnerKind::OauthClient) => {
            let client = oauth_client::Entity::find_by_id(owner).one(db).await?;
            let registration = match client {
                Some(client) => registration::Entity::find_by_id(client.registration_id).one(db).await?,
                None => None,
            };
            let Some(registration) = registration else { return Ok(format!("client {owner}: re-register")) };
            format!("client of server {}: re-register it", server_name(db, registration.server_id).await?)
        }
        Some(OwnerKind::Audit) => {
            "the key that signs checkpoints of the audit log: a new one is created".to_owned()
        }
        None => enter(format!("{kind} {owner}")),
    })
}

async fn server_name(db: &impl ConnectionTrait, id: Uuid) -> Result<String> {
    let Some(row) = server::Entity::find_by_id(id).one(db).await? else { return Ok(id.to_string()) };
    let workspace = workspace::Entity::find_by_id(row.workspace_id).one(db).await?;
    Ok(format!("{}/{}", workspace.map(|row| row.slug).unwrap_or_default(), row.slug))
}

impl Secrets<'_> {
    /// The id of the key that encrypts a sealed value, if this process has another key of that id.
    pub(crate) async fn wrong_key_of(
        self,
        db: &impl ConnectionTrait,
        id: SealedId,
    ) -> Result<Option<String>> {
        let Some(row) = sealed_value::Entity::find_by_id(id.0).one(db).await? else { return Ok(None) };
        let recorded = recorded(db).await?;
        let right =
            recorded.get(KEY_CHECK).and_then(|checks| checks.get(&row.key_id)).and_then(Value::as_str);
        let own = self.registry.ring().check_values().into_iter().find(|(key, _)| *key == row.key_id);
        let wrong = right.zip(own).is_some_and(|(right, (_, own))| right != own);
        Ok(wrong.then_some(row.key_id))
    }
}
