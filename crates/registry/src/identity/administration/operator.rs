//! Users from the command line: sign-in links, and the reset of an admin.

use crate::error::ConflictCode;
use crate::identity::administration::links::{clear_password, insert_link};
use crate::identity::administration::rows::{checked_email, insert_user, local_part};
use crate::identity::login::lockout;
use crate::identity::memberships::{ResolvedRoles, Roles};
use crate::identity::users::email_key;
use crate::identity::{Users, memberships, sessions};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::user;
use crate::storage::write::Event;
use crate::{Actor, Channel, Error, RequestContext, Result};
use registry_core::permission::Role;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

impl Users<'_> {
    /// A one-time link for `email`, only for the operator on the machine: no network endpoint calls this. An unknown
    /// user is created: as admin while nobody can sign in, else as viewer.
    pub async fn create_sign_in_link(self, email: &str, origin: RequestContext) -> Result<String> {
        self.create_sign_in_link_as(email, None, origin).await
    }

    /// As [`Self::create_sign_in_link`], with the role of an unknown user. The role of a known user is not changed.
    pub async fn create_sign_in_link_as(
        self,
        email: &str,
        role: Option<Role>,
        origin: RequestContext,
    ) -> Result<String> {
        if origin.door != Channel::Cli {
            return Err(Error::Unauthenticated(
                "Sign-in links are created on the machine itself (`mcp-registry user link`).",
            ));
        }
        let email = checked_email(email)?;
        let first = !self.registry.login().has_users().await?;
        let mut actor = Actor::program("operator", "operator", Channel::Cli);
        actor.origin = origin;
        let mut write = self.registry.begin_write(&actor).await?;
        let found = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let user = match found.one(&write.txn).await? {
            Some(found) if found.deactivated_at.is_some() => {
                return Err(Error::Conflict {
                    code: ConflictCode::PersonDeactivated,
                    message: format!(
                        "{email} is deactivated. An admin can reactivate the user on the page People; if there is no admin, create a link for another address with `--role admin`."
                    ),
                    pointer: None,
                });
            }
            Some(found) => {
                let present = memberships::organisation_role(&found)?;
                if role.is_some() && role != present {
                    return Err(Error::Conflict {
                        code: ConflictCode::PersonKnown,
                        message: format!(
                            "{email} is known already, as {}. An admin changes roles on the page People; if there is none left, `mcp-registry user reset` makes one.",
                            present.map_or("a user without a role in the whole organisation", Role::as_str)
                        ),
                        pointer: None,
                    });
                }
                found
            }
            None => {
                let role = role.unwrap_or(if first { Role::Admin } else { Role::Viewer });
                let granted = memberships::check(&write, &Roles::one(role, None)).await?;
                insert_user(&mut write, email, local_part(email).to_owned(), &granted, None).await?
            }
        };
        let user = clear_password(&mut write, user).await?;
        let token = insert_link(&mut write, &user).await?;
        write.commit().await?;
        Ok(token)
    }

    /// Emergency access, only for the operator on the machine: the user with this address becomes an active admin of
    /// the whole organisation, loses password and sessions, and gets a one-time link.
    pub async fn reset(self, email: &str, origin: RequestContext) -> Result<String> {
        if origin.door != Channel::Cli {
            return Err(Error::Unauthenticated(
                "Users are reset on the machine itself (`mcp-registry user reset`).",
            ));
        }
        let email = checked_email(email)?;
        let mut actor = self.registry.operator();
        actor.origin = origin;
        let mut write = self.registry.begin_write(&actor).await?;
        let found = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let user = if let Some(found) = found.one(&write.txn).await? {
            let before = memberships::granted(&write.txn, &found).await?;
            let after =
                ResolvedRoles { organisation: Some(Role::Admin), workspaces: before.workspaces.clone() };
            sessions::end(&write.txn, found.id, None).await?;
            let event = Event::new(AuditAction::UserReset, "user", found.id).named(&found.email);
            write.audit(event.before(before.shown()).after(after.shown()));
            let mut changed = found.into_active_model();
            changed.role = Set(after.word().to_owned());
            changed.workspace_id = Set(None);
            changed.password_hash = Set(None);
            changed.deactivated_at = Set(None);
            changed.updated_at = Set(write.millis());
            write.identities_changed();
            changed.update(&write.txn).await?
        } else {
            let granted = memberships::check(&write, &Roles::one(Role::Admin, None)).await?;
            insert_user(&mut write, email, local_part(email).to_owned(), &granted, None).await?
        };
        lockout::forget(&write, &user.email_key).await?;
        let token = insert_link(&mut write, &user).await?;
        write.commit().await?;
        Ok(token)
    }
}
