//! Keys that create keys: a new key expires no later than its creator, and a key can be revoked together with all keys
//! that it created.

use crate::identity::ApiKeys;
use crate::identity::api_keys::record::{ApiKey, event};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::entity::api_key;
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::ApiKeyId;
use registry_core::permission::Permission;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect,
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// When a new key expires: as requested, but no later than its creator. The finding tells it where no expiry was
/// requested.
pub(crate) fn end_of(
    actor: &Actor,
    asked: Option<Timestamp>,
) -> Result<(Option<Timestamp>, Option<Finding>)> {
    let Some(until) = actor.until else { return Ok((asked, None)) };
    match asked {
        None => Ok((Some(until), Some(shortened(until)))),
        Some(end) if end <= until => Ok((Some(end), None)),
        Some(_) => Err(Error::invalid(Finding::error(
            "/expires_at",
            "outlives_maker",
            format!(
                "Your own key or token expires at {}, and a key expires no later than the one that creates it. Choose an earlier time, or use a key that lasts longer.",
                shown(until)
            ),
        ))),
    }
}

/// When a rotated key expires: its lifetime begins again, but ends no later than the credential of the caller.
pub(crate) fn end_of_rotated(
    actor: &Actor,
    old: &api_key::Model,
    now: i64,
) -> (Option<i64>, Option<Finding>) {
    let renewed = old.expires_at.map(|end| now + (end - old.created_at));
    match actor.until {
        Some(until) if renewed.is_none_or(|end| end > millis(until)) => {
            (Some(millis(until)), Some(shortened(until)))
        }
        _ => (renewed, None),
    }
}

fn shortened(until: Timestamp) -> Finding {
    Finding::notice(
        "/expires_at",
        "ends_with_maker",
        format!("The key expires at {}, together with the key or token that created it.", shown(until)),
    )
}

fn shown(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The id of the API key of the caller, if it is one.
pub(crate) fn key_of(actor: &Actor) -> Option<Uuid> {
    actor.id.as_deref().filter(|_| actor.kind == "api_key").and_then(|id| Uuid::parse_str(id).ok())
}

impl ApiKeys<'_> {
    /// The valid keys that descend from a key: it created or rotated them, or one of its descendants did.
    pub async fn made_by(self, actor: &Actor, id: ApiKeyId) -> Result<Vec<ApiKey>> {
        actor.require_organisation(Permission::ManageKeys)?;
        let ids = descendants(self.registry.db(), id.0).await?;
        let now = self.registry.now();
        let mut rows = Vec::new();
        for chunk in ids.chunks(10_000) {
            let some = api_key::Entity::find().filter(api_key::Column::Id.is_in(chunk.iter().copied()));
            rows.extend(some.all(self.registry.db()).await?);
        }
        let mut found = self.show(rows).await?;
        found.retain(|key| key.works(now));
        found.sort_by_key(|key| std::cmp::Reverse(key.id.0));
        Ok(found)
    }

    /// Revokes a key, and with `made` all its descendants. Answers how many keys were revoked. Revoking a revoked key
    /// changes nothing, except its descendants with `made`.
    pub async fn revoke(self, actor: &Actor, id: ApiKeyId, made: bool) -> Result<u64> {
        actor.require_organisation(Permission::ManageKeys)?;
        let mut write = self.registry.begin_write(actor).await?;
        let missing = || Error::not_found("API key", id);
        api_key::Entity::find_by_id(id.0).one(&write.txn).await?.ok_or_else(missing)?;
        let mut ids = vec![id.0];
        if made {
            ids.extend(descendants(&write.txn, id.0).await?);
        }
        let mut ended = 0;
        for chunk in ids.chunks(10_000) {
            let rows = api_key::Entity::find()
                .filter(api_key::Column::Id.is_in(chunk.iter().copied()))
                .filter(api_key::Column::RevokedAt.is_null())
                .all(&write.txn)
                .await?;
            for model in rows {
                let mut gone = model.clone().into_active_model();
                gone.revoked_at = Set(Some(write.millis()));
                gone.update(&write.txn).await?;
                let mut revoked = event(AuditAction::ApiKeyRevoked, &model);
                if model.id != id.0 {
                    revoked = revoked.after(serde_json::json!({ "with": id }));
                }
                write.audit(revoked);
                ended += 1;
            }
        }
        if ended > 0 {
            write.identities_changed();
        }
        write.commit().await?;
        Ok(ended)
    }
}

/// All descendants of a key, without the key itself.
async fn descendants(db: &impl ConnectionTrait, id: Uuid) -> Result<Vec<Uuid>> {
    use api_key::Column as C;
    let rows: Vec<(Uuid, Option<Uuid>, Option<Uuid>)> = api_key::Entity::find()
        .select_only()
        .columns([C::Id, C::MadeBy, C::ReplacedBy])
        .filter(Condition::any().add(C::MadeBy.is_not_null()).add(C::ReplacedBy.is_not_null()))
        .into_tuple()
        .all(db)
        .await?;
    let mut next: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (key, made_by, replaced_by) in rows {
        if let Some(maker) = made_by {
            next.entry(maker).or_default().push(key);
        }
        if let Some(successor) = replaced_by {
            next.entry(key).or_default().push(successor);
        }
    }
    let (mut seen, mut open, mut found) = (HashSet::from([id]), vec![id], Vec::new());
    while let Some(key) = open.pop() {
        for child in next.remove(&key).unwrap_or_default() {
            if seen.insert(child) {
                found.push(child);
                open.push(child);
            }
        }
    }
    Ok(found)
}
