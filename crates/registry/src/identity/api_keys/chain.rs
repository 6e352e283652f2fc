//! Keys that make keys: what a caller makes ends with the caller, and a key is revoked together with all that came of it.

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

/// When a new key ends: as asked, and no later than its maker. The finding says so where nothing was asked.
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
                "Your own key or token ends at {}, and a key ends no later than what makes it. Choose an earlier moment, or use a key that lasts longer.",
                shown(until)
            ),
        ))),
    }
}

/// When a rotated key ends: its life begins again, but lasts no longer than what the caller shows.
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
        format!("The key ends at {}, when the key or token ends that made it.", shown(until)),
    )
}

fn shown(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The id of the key that the caller shows.
pub(crate) fn key_of(actor: &Actor) -> Option<Uuid> {
    actor.id.as_deref().filter(|_| actor.kind == "api_key").and_then(|id| Uuid::parse_str(id).ok())
}

impl ApiKeys<'_> {
    /// The keys that came of a key and still work: it made or rotated them, or one of those did.
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

    /// Ends a key at once, and with `made` all that came of it; says how many keys that ended. Revoking a revoked key does
    /// nothing, but with `made` what came of it ends.
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

/// Everything that came of a key, itself left out.
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
