//! Inviting users.

use crate::error::ConflictCode;
use crate::identity::administration::links::{Invited, insert_link};
use crate::identity::administration::roles::require_unscoped;
use crate::identity::administration::rows::{checked_email, insert_user, local_part};
use crate::identity::memberships::Roles;
use crate::identity::users::email_key;
use crate::identity::{Users, memberships};
use crate::lookup::naming;
use crate::storage::entity::user;
use crate::{Actor, Error, Result};
use registry_core::permission::Permission;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// A user to invite.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// E-mail address for sign-in.
    pub email: String,
    /// Name for display; empty: the part of the address before the `@`.
    pub name: String,
    /// The roles; at least one.
    pub roles: Roles,
}

impl Users<'_> {
    /// Creates a user with a one-time sign-in link, valid for a day.
    pub async fn invite(self, actor: &Actor, new: NewUser) -> Result<Invited> {
        actor.require_organisation(Permission::ManagePeople)?;
        require_unscoped(actor)?;
        let email = checked_email(&new.email)?;
        let name = if new.name.trim().is_empty() { local_part(email) } else { &new.name };
        let name = naming::name(name, "/name")?;
        let mut write = self.registry.begin_write(actor).await?;
        let namesake = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        if namesake.one(&write.txn).await?.is_some() {
            return Err(Error::Conflict {
                code: ConflictCode::EmailTaken,
                message: "There is already a user with this e-mail address.".to_owned(),
                pointer: Some("/email"),
            });
        }
        let granted = memberships::check(&write, &new.roles).await?;
        let row = insert_user(&mut write, email, name, &granted, None).await?;
        let token = insert_link(&mut write, &row).await?;
        write.commit().await?;
        Ok(Invited { user: self.with_memberships(row).await?, token })
    }
}
