//! Rows of users: finding and inserting them, e-mail addresses.

use crate::identity::memberships;
use crate::identity::memberships::ResolvedRoles;
use crate::identity::users::email_key;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::user;
use crate::storage::write::{Event, Write};
use crate::{Error, Result};
use registry_core::finding::Finding;
use registry_core::id::UserId;
use registry_core::names::is_invisible;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

pub(crate) async fn find(write: &Write<'_>, id: UserId) -> Result<user::Model> {
    let row = user::Entity::find_by_id(id.0).one(&write.txn).await?;
    row.ok_or_else(|| Error::not_found("user", id))
}

pub(crate) async fn insert_user(
    write: &mut Write<'_>,
    email: &str,
    name: String,
    granted: &ResolvedRoles,
    subject: Option<String>,
) -> Result<user::Model> {
    let row = user::Model {
        id: write.registry.new_id(),
        email: email.to_owned(),
        email_key: email_key(email),
        name,
        role: granted.word().to_owned(),
        workspace_id: None,
        password_hash: None,
        subject,
        created_at: write.millis(),
        updated_at: write.millis(),
        last_sign_in_at: None,
        deactivated_at: None,
    };
    row.clone().into_active_model().reset_all().insert(&write.txn).await?;
    memberships::store(write, row.id, granted).await?;
    write.audit(Event::new(AuditAction::UserCreated, "user", row.id).named(email).after(granted.shown()));
    write.identities_changed();
    Ok(row)
}

pub(crate) fn checked_email(email: &str) -> Result<&str> {
    let email = email.trim();
    let odd = email.chars().any(|character| character.is_whitespace() || is_invisible(character));
    if email.contains('@') && email.len() <= 254 && !odd {
        return Ok(email);
    }
    Err(Error::invalid(Finding::error(
        "/email",
        "invalid_email",
        "Write an e-mail address, such as \"you@example.com\".",
    )))
}

pub(crate) fn local_part(email: &str) -> &str {
    email.split('@').next().filter(|name| !name.is_empty()).unwrap_or(email)
}
