//! Search for users by name or e-mail address.

use crate::dashboard::Dashboard;
use crate::storage::columns::contains;
use crate::storage::entity::user;
use crate::{Actor, Result};
use registry_core::id::UserId;
use registry_core::permission::Permission;
use sea_orm::{Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Users that are named, at most.
const MAX_USERS: u64 = 10;

/// A user that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// Id of the user.
    pub id: UserId,
    /// Name for display.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

impl Dashboard<'_> {
    /// The users whose name or e-mail address contains `text`, sorted by name, at most 10; none for an actor who may
    /// not manage users.
    pub async fn find_users(self, actor: &Actor, text: &str) -> Result<Vec<FoundUser>> {
        let text = text.trim();
        if text.is_empty() || actor.require_organisation(Permission::ManagePeople).is_err() {
            return Ok(Vec::new());
        }
        let any = Condition::any()
            .add(contains(user::Column::Name, text))
            .add(contains(user::Column::EmailKey, text));
        let rows: Vec<(Uuid, String, String)> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .column(user::Column::Name)
            .column(user::Column::Email)
            .filter(any)
            .order_by_asc(user::Column::Name)
            .order_by_asc(user::Column::Id)
            .limit(MAX_USERS)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        Ok(rows.into_iter().map(|(id, name, email)| FoundUser { id: UserId(id), name, email }).collect())
    }
}
