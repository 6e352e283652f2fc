//! API keys of automation and gateways: creating, listing, authenticating. Only the hash of a key is stored; the text
//! format is in `format`.

use crate::identity::ApiKeys;
use crate::identity::api_keys::chain;
use crate::identity::api_keys::format::{beginning, checksum_holds, generate, hash};
use crate::identity::api_keys::record::{ApiKey, ApiKeyKind, event, into_key};
use crate::lookup::api_keys::actor;
use crate::lookup::{naming, workspaces};
use crate::pagination::{ListOrder, Page, PageRequest, Total};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::entity::{api_key, user, workspace};
use crate::storage::write::Write;
use crate::{Actor, ConflictCode, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::{ApiKeyId, UserId, WorkspaceId};
use registry_core::permission::{INVOKE, Permission, Role, SCOPES, is_hosted_scope, is_scope, scope_names};
use registry_core::slug::Reference;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, IntoSimpleExpr, Order,
    QueryFilter,
};
use std::collections::HashMap;
use uuid::Uuid;

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// 1 to 255 characters.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Narrows the role (see `Permission::scope`); empty: all the role may do.
    pub scopes: Vec<String>,
    /// The workspace that the key is bound to; `None`: the whole organisation.
    pub workspace: Option<Reference>,
    /// When it expires; must be in the future.
    pub expires_at: Option<Timestamp>,
    /// Free text, at most 500 characters.
    pub reason: Option<String>,
}

/// Which keys to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiKeyFilter {
    /// `Some(true)`: only revoked or expired keys; `Some(false)`: only valid ones.
    pub ended: Option<bool>,
    /// Only keys that are bound to this workspace.
    pub workspace: Option<WorkspaceId>,
}

/// A new key; the only time that its text is shown.
#[derive(Clone)]
pub struct CreatedApiKey {
    /// The text of the key. A secret.
    pub key: String,
    /// The key without its text.
    pub record: ApiKey,
    /// What the caller may not expect: that the key expires with the key or token that created it.
    pub findings: Vec<Finding>,
}

impl std::fmt::Debug for CreatedApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CreatedApiKey({:?})", self.record)
    }
}

impl ApiKeys<'_> {
    /// Creates a key of one of the hosted product's kinds, which decides its role. Without scopes it may call through
    /// gateways, nothing else. A key of a user is revoked when the user is deactivated.
    pub async fn create_of_kind(
        self,
        actor: &Actor,
        new: NewApiKey,
        kind: ApiKeyKind,
        user: Option<UserId>,
    ) -> Result<CreatedApiKey> {
        let refuse = |pointer: &'static str, code: &'static str, why: &str| {
            Err(Error::invalid(Finding::error(pointer, code, why.to_owned())))
        };
        if kind.is_bound() != new.workspace.is_some() {
            return if kind.is_bound() {
                refuse("/workspace_id", "missing_member", "Name the workspace that the key is bound to.")
            } else {
                let why = "A key of the organisation is bound to no workspace. Leave this out, or create a key of a workspace.";
                refuse("/workspace_id", "invalid_value", why)
            };
        }
        if kind.is_for_user() && user.is_none() {
            return refuse("/user_id", "missing_member", "Name the user that the key is for.");
        }
        let mut new = NewApiKey { role: kind.role(), ..new };
        let mut findings = Vec::new();
        if new.scopes.is_empty() {
            new.scopes.push(INVOKE.to_owned());
            findings.push(Finding::notice(
                "/scopes",
                "scope_without_effect",
                "No scope was named: the key may call through gateways (`mcp.invoke`), and do nothing here.",
            ));
        }
        let user = user.filter(|_| kind.is_for_user());
        let mut made = self.insert(actor, new, Some((kind, user))).await?;
        made.findings.extend(findings);
        Ok(made)
    }

    /// Creates a key. A caller with scopes cannot create a key that may do more, and a caller whose key or token
    /// expires cannot create one that expires later.
    pub async fn create(self, actor: &Actor, new: NewApiKey) -> Result<CreatedApiKey> {
        self.insert(actor, new, None).await
    }

    async fn insert(
        self,
        actor: &Actor,
        new: NewApiKey,
        kind: Option<(ApiKeyKind, Option<UserId>)>,
    ) -> Result<CreatedApiKey> {
        actor.require_organisation(Permission::ManageKeys)?;
        let name = naming::name(&new.name, "/name")?;
        check_scopes(&new.scopes)?;
        require_scopes(actor, &new.scopes, new.workspace.is_some())?;
        let reason = new.reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.chars().count() > 500) {
            let message = "The reason has more than 500 characters.";
            return Err(Error::invalid(Finding::error("/reason", "too_long", message)));
        }
        if new.expires_at.is_some_and(|moment| moment <= self.registry.now()) {
            return Err(Error::invalid(Finding::error(
                "/expires_at",
                "invalid_value",
                "`expires_at` must be in the future.",
            )));
        }
        let (expires_at, finding) = chain::end_of(actor, new.expires_at)?;
        let mut findings = without_effect(&new.scopes);
        findings.extend(finding);
        let mut write = self.registry.begin_write(actor).await?;
        let user = kind.and_then(|(_, user)| user);
        if let Some(user) = user {
            require_user(&write, user).await?;
        }
        let workspace = match &new.workspace {
            Some(reference) => Some(workspaces::find(&write.txn, actor, reference).await?),
            None => None,
        };
        let key = generate()?;
        let model = api_key::Model {
            id: self.registry.new_id(),
            name,
            prefix: beginning(&key).to_owned(),
            key_hash: hash(&key),
            role: new.role.as_str().to_owned(),
            scopes: serde_json::to_string(&new.scopes)?,
            workspace_id: workspace.as_ref().map(|workspace| workspace.id),
            expires_at: expires_at.map(millis),
            last_used_at: None,
            last_address: None,
            created_by: write.actor_name(),
            created_at: write.millis(),
            revoked_at: None,
            reason,
            replaced_by: None,
            made_by: chain::key_of(actor),
            kind: kind.map(|(kind, _)| kind.as_str().to_owned()),
            user_id: user.map(|user| user.0),
            updated_at: None,
        };
        model.clone().into_active_model().reset_all().insert(&write.txn).await?;
        write.audit(event(AuditAction::ApiKeyCreated, &model).after(serde_json::json!({
            "name": model.name, "prefix": model.prefix, "role": model.role, "scopes": new.scopes,
            "expires_at": expires_at, "reason": model.reason, "made_by": model.made_by,
            "kind": model.kind, "user_id": model.user_id,
        })));
        write.identities_changed();
        write.commit().await?;
        let workspace = workspace.as_ref().map(workspaces::as_ref).transpose()?;
        Ok(CreatedApiKey { key, record: into_key(model, workspace)?, findings })
    }

    /// Keys, newest first.
    pub async fn list(
        self,
        actor: &Actor,
        filter: ApiKeyFilter,
        request: PageRequest,
    ) -> Result<Page<ApiKey>> {
        use api_key::Column::{ExpiresAt, RevokedAt};
        actor.require_organisation(Permission::ManageKeys)?;
        let now = millis(self.registry.now());
        let mut select = api_key::Entity::find();
        match filter.ended {
            Some(true) => select = select.filter(RevokedAt.is_not_null().or(ExpiresAt.lte(now))),
            Some(false) => {
                let lasting = ExpiresAt.is_null().or(ExpiresAt.gt(now));
                select = select.filter(RevokedAt.is_null()).filter(lasting);
            }
            None => {}
        }
        if let Some(workspace) = filter.workspace {
            select = select.filter(api_key::Column::WorkspaceId.eq(workspace.0));
        }
        let place = request.cursor.map(|cursor| vec![cursor.id().into()]);
        let (db, order) = (self.registry.db(), newest_first());
        let mut page = pagination::fetch_ordered(db, select, &order, place, request, Total::Counted).await?;
        let items = self.show(std::mem::take(&mut page.items)).await?;
        Ok(page.with_items(items))
    }

    /// Rows as keys, with their workspaces.
    pub(crate) async fn show(self, rows: Vec<api_key::Model>) -> Result<Vec<ApiKey>> {
        let ids: Vec<_> = rows.iter().filter_map(|model| model.workspace_id).collect();
        let workspaces: HashMap<_, _> = workspace::Entity::find()
            .filter(workspace::Column::Id.is_in(ids))
            .all(self.registry.db())
            .await?
            .into_iter()
            .map(|model| (model.id, model))
            .collect();
        rows.into_iter()
            .map(|model| {
                let workspace = model.workspace_id.and_then(|id| workspaces.get(&id));
                into_key(model, workspace.map(workspaces::as_ref).transpose()?)
            })
            .collect()
    }

    /// One key.
    pub async fn get(self, actor: &Actor, id: ApiKeyId) -> Result<ApiKey> {
        actor.require_organisation(Permission::ManageKeys)?;
        let missing = || Error::not_found("API key", id);
        let model = api_key::Entity::find_by_id(id.0).one(self.registry.db()).await?.ok_or_else(missing)?;
        let workspace = match model.workspace_id {
            Some(id) => workspace::Entity::find_by_id(id).one(self.registry.db()).await?,
            None => None,
        };
        into_key(model, workspace.as_ref().map(workspaces::as_ref).transpose()?)
    }

    /// The actor behind a key.
    pub(crate) async fn actor_of(
        self,
        key: &str,
        origin: crate::RequestContext,
    ) -> Result<(Actor, Uuid, Option<i64>)> {
        let refused =
            || Error::Unauthenticated("This API key is not valid: it is unknown, expired or revoked.");
        if !checksum_holds(key) {
            return Err(refused());
        }
        let model = api_key::Entity::find()
            .filter(api_key::Column::KeyHash.eq(hash(key)))
            .one(self.registry.db())
            .await?
            .ok_or_else(refused)?;
        let now = millis(self.registry.now());
        if model.revoked_at.is_some() || model.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(refused());
        }
        // To the minute: a write for each request would make reads as expensive as writes.
        if model.last_used_at.is_none_or(|last| now - last > 60_000) {
            let mut used = model.clone().into_active_model();
            used.last_used_at = Set(Some(now));
            used.last_address = Set(origin.address.clone());
            if let Err(error) = used.update(self.registry.db()).await {
                tracing::warn!(%error, "the last use of an API key could not be recorded");
            }
        }
        let (id, until) = (model.id, model.expires_at);
        Ok((actor(model, origin)?, id, until))
    }
}

/// By id, which is by time (UUIDv7).
fn newest_first() -> ListOrder<api_key::Model> {
    ListOrder { terms: vec![(api_key::Column::Id.into_simple_expr(), Order::Desc)], place: |row| (0, row.id) }
}

/// A notice for each scope that gives nothing here.
fn without_effect(scopes: &[String]) -> Vec<Finding> {
    let place = |index| format!("/scopes/{index}");
    let odd = scopes.iter().enumerate().filter(|(_, scope)| *scope != INVOKE && is_hosted_scope(scope));
    odd.map(|(index, scope)| {
        let why = format!("`{scope}` is kept with the key and gives nothing here.");
        Finding::notice(place(index), "scope_without_effect", why)
    })
    .collect()
}

/// Refuses a user who may not sign in.
async fn require_user(write: &Write<'_>, user: UserId) -> Result<()> {
    let row = user::Entity::find_by_id(user.0).one(&write.txn).await?;
    let row = row.ok_or_else(|| Error::not_found("user", user))?;
    if row.deactivated_at.is_some() {
        return Err(Error::Conflict {
            code: ConflictCode::PersonDeactivated,
            message: "This user is deactivated. Reactivate the user first.".to_owned(),
            pointer: None,
        });
    }
    Ok(())
}

/// Refuses unknown scopes.
pub(crate) fn check_scopes(scopes: &[String]) -> Result<()> {
    let Some(index) = scopes.iter().position(|scope| !is_scope(scope)) else { return Ok(()) };
    let all = scope_names().join(", ");
    Err(Error::invalid(Finding::error(
        format!("/scopes/{index}"),
        "unknown_scope",
        format!("There is no such scope. Use some of: {all}."),
    )))
}

/// Refuses a key that may do more than a caller with scopes. `bound`: whether the key is bound to a workspace, where
/// some scopes give other permissions.
pub(crate) fn require_scopes(actor: &Actor, scopes: &[String], bound: bool) -> Result<()> {
    let given = |scopes: &[String], bound| -> Vec<Permission> {
        let all = SCOPES.iter().flat_map(|(_, given)| *given).copied();
        all.filter(|permission| permission.is_given_by(scopes, bound)).collect()
    };
    let own = given(&actor.scopes, actor.workspace.is_some());
    let covered = !scopes.is_empty()
        && scopes.iter().all(|scope| actor.scopes.contains(scope))
        && given(scopes, bound).iter().all(|permission| own.contains(permission));
    if actor.scopes.is_empty() || covered {
        return Ok(());
    }
    Err(Error::Forbidden {
        needed: Permission::ManageKeys,
        message: format!(
            "A key can never do more than the one that creates it: give it some of the scopes {}.",
            actor.scopes.join(", ")
        ),
    })
}
