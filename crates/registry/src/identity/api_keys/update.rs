//! Changes of an API key: name, scopes, expiry, description.

use crate::identity::ApiKeys;
use crate::identity::api_keys::api_key::{check_scopes, require_scopes};
use crate::identity::api_keys::chain;
use crate::identity::api_keys::record::{ApiKey, event};
use crate::lookup::naming;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, millis, moment};
use crate::storage::entity::api_key;
use crate::{Actor, ConflictCode, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::ApiKeyId;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

/// Changes of a key; `None` keeps the present value.
#[derive(Clone, Debug, Default)]
pub struct ApiKeyChange {
    /// 1 to 255 characters.
    pub name: Option<String>,
    /// All its scopes; at least one where it has some.
    pub scopes: Option<Vec<String>>,
    /// Free text, at most 500 characters.
    pub reason: Patch<String>,
    /// When it expires; must be in the future. Cleared: never, or with the credential of the caller.
    pub expires_at: Patch<Timestamp>,
}

impl ApiKeys<'_> {
    /// Changes a key, in force with its next request. A caller with scopes changes only keys that may do no more than it
    /// may, before and after; a caller whose credential expires lets no key expire later.
    pub async fn update(self, actor: &Actor, id: ApiKeyId, change: ApiKeyChange) -> Result<ApiKey> {
        actor.require_organisation(Permission::ManageKeys)?;
        let mut write = self.registry.begin_write(actor).await?;
        let missing = || Error::not_found("API key", id);
        let before = api_key::Entity::find_by_id(id.0).one(&write.txn).await?.ok_or_else(missing)?;
        let is_bound = before.workspace_id.is_some();
        let scopes: Vec<String> = json(&before.scopes, "api_key", "scopes", before.id)?;
        require_scopes(actor, &scopes, is_bound)?;
        if before.revoked_at.is_some() || before.expires_at.is_some_and(|end| end <= write.millis()) {
            return Err(Error::Conflict {
                code: ConflictCode::KeyEnded,
                message: "This key is revoked or expired. Create a new one instead.".to_owned(),
                pointer: None,
            });
        }
        let mut after = before.clone();
        if let Some(name) = change.name {
            after.name = naming::name(&name, "/name")?;
        }
        if let Some(wanted) = change.scopes.filter(|wanted| *wanted != scopes) {
            check_scopes(&wanted)?;
            require_scopes(actor, &wanted, is_bound)?;
            if wanted.is_empty() {
                return Err(Error::invalid(Finding::error(
                    "/scopes",
                    "empty_value",
                    "Without scopes the key could do everything that its role allows. Name at least one scope, or create such a key.",
                )));
            }
            after.scopes = serde_json::to_string(&wanted)?;
        }
        if let Some(reason) = change.reason.change() {
            let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            if reason.as_ref().is_some_and(|text| text.chars().count() > 500) {
                let message = "The description has more than 500 characters.";
                return Err(Error::invalid(Finding::error("/description", "too_long", message)));
            }
            after.reason = reason;
        }
        if let Some(end) = change.expires_at.change()
            && end.map(millis) != before.expires_at
        {
            if end.is_some_and(|end| end <= write.now) {
                let message = "`expires_at` must be in the future.";
                return Err(Error::invalid(Finding::error("/expires_at", "invalid_value", message)));
            }
            after.expires_at = chain::end_of(actor, end)?.0.map(millis);
        }
        if after != before {
            after.updated_at = Some(write.millis());
            after.clone().into_active_model().reset_all().update(&write.txn).await?;
            let event = event(AuditAction::ApiKeyUpdated, &after);
            write.audit(event.before(shown(&before)?).after(shown(&after)?));
            write.identities_changed();
        }
        write.commit().await?;
        self.get(actor, id).await
    }
}

fn shown(key: &api_key::Model) -> Result<Value> {
    let scopes: Vec<String> = json(&key.scopes, "api_key", "scopes", key.id)?;
    Ok(json!({
        "name": key.name, "scopes": scopes, "reason": key.reason, "expires_at": key.expires_at.map(moment),
    }))
}
