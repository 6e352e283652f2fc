//! API keys as the database stores them.

use crate::Result;
use crate::lookup::workspaces::WorkspaceRef;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, moment, word};
use crate::storage::entity::api_key;
use crate::storage::write::Event;
use registry_core::clock::Timestamp;
use registry_core::id::{ApiKeyId, UserId, WorkspaceId};
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
    /// Its kind, if it was created as one of the hosted product's kinds.
    pub kind: Option<ApiKeyKind>,
    /// The user that it is for; `None`: it is for a program.
    pub user: Option<UserId>,
    /// When name, scopes or expiry were last changed.
    pub updated_at: Option<Timestamp>,
}

/// The kinds of keys of the hosted product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyKind {
    /// Of a program, in the whole organisation.
    OrganisationService,
    /// Of a user, in the whole organisation.
    OrganisationUser,
    /// Of a program, in one workspace.
    WorkspaceService,
    /// Of a user, in one workspace.
    WorkspaceUser,
}

impl ApiKeyKind {
    const ALL: [Self; 4] =
        [Self::OrganisationService, Self::OrganisationUser, Self::WorkspaceService, Self::WorkspaceUser];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrganisationService => "organisation-service",
            Self::OrganisationUser => "organisation-user",
            Self::WorkspaceService => "workspace-service",
            Self::WorkspaceUser => "workspace-user",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether keys of this kind belong to a user.
    pub fn is_for_user(self) -> bool {
        matches!(self, Self::OrganisationUser | Self::WorkspaceUser)
    }

    /// Whether keys of this kind are bound to a workspace.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::WorkspaceService | Self::WorkspaceUser)
    }

    /// The role that the scopes of a key of this kind narrow.
    pub fn role(self) -> Role {
        match self {
            Self::OrganisationService => Role::Admin,
            Self::WorkspaceService => Role::Manager,
            // What a user may change is decided when the user signs in.
            Self::OrganisationUser | Self::WorkspaceUser => Role::Viewer,
        }
    }
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
        kind: model
            .kind
            .map(|kind| word(ApiKeyKind::parse, &kind, "api_key", "kind", model.id))
            .transpose()?,
        user: model.user_id.map(UserId),
        updated_at: model.updated_at.map(moment),
    })
}

pub(crate) fn event(action: AuditAction, model: &api_key::Model) -> Event {
    Event::new(action, "api_key", model.id)
        .named(&model.name)
        .in_workspace(model.workspace_id.map(WorkspaceId))
}
