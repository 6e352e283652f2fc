//! One-time sign-in links.

use crate::error::ConflictCode;
use crate::identity::administration::last_admin::require_another_admin;
use crate::identity::administration::roles::require_unscoped;
use crate::identity::administration::rows::find;
use crate::identity::api_keys::format::random_base62;
use crate::identity::sessions::token_hash;
use crate::identity::users::User;
use crate::identity::{Users, sessions};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{sign_in_link, user};
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use chrono::Duration;
use registry_core::id::UserId;
use registry_core::permission::Permission;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// How long a one-time link is valid.
const LINK_TTL: Duration = Duration::hours(24);

/// A user and a one-time sign-in link.
#[derive(Clone)]
pub struct Invited {
    /// The user.
    pub user: User,
    /// Token of the link, shown only now. A secret: it signs in.
    pub token: String,
}

impl std::fmt::Debug for Invited {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Invited({:?})", self.user)
    }
}

impl Users<'_> {
    /// A new one-time link for an active user. Earlier links, all sessions and the password of the user end: the user
    /// chooses a new password.
    pub async fn new_sign_in_link(self, actor: &Actor, id: UserId) -> Result<Invited> {
        actor.require_organisation(Permission::ManagePeople)?;
        require_unscoped(actor)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        if row.deactivated_at.is_some() {
            return Err(Error::Conflict {
                code: ConflictCode::PersonDeactivated,
                message: "This user is deactivated. Reactivate the user first.".to_owned(),
                pointer: None,
            });
        }
        if row.password_hash.is_some() {
            // A link may be lost.
            require_another_admin(&write, &row).await?;
        }
        let row = clear_password(&mut write, row).await?;
        let token = insert_link(&mut write, &row).await?;
        write.commit().await?;
        Ok(Invited { user: self.with_memberships(row).await?, token })
    }
}

/// A link replaces the password and the sessions: a stolen session could choose the next password.
pub(crate) async fn clear_password(write: &mut Write<'_>, row: user::Model) -> Result<user::Model> {
    let ended = sessions::end(&write.txn, row.id, None).await?;
    if ended > 0 {
        let event = Event::new(AuditAction::UserSessionsEnded, "user", row.id).named(&row.email);
        write.audit(event.after(json!({ "sessions": ended, "because": "a new sign-in link" })));
        write.identities_changed();
    }
    if row.password_hash.is_none() {
        return Ok(row);
    }
    write.audit(Event::new(AuditAction::UserPasswordEnded, "user", row.id).named(&row.email));
    write.identities_changed();
    let mut changed = row.into_active_model();
    changed.password_hash = Set(None);
    changed.updated_at = Set(write.millis());
    Ok(changed.update(&write.txn).await?)
}

/// Inserts a link; earlier links end.
pub(crate) async fn insert_link(write: &mut Write<'_>, user: &user::Model) -> Result<String> {
    delete_unused_links(write, user.id).await?;
    let token = random_base62(43)?;
    sign_in_link::ActiveModel {
        id: Set(write.registry.new_id()),
        user_id: Set(user.id),
        token_hash: Set(token_hash(&token)),
        created_at: Set(write.millis()),
        expires_at: Set(write.millis() + LINK_TTL.num_milliseconds()),
        used_at: Set(None),
    }
    .insert(&write.txn)
    .await?;
    write.audit(Event::new(AuditAction::UserLinkCreated, "user", user.id).named(&user.email));
    Ok(token)
}

/// Deletes the links of a user that were not used.
pub(crate) async fn delete_unused_links(write: &Write<'_>, user: Uuid) -> Result<()> {
    sign_in_link::Entity::delete_many()
        .filter(sign_in_link::Column::UserId.eq(user))
        .filter(sign_in_link::Column::UsedAt.is_null())
        .exec(&write.txn)
        .await?;
    Ok(())
}
