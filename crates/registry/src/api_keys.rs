//! API keys: `mcpr_`, 30 random base62 characters, a 6-character checksum. Only a hash is kept.

use crate::entity::{api_key, workspace};
use crate::page::{self, Page, PageRequest};
use crate::stored::{json, millis, moment, word};
use crate::workspaces::{self, WorkspaceRef};
use crate::write::Event;
use crate::{Actor, Error, Registry, Result, names};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::{ApiKeyId, WorkspaceId};
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const PREFIX: &str = "mcpr_";
const RANDOM: usize = 30;
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key, without the key itself.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name for people; the name in history and audit.
    pub name: String,
    /// The first nine characters, to recognise it by.
    pub prefix: String,
    /// What it may do.
    pub role: Role,
    /// Narrows the role, if any are given.
    pub scopes: Vec<String>,
    /// The workspace it is bound to.
    pub workspace: Option<WorkspaceRef>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What is needed to make a key.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// 1 to 255 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Narrows the role (see `Permission::scope`); empty: all the role may do.
    pub scopes: Vec<String>,
    /// Binds it to one workspace.
    pub workspace: Option<Reference>,
    /// When it stops working; must be in the future.
    pub expires_at: Option<Timestamp>,
}

/// A new key, the only time it is shown.
#[derive(Clone)]
pub struct CreatedApiKey {
    /// The key itself.
    pub key: String,
    /// Everything else.
    pub record: ApiKey,
}

impl std::fmt::Debug for CreatedApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CreatedApiKey({:?})", self.record)
    }
}

impl Registry {
    /// Makes a key.
    pub async fn create_api_key(&self, actor: &Actor, new: NewApiKey) -> Result<CreatedApiKey> {
        actor.require_organisation(Permission::ManageKeys)?;
        let name = names::name(&new.name, "/name")?;
        for (index, scope) in new.scopes.iter().enumerate() {
            if !ALL_PERMISSIONS.iter().any(|permission| permission.scope() == scope) {
                return Err(Error::invalid(Finding::error(
                    format!("/scopes/{index}"),
                    "unknown_scope",
                    format!(
                        "There is no such scope. Use some of: {}.",
                        ALL_PERMISSIONS.map(Permission::scope).join(", ")
                    ),
                )));
            }
        }
        if new.expires_at.is_some_and(|moment| moment <= self.now()) {
            return Err(Error::invalid(Finding::error(
                "/expires_at",
                "invalid_value",
                "`expires_at` must be in the future.",
            )));
        }
        let mut write = self.begin_write(actor).await?;
        let workspace = match &new.workspace {
            Some(reference) => Some(workspaces::find(&write.txn, actor, reference).await?),
            None => None,
        };
        let key = generate()?;
        let model = api_key::Model {
            id: self.new_id(),
            name,
            prefix: key[..PREFIX.len() + 4].to_owned(),
            key_hash: hash(&key),
            role: new.role.as_str().to_owned(),
            scopes: serde_json::to_string(&new.scopes)?,
            workspace_id: workspace.as_ref().map(|workspace| workspace.id),
            expires_at: new.expires_at.map(millis),
            last_used_at: None,
            created_by: write.actor_name(),
            created_at: write.millis(),
            revoked_at: None,
        };
        model.clone().into_active_model().reset_all().insert(&write.txn).await?;
        write.audit(event("api_key.created", &model).after(serde_json::json!({
            "name": model.name, "prefix": model.prefix, "role": model.role, "scopes": new.scopes,
        })));
        write.identities_changed();
        write.commit().await?;
        let workspace = workspace.as_ref().map(workspaces::as_ref).transpose()?;
        Ok(CreatedApiKey { key, record: into_key(model, workspace)? })
    }

    /// Keys, newest first, revoked ones too.
    pub async fn api_keys(&self, actor: &Actor, request: PageRequest) -> Result<Page<ApiKey>> {
        actor.require_organisation(Permission::ManageKeys)?;
        let select = api_key::Entity::find().order_by_desc(api_key::Column::Id);
        let page = page::fetch(self.db(), select, request).await?;
        let ids: Vec<_> = page.items.iter().filter_map(|model| model.workspace_id).collect();
        let workspaces: HashMap<_, _> = workspace::Entity::find()
            .filter(workspace::Column::Id.is_in(ids))
            .all(self.db())
            .await?
            .into_iter()
            .map(|model| (model.id, model))
            .collect();
        page.try_map(|model| {
            let workspace =
                model.workspace_id.and_then(|id| workspaces.get(&id)).map(workspaces::as_ref).transpose()?;
            into_key(model, workspace)
        })
    }

    /// One key.
    pub async fn api_key(&self, actor: &Actor, id: ApiKeyId) -> Result<ApiKey> {
        actor.require_organisation(Permission::ManageKeys)?;
        let missing = || Error::not_found("API key", id);
        let model = api_key::Entity::find_by_id(id.0).one(self.db()).await?.ok_or_else(missing)?;
        let workspace = match model.workspace_id {
            Some(id) => workspace::Entity::find_by_id(id).one(self.db()).await?,
            None => None,
        };
        into_key(model, workspace.as_ref().map(workspaces::as_ref).transpose()?)
    }

    /// Ends a key at once. Revoking a revoked key does nothing.
    pub async fn revoke_api_key(&self, actor: &Actor, id: ApiKeyId) -> Result<()> {
        actor.require_organisation(Permission::ManageKeys)?;
        let mut write = self.begin_write(actor).await?;
        let missing = || Error::not_found("API key", id);
        let model = api_key::Entity::find_by_id(id.0).one(&write.txn).await?.ok_or_else(missing)?;
        if model.revoked_at.is_none() {
            let mut gone = model.clone().into_active_model();
            gone.revoked_at = Set(Some(write.millis()));
            gone.update(&write.txn).await?;
            write.audit(event("api_key.revoked", &model));
            write.identities_changed();
        }
        write.commit().await
    }

    /// The actor behind a key.
    pub(crate) async fn actor_of_key(&self, key: &str, origin: crate::Origin) -> Result<Actor> {
        let refused =
            || Error::Unauthenticated("This API key is not valid: it is unknown, expired or revoked.");
        if !checksum_holds(key) {
            return Err(refused());
        }
        let model = api_key::Entity::find()
            .filter(api_key::Column::KeyHash.eq(hash(key)))
            .one(self.db())
            .await?
            .ok_or_else(refused)?;
        let now = millis(self.now());
        if model.revoked_at.is_some() || model.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(refused());
        }
        // To the minute: a write for every request would make reading as dear as writing.
        if model.last_used_at.is_none_or(|last| now - last > 60_000) {
            let mut used = model.clone().into_active_model();
            used.last_used_at = Set(Some(now));
            if let Err(error) = used.update(self.db()).await {
                tracing::warn!(%error, "the last use of an API key could not be recorded");
            }
        }
        Ok(Actor {
            kind: "api_key",
            id: Some(model.id.to_string()),
            role: word(Role::parse, &model.role, "api_key", "role", model.id)?,
            scopes: json(&model.scopes, "api_key", "scopes", model.id)?,
            workspace: model.workspace_id.map(WorkspaceId),
            name: model.name,
            origin,
        })
    }
}

/// Whether a credential is meant to be an API key.
pub(crate) fn looks_like_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

const ALL_PERMISSIONS: [Permission; 14] = [
    Permission::ReadWorkspaces,
    Permission::WriteWorkspaces,
    Permission::ReadIntegrations,
    Permission::WriteIntegrations,
    Permission::ReadServers,
    Permission::WriteServers,
    Permission::ReadOrganisation,
    Permission::WriteOrganisation,
    Permission::CheckConfiguration,
    Permission::ReadRegistrations,
    Permission::OperateRegistrations,
    Permission::ManageKeys,
    Permission::ReadAudit,
    Permission::FetchGatewayDocument,
];

/// A token of `length` base62 characters with about 5.95 bits each.
pub(crate) fn random_base62(length: usize) -> Result<String> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
        // 248 is the largest multiple of 62 below 256: without the rest every character is equally likely.
        let usable =
            bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(usable.take(length - text.len()));
    }
    Ok(text)
}

fn generate() -> Result<String> {
    let body = format!("{PREFIX}{}", random_base62(RANDOM)?);
    let sum = checksum(&body);
    Ok(body + &sum)
}

/// A checksum lets secret scanners and us tell a mistyped key without asking the database.
fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().take(CHECKSUM).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])).collect()
}

fn checksum_holds(key: &str) -> bool {
    key.is_ascii()
        && key.len() == PREFIX.len() + RANDOM + CHECKSUM
        && checksum(&key[..PREFIX.len() + RANDOM]) == key[PREFIX.len() + RANDOM..]
}

/// A key has 178 random bits, so a plain hash cannot be searched backwards.
fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

fn into_key(model: api_key::Model, workspace: Option<WorkspaceRef>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId(model.id),
        role: word(Role::parse, &model.role, "api_key", "role", model.id)?,
        scopes: json(&model.scopes, "api_key", "scopes", model.id)?,
        name: model.name,
        prefix: model.prefix,
        workspace,
        expires_at: model.expires_at.map(moment),
        last_used_at: model.last_used_at.map(moment),
        created_by: model.created_by,
        created_at: moment(model.created_at),
        revoked_at: model.revoked_at.map(moment),
    })
}

fn event(action: &'static str, model: &api_key::Model) -> Event {
    Event::new(action, "api_key", model.id)
        .named(&model.name)
        .in_workspace(model.workspace_id.map(WorkspaceId))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_a_checksum() {
        let key = generate().unwrap();
        assert!(checksum_holds(&key));
        assert_eq!(key.len(), 41);
        let mut wrong = key.clone().into_bytes();
        wrong[10] = if wrong[10] == b'a' { b'b' } else { b'a' };
        assert!(!checksum_holds(&String::from_utf8(wrong).unwrap()));
        assert!(!checksum_holds("mcpr_é"));
        assert_ne!(key, generate().unwrap());
    }
}
