//! People: who there is.

use crate::entity::{user, workspace};
use crate::page::{self, Page, PageRequest};
use crate::stored::{moment, word};
use crate::workspaces::{self, WorkspaceRef};
use crate::{Actor, Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::UserId;
use registry_core::permission::{Permission, Role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use std::collections::HashMap;
use uuid::Uuid;

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// What they sign in with.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The one workspace they are bound to; `None` for the whole organisation.
    pub workspace: Option<WorkspaceRef>,
    /// Whether they set a password.
    pub has_password: bool,
    /// When they were made known.
    pub created_at: Timestamp,
    /// When they last signed in; `None`: invited, and never came.
    pub last_sign_in_at: Option<Timestamp>,
    /// Since when they may not come in any more.
    pub deactivated_at: Option<Timestamp>,
}

impl Registry {
    /// Everybody, by name.
    pub async fn people(&self, actor: &Actor, request: PageRequest) -> Result<Page<User>> {
        actor.require_organisation(Permission::ManagePeople)?;
        let select = user::Entity::find().order_by_asc(user::Column::Name).order_by_asc(user::Column::Id);
        let page = page::fetch(self.db(), select, request).await?;
        let ids: Vec<_> = page.items.iter().filter_map(|row| row.workspace_id).collect();
        let rows = workspace::Entity::find().filter(workspace::Column::Id.is_in(ids)).all(self.db()).await?;
        let workspaces: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        page.try_map(|row| {
            let workspace = row.workspace_id.and_then(|id| workspaces.get(&id));
            into_user(row, workspace.map(workspaces::as_ref).transpose()?)
        })
    }

    /// One person.
    pub async fn person(&self, actor: &Actor, id: UserId) -> Result<User> {
        actor.require_organisation(Permission::ManagePeople)?;
        let row = user::Entity::find_by_id(id.0).one(self.db()).await?;
        self.with_workspace(row.ok_or_else(|| Error::not_found("person", id))?).await
    }

    /// The person behind the caller.
    pub async fn current_user(&self, actor: &Actor) -> Result<User> {
        self.with_workspace(self.user_row(actor).await?).await
    }

    pub(crate) async fn with_workspace(&self, row: user::Model) -> Result<User> {
        let workspace = match row.workspace_id {
            Some(id) => workspace::Entity::find_by_id(id).one(self.db()).await?,
            None => None,
        };
        into_user(row, workspace.as_ref().map(workspaces::as_ref).transpose()?)
    }

    pub(crate) async fn user_row(&self, actor: &Actor) -> Result<user::Model> {
        let missing = || Error::not_found("user", actor.name());
        let id = actor.id.as_deref().filter(|_| actor.kind == "user").ok_or_else(missing)?;
        let id = Uuid::parse_str(id).map_err(|_| missing())?;
        user::Entity::find_by_id(id).one(self.db()).await?.ok_or_else(missing)
    }
}

/// What tells e-mail addresses apart.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

fn into_user(row: user::Model, workspace: Option<WorkspaceRef>) -> Result<User> {
    Ok(User {
        id: UserId(row.id),
        role: word(Role::parse, &row.role, "user", "role", row.id)?,
        email: row.email,
        name: row.name,
        workspace,
        has_password: row.password_hash.is_some(),
        created_at: moment(row.created_at),
        last_sign_in_at: row.last_sign_in_at.map(moment),
        deactivated_at: row.deactivated_at.map(moment),
    })
}
