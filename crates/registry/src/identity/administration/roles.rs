//! Granting and removing roles.

use crate::identity::administration::last_admin::{is_last_admin, require_another_admin};
use crate::identity::memberships;
use crate::identity::memberships::ResolvedRoles;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::user;
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use registry_core::permission::{Permission, Role};

/// Changes the roles of a user, with an audit event. The last admin keeps the role.
pub(crate) async fn change_roles(
    write: &mut Write<'_>,
    row: &user::Model,
    before: &ResolvedRoles,
    after: &ResolvedRoles,
) -> Result<()> {
    if after.organisation != Some(Role::Admin) {
        require_another_admin(write, row).await?;
    }
    store(write, row, before, after).await
}

/// The same for the roles of the identity provider. The last admin keeps the role, with an audit event: otherwise a
/// renamed group could leave no admin to repair it.
pub(crate) async fn apply_provider_roles(
    write: &mut Write<'_>,
    row: &user::Model,
    before: &ResolvedRoles,
    mut after: ResolvedRoles,
) -> Result<ResolvedRoles> {
    if after.organisation != Some(Role::Admin) && is_last_admin(write, row).await? {
        after.organisation = Some(Role::Admin);
        tracing::warn!(user = %row.id, "no group gives the last admin the role; it is kept");
        write.audit(Event::new(AuditAction::UserLastAdminKept, "user", row.id).named(&row.email));
    }
    if *before != after {
        store(write, row, before, &after).await?;
    }
    Ok(after)
}

async fn store(
    write: &mut Write<'_>,
    row: &user::Model,
    before: &ResolvedRoles,
    after: &ResolvedRoles,
) -> Result<()> {
    memberships::store(write, row.id, after).await?;
    let event = Event::new(AuditAction::UserRoleChanged, "user", row.id).named(&row.email);
    write.audit(event.before(before.shown()).after(after.shown()));
    write.identities_changed();
    Ok(())
}

/// Refuses a caller with scopes: a role or a link may give more than the scopes allow.
pub(crate) fn require_unscoped(actor: &Actor) -> Result<()> {
    if actor.scopes.is_empty() {
        return Ok(());
    }
    Err(Error::Forbidden {
        needed: Permission::ManagePeople,
        message: "A key or token with scopes can neither grant nor restore roles, nor create sign-in links, nor rename admins, because these give more rights than its scopes. Use one without scopes.".to_owned(),
    })
}
