//! Users: listing and reading.

use crate::identity::memberships::{Membership, organisation_role};
use crate::identity::{Users, memberships};
use crate::lookup::workspaces;
use crate::pagination::{ListOrder, Page, PageRequest, Total};
use crate::storage::columns::moment;
use crate::storage::entity::{membership, user};
use crate::{Actor, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::id::{UserId, WorkspaceId};
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use sea_orm::{ColumnTrait, EntityTrait, IntoSimpleExpr, Order, QueryFilter, QuerySelect, QueryTrait, Value};
use uuid::Uuid;

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Id of the user.
    pub id: UserId,
    /// E-mail address for sign-in, as it was entered.
    pub email: String,
    /// Name for display.
    pub name: String,
    /// Role in the whole organisation; `None`: no role there.
    pub role: Option<Role>,
    /// Roles in single workspaces, sorted by slug.
    pub workspaces: Vec<Membership>,
    /// The workspace that the user acts in; `None`: the whole organisation.
    pub acts_in: Option<WorkspaceId>,
    /// Whether the account is linked to the identity provider.
    pub from_provider: bool,
    /// Whether the user has a password.
    pub has_password: bool,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user last signed in; `None`: never.
    pub last_sign_in_at: Option<Timestamp>,
    /// When the user was deactivated; `None`: active.
    pub deactivated_at: Option<Timestamp>,
}

/// Which users to list.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// The user with this e-mail address.
    pub email: Option<String>,
    /// Whether the role in the whole organisation is admin.
    pub admin: Option<bool>,
    /// Active users who never signed in, or who did.
    pub invited: Option<bool>,
    /// Users with a role in this workspace.
    pub workspace: Option<Reference>,
}

impl Users<'_> {
    /// All users, sorted by name.
    pub async fn list(self, actor: &Actor, request: PageRequest) -> Result<Page<User>> {
        self.search(actor, UserFilter::default(), request).await
    }

    /// Some users, sorted by name.
    pub async fn search(self, actor: &Actor, filter: UserFilter, request: PageRequest) -> Result<Page<User>> {
        actor.require_organisation(Permission::ManagePeople)?;
        let (db, order, place) = (self.registry.db(), by_name(), self.place(request).await?);
        let mut every = user::Entity::find();
        if let Some(email) = &filter.email {
            every = every.filter(user::Column::EmailKey.eq(email_key(email)));
        }
        if let Some(admin) = filter.admin {
            let role = user::Column::Role;
            let word = Role::Admin.as_str();
            every = every.filter(if admin { role.eq(word) } else { role.ne(word) });
        }
        if let Some(invited) = filter.invited {
            let never = user::Column::LastSignInAt;
            every = every.filter(user::Column::DeactivatedAt.is_null());
            every = every.filter(if invited { never.is_null() } else { never.is_not_null() });
        }
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(db, actor, reference).await?.id;
            let members = membership::Entity::find()
                .select_only()
                .column(membership::Column::UserId)
                .filter(membership::Column::WorkspaceId.eq(workspace));
            every = every.filter(user::Column::Id.in_subquery(members.into_query()));
        }
        let page = pagination::fetch_ordered(db, every, &order, place, request, Total::Counted).await?;
        let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
        let mut places = memberships::of(self.registry.db(), &ids).await?;
        page.try_map(|row| {
            let places = places.remove(&row.id).unwrap_or_default();
            into_user(row, places)
        })
    }

    /// The values of the order at the cursor of `request`.
    async fn place(self, request: PageRequest) -> Result<Option<Vec<Value>>> {
        let Some(cursor) = request.cursor else { return Ok(None) };
        let name: Option<String> = user::Entity::find_by_id(cursor.id())
            .select_only()
            .column(user::Column::Name)
            .into_tuple()
            .one(self.registry.db())
            .await?;
        Ok(Some(vec![name.ok_or_else(|| cursor.unknown())?.into(), cursor.id().into()]))
    }

    /// One user.
    pub async fn get(self, actor: &Actor, id: UserId) -> Result<User> {
        actor.require_organisation(Permission::ManagePeople)?;
        let row = user::Entity::find_by_id(id.0).one(self.registry.db()).await?;
        self.with_memberships(row.ok_or_else(|| Error::not_found("user", id))?).await
    }

    /// The user behind the caller.
    pub async fn current(self, actor: &Actor) -> Result<User> {
        self.with_memberships(self.row(actor).await?).await
    }

    pub(crate) async fn with_memberships(self, row: user::Model) -> Result<User> {
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

fn by_name() -> ListOrder<user::Model> {
    let term = |column: user::Column| (column.into_simple_expr(), Order::Asc);
    ListOrder { terms: vec![term(user::Column::Name), term(user::Column::Id)], place: |row| (0, row.id) }
}

/// The unique form of an e-mail address: lower case.
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
