//! API keys as the database stores them.

use crate::Result;
use crate::lookup::workspaces::WorkspaceRef;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, moment};
use crate::storage::entity::api_key;
use crate::storage::write::Event;
use registry_core::clock::Timestamp;
use registry_core::id::{ApiKeyId, WorkspaceId};
use registry_core::permission::Role;

/// An API key without its text.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Id of the key.
    pub id: ApiKeyId,
    /// Name for display, in revisions and in the audit log.
    pub name: String,
    /// The first nine characters, for display.
    pub prefix: String,
    /// The role.
    pub role: Role,
    /// Scopes that narrow the role; empty: all that the role allows.
    pub scopes: Vec<String>,
    /// The workspace that the key is bound to; `None`: the whole organisation.
    pub workspace: Option<WorkspaceRef>,
    /// When it expires; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Free text of its creator.
    pub reason: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// IP address of the last use.
    pub last_address: Option<String>,
    /// Name of the actor who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that replaced it in a rotation.
    pub replaced_by: Option<ApiKeyId>,
    /// The key that created it; `None`: a user, a token or the operator did.
    pub made_by: Option<ApiKeyId>,
}

impl ApiKey {
    /// Whether it is valid at `now`.
    pub fn works(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

pub(crate) fn into_key(model: api_key::Model, workspace: Option<WorkspaceRef>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId(model.id),
        role: model.role()?,
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
