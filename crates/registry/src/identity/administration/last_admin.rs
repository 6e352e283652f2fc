//! The last admin keeps the role and the access.

use crate::error::ConflictCode;
use crate::storage::entity::user;
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::permission::Role;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter};

/// Refused if `row` is the last admin.
pub(crate) async fn require_another_admin(write: &Write<'_>, row: &user::Model) -> Result<()> {
    if !is_last_admin(write, row).await? {
        return Ok(());
    }
    Err(Error::Conflict {
        code: ConflictCode::LastAdmin,
        message: format!(
            "{} is the last admin who can sign in. Make another user an admin, who must sign in and choose a password first.",
            row.name
        ),
        pointer: None,
    })
}

/// Whether `row` is the only admin of the whole organisation who has ever signed in (an invited user may never do), or
/// the only one of these who can sign in again without help.
pub(crate) async fn is_last_admin(write: &Write<'_>, row: &user::Model) -> Result<bool> {
    use user::Column as C;
    let settings = write.registry.settings();
    let seen = user::Entity::find()
        .filter(C::Role.eq(Role::Admin.as_str()))
        .filter(C::DeactivatedAt.is_null())
        .filter(C::LastSignInAt.is_not_null());
    let mut ways = Condition::any();
    if settings.provider.is_some() {
        ways = ways.add(C::Subject.is_not_null());
    }
    if settings.passwords {
        ways = ways.add(C::PasswordHash.is_not_null());
    }
    for admins in [seen.clone(), seen.filter(ways)] {
        let among = admins.clone().filter(C::Id.eq(row.id)).count(&write.txn).await?;
        if among > 0 && admins.count(&write.txn).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}
