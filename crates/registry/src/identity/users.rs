//! People: who there is.

use crate::identity::memberships::{Membership, organisation_role};
use crate::identity::{Users, memberships};
use crate::pagination::{Page, PageRequest};
use crate::storage::columns::moment;
use crate::storage::entity::user;
use crate::{Actor, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::id::{UserId, WorkspaceId};
use registry_core::permission::{Permission, Role};
use sea_orm::{EntityTrait, QueryOrder};
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
    /// What they may do in the whole organisation, if anything.
    pub role: Option<Role>,
    /// What they may do in single workspaces beside that, in the order of their slugs.
    pub workspaces: Vec<Membership>,
    /// The workspace they act in; `None`: the whole organisation.
    pub acts_in: Option<WorkspaceId>,
    /// Whether an identity provider vouches for them.
    pub from_provider: bool,
    /// Whether they set a password.
    pub has_password: bool,
    /// When they were made known.
    pub created_at: Timestamp,
    /// When they last signed in; `None`: invited, and never came.
    pub last_sign_in_at: Option<Timestamp>,
    /// Since when they may not come in any more.
    pub deactivated_at: Option<Timestamp>,
}

impl Users<'_> {
    /// Everybody, by name.
    pub async fn list(self, actor: &Actor, request: PageRequest) -> Result<Page<User>> {
        actor.require_organisation(Permission::ManagePeople)?;
        let select = user::Entity::find().order_by_asc(user::Column::Name).order_by_asc(user::Column::Id);
        let page = pagination::fetch(self.registry.db(), select, request).await?;
        let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
        let mut places = memberships::of(self.registry.db(), &ids).await?;
        page.try_map(|row| {
            let places = places.remove(&row.id).unwrap_or_default();
            into_user(row, places)
        })
    }

    /// One person.
    pub async fn get(self, actor: &Actor, id: UserId) -> Result<User> {
        actor.require_organisation(Permission::ManagePeople)?;
        let row = user::Entity::find_by_id(id.0).one(self.registry.db()).await?;
        self.with_places(row.ok_or_else(|| Error::not_found("person", id))?).await
    }

    /// The person behind the caller.
    pub async fn current(self, actor: &Actor) -> Result<User> {
        self.with_places(self.row(actor).await?).await
    }

    pub(crate) async fn with_places(self, row: user::Model) -> Result<User> {
        let places =
            memberships::of(self.registry.db(), &[row.id]).await?.remove(&row.id).unwrap_or_default();
        into_user(row, places)
    }

    pub(crate) async fn row(self, actor: &Actor) -> Result<user::Model> {
        let missing = || Error::not_found("user", actor.name());
        let id = actor.id.as_deref().filter(|_| actor.kind == "user").ok_or_else(missing)?;
        let id = Uuid::parse_str(id).map_err(|_| missing())?;
        user::Entity::find_by_id(id).one(self.registry.db()).await?.ok_or_else(missing)
    }
}

/// What tells e-mail addresses apart.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

fn into_user(row: user::Model, workspaces: Vec<Membership>) -> Result<User> {
    Ok(User {
        id: UserId(row.id),
        role: organisation_role(&row)?,
        acts_in: row.workspace_id.map(WorkspaceId),
        from_provider: row.subject.is_some(),
        email: row.email,
        name: row.name,
        workspaces,
        has_password: row.password_hash.is_some(),
        created_at: moment(row.created_at),
        last_sign_in_at: row.last_sign_in_at.map(moment),
        deactivated_at: row.deactivated_at.map(moment),
    })
}
