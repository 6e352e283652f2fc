//! Rotation of an API key: a new key beside the old one, which stays valid for a day.

use crate::identity::ApiKeys;
use crate::identity::api_keys::api_key::{CreatedApiKey, require_scopes};
use crate::identity::api_keys::chain;
use crate::identity::api_keys::format::{beginning, generate, hash};
use crate::identity::api_keys::record::{event, into_key};
use crate::lookup::workspaces;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, millis};
use crate::storage::entity::{api_key, workspace};
use crate::{Actor, ConflictCode, Error, Result};
use chrono::Duration;
use registry_core::id::ApiKeyId;
use registry_core::permission::Permission;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

/// How long the old key stays valid.
const OVERLAP: Duration = Duration::hours(24);

impl ApiKeys<'_> {
    /// Creates a key with the same name, role, scopes, workspace and lifetime, which expires no later than the
    /// credential of the caller: a key cannot prolong itself. The old key stays valid for 24 hours, or until it expires
    /// if that is sooner.
    pub async fn rotate(self, actor: &Actor, id: ApiKeyId) -> Result<CreatedApiKey> {
        actor.require_organisation(Permission::ManageKeys)?;
        let mut write = self.registry.begin_write(actor).await?;
        let missing = || Error::not_found("API key", id);
        let old = api_key::Entity::find_by_id(id.0).one(&write.txn).await?.ok_or_else(missing)?;
        let scopes: Vec<String> = json(&old.scopes, "api_key", "scopes", old.id)?;
        require_scopes(actor, &scopes, old.workspace_id.is_some())?;
        let now = write.millis();
        if old.revoked_at.is_some() || old.expires_at.is_some_and(|end| end <= now) {
            return Err(conflict(
                ConflictCode::KeyEnded,
                "This key is revoked or expired. Create a new one instead.",
            ));
        }
        if old.replaced_by.is_some() {
            let message = "This key was rotated already. Rotate the key that replaced it.";
            return Err(conflict(ConflictCode::KeyReplaced, message));
        }
        let workspace = match old.workspace_id {
            Some(id) => workspace::Entity::find_by_id(id).one(&write.txn).await?,
            None => None,
        };
        let (expires_at, finding) = chain::end_of_rotated(actor, &old, now);
        let key = generate()?;
        let new = api_key::Model {
            id: self.registry.new_id(),
            prefix: beginning(&key).to_owned(),
            key_hash: hash(&key),
            expires_at,
            // The caller who rotates a key knows the new key.
            made_by: chain::key_of(actor).filter(|maker| *maker != old.id).or(old.made_by),
            last_used_at: None,
            last_address: None,
            created_by: write.actor_name(),
            created_at: now,
            updated_at: None,
            ..old.clone()
        };
        new.clone().into_active_model().reset_all().insert(&write.txn).await?;
        let ends = millis(write.now + OVERLAP);
        let mut replaced = old.clone().into_active_model();
        replaced.replaced_by = Set(Some(new.id));
        replaced.expires_at = Set(Some(old.expires_at.map_or(ends, |end| end.min(ends))));
        replaced.update(&write.txn).await?;
        write.audit(
            event(AuditAction::ApiKeyRotated, &old)
                .before(serde_json::json!({ "id": old.id, "prefix": old.prefix }))
                .after(serde_json::json!({ "id": new.id, "prefix": new.prefix })),
        );
        write.identities_changed();
        write.commit().await?;
        let workspace = workspace.as_ref().map(workspaces::as_ref).transpose()?;
        Ok(CreatedApiKey { key, record: into_key(new, workspace)?, findings: finding.into_iter().collect() })
    }
}

fn conflict(code: ConflictCode, message: &str) -> Error {
    Error::Conflict { code, message: message.to_owned(), pointer: None }
}
