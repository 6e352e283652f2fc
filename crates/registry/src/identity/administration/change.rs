//! Changing users: name, roles, deactivation.

use crate::identity::administration::last_admin::require_another_admin;
use crate::identity::administration::links::delete_unused_links;
use crate::identity::administration::roles::{change_roles, require_unscoped};
use crate::identity::administration::rows::find;
use crate::identity::memberships::Roles;
use crate::identity::users::User;
use crate::identity::{Users, memberships, sessions};
use crate::lookup::{naming, workspaces};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::api_key;
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use registry_core::id::UserId;
use registry_core::patch::Patch;
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// Changes of a user; `None` keeps the present value.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Name for display.
    pub name: Option<String>,
    /// Role in the whole organisation; cleared: no role there.
    pub role: Patch<Role>,
    /// All roles in single workspaces.
    pub workspaces: Option<Vec<(Reference, Role)>>,
}

impl Users<'_> {
    /// Changes name or roles of a user, in force with the next request. The last admin keeps the role.
    pub async fn update(self, actor: &Actor, id: UserId, change: UserChange) -> Result<User> {
        actor.require_organisation(Permission::ManagePeople)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        let before = memberships::granted(&write.txn, &row).await?;
        let by_id = |(id, role): &(Uuid, Role)| (Reference::Id(*id), *role);
        let roles = Roles {
            organisation: change.role.apply(before.organisation),
            workspaces: change.workspaces.unwrap_or_else(|| before.workspaces.iter().map(by_id).collect()),
        };
        let after = memberships::check(&write, &roles).await?;
        let name = change.name.map_or_else(|| Ok(row.name.clone()), |name| naming::name(&name, "/name"))?;
        if before == after && name == row.name {
            return self.with_memberships(row).await;
        }
        if before != after {
            require_unscoped(actor)?;
            change_roles(&mut write, &row, &before, &after).await?;
        }
        if name != row.name {
            if after.is_admin() {
                // A caller with scopes must not choose the name of an admin, which others trust.
                require_unscoped(actor)?;
            }
            let event = Event::new(AuditAction::UserRenamed, "user", row.id).named(&row.email);
            write.audit(event.before(json!({ "name": row.name })).after(json!({ "name": name })));
        }
        let mut changed = row.into_active_model();
        changed.name = Set(name);
        changed.role = Set(after.word().to_owned());
        changed.updated_at = Set(write.millis());
        let row = changed.update(&write.txn).await?;
        write.commit().await?;
        self.with_memberships(row).await
    }

    /// Gives a user a role in one workspace, or takes it away (`None`). The other roles stay.
    pub async fn set_membership(
        self,
        actor: &Actor,
        id: UserId,
        workspace: &Reference,
        role: Option<Role>,
    ) -> Result<User> {
        actor.require_organisation(Permission::ManagePeople)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        let workspace = workspaces::find(&write.txn, actor, workspace).await?.id;
        let before = memberships::granted(&write.txn, &row).await?;
        let others = before.workspaces.iter().filter(|(id, _)| *id != workspace);
        let others = others.map(|(id, role)| (Reference::Id(*id), *role));
        let roles = Roles {
            organisation: before.organisation,
            workspaces: others.chain(role.map(|role| (Reference::Id(workspace), role))).collect(),
        };
        let after = memberships::check(&write, &roles).await?;
        if role.is_some() || before.workspaces.iter().any(|(id, _)| *id == workspace) {
            let same = before.workspaces.iter().any(|one| Some(*one) == role.map(|role| (workspace, role)));
            if !same {
                require_unscoped(actor)?;
                change_roles(&mut write, &row, &before, &after).await?;
                write.commit().await?;
            }
        } else {
            return Err(Error::not_found("user", id));
        }
        self.get(actor, id).await
    }

    /// Deactivates a user: sessions and links stop working immediately. The last admin cannot be deactivated.
    pub async fn deactivate(self, actor: &Actor, id: UserId) -> Result<()> {
        self.set_active(actor, id, false).await
    }

    /// Reactivates a user, with the earlier password.
    pub async fn reactivate(self, actor: &Actor, id: UserId) -> Result<()> {
        self.set_active(actor, id, true).await
    }

    async fn set_active(self, actor: &Actor, id: UserId, active: bool) -> Result<()> {
        actor.require_organisation(Permission::ManagePeople)?;
        if active {
            // A reactivated user gets the earlier roles back: this grants roles as an invitation does.
            require_unscoped(actor)?;
        }
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        if row.deactivated_at.is_none() == active {
            return Ok(());
        }
        if !active {
            require_another_admin(&write, &row).await?;
            sessions::end(&write.txn, row.id, None).await?;
            delete_unused_links(&write, row.id).await?;
            revoke_keys(&write, row.id).await?;
        }
        let action = if active { AuditAction::UserReactivated } else { AuditAction::UserDeactivated };
        write.audit(Event::new(action, "user", row.id).named(&row.email));
        let mut changed = row.into_active_model();
        changed.deactivated_at = Set((!active).then(|| write.millis()));
        changed.updated_at = Set(write.millis());
        changed.update(&write.txn).await?;
        write.identities_changed();
        write.commit().await
    }
}

/// Revokes the keys that are for a user.
async fn revoke_keys(write: &Write<'_>, user: Uuid) -> Result<()> {
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(write.millis()))
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&write.txn)
        .await?;
    Ok(())
}
