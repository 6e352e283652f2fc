//! An API key as rows hold it.

use crate::Result;
use crate::lookup::workspaces::WorkspaceRef;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, moment, word};
use crate::storage::entity::api_key;
use crate::storage::write::Event;
use registry_core::clock::Timestamp;
use registry_core::id::{ApiKeyId, WorkspaceId};
use registry_core::permission::Role;

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
    /// Why it never ends, or whatever else its maker wrote down.
    pub reason: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The address it was last used from.
    pub last_address: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that took its place when it was rotated.
    pub replaced_by: Option<ApiKeyId>,
    /// The key that made it; `None`: a person, a token or the operator did.
    pub made_by: Option<ApiKeyId>,
}

impl ApiKey {
    /// Whether it works at `now`.
    pub fn works(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

pub(crate) fn into_key(model: api_key::Model, workspace: Option<WorkspaceRef>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId(model.id),
        role: word(Role::parse, &model.role, "api_key", "role", model.id)?,
        scopes: json(&model.scopes, "api_key", "scopes", model.id)?,
        name: model.name,
        prefix: model.prefix,
        workspace,
        expires_at: model.expires_at.map(moment),
        reason: model.reason,
        last_used_at: model.last_used_at.map(moment),
        last_address: model.last_address,
        created_by: model.created_by,
        created_at: moment(model.created_at),
        revoked_at: model.revoked_at.map(moment),
        replaced_by: model.replaced_by.map(ApiKeyId),
        made_by: model.made_by.map(ApiKeyId),
    })
}

pub(crate) fn event(action: AuditAction, model: &api_key::Model) -> Event {
    Event::new(action, "api_key", model.id)
        .named(&model.name)
        .in_workspace(model.workspace_id.map(WorkspaceId))
}
