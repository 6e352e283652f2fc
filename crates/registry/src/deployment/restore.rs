//! Revocations that happened after a backup: users, keys, roles and sessions that must not come back with it.

use crate::deployment::Deployment;
use crate::deployment::backup::open;
use crate::identity::sessions;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{api_key, membership, organisation, session, sign_in_link, user};
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::permission::{Permission, Role};
use sea_orm::ActiveValue::Set;
use sea_orm::sqlx::Row;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sqlx};
use serde::Serialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use uuid::Uuid;

/// What a restore kept revoked, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeptRevocations {
    /// API keys that stay revoked, or expire sooner: name and beginning of the key.
    pub keys: Vec<String>,
    /// Users who stay deactivated.
    pub deactivated: Vec<String>,
    /// Users who keep their present, lower role.
    pub roles: Vec<String>,
    /// Users who keep their present password, or stay without one.
    pub passwords: Vec<String>,
    /// Sessions that stay ended.
    pub sessions: u64,
}

/// The access that the database to be replaced gives.
pub struct CurrentAccess {
    organisation: Uuid,
    keys: HashMap<Uuid, (Option<i64>, Option<i64>)>,
    users: HashMap<Uuid, UserAccess>,
    memberships: HashMap<(Uuid, Uuid), String>,
    sessions: HashSet<Uuid>,
    /// Number and hash of each backup event: one of them may be the last event of the backup.
    events: HashMap<i64, String>,
}

impl std::fmt::Debug for CurrentAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CurrentAccess")
    }
}

struct UserAccess {
    role: String,
    password_hash: Option<String>,
    deactivated_at: Option<i64>,
}

/// Reads the access from the database in `file`, which no process uses; `None`: unreadable.
pub async fn current_access(file: &Path) -> Option<CurrentAccess> {
    match read(file).await {
        Ok(access) => Some(access),
        Err(error) => {
            tracing::debug!(%error, "the database to be replaced cannot be read");
            None
        }
    }
}

async fn read(file: &Path) -> std::result::Result<CurrentAccess, sqlx::Error> {
    let mut db = open(file).await?;
    let organisation = sqlx::query("SELECT id FROM organisation").fetch_one(&mut db).await?;
    let mut access = CurrentAccess {
        organisation: id(&organisation, 0)?,
        keys: HashMap::new(),
        users: HashMap::new(),
        memberships: HashMap::new(),
        sessions: HashSet::new(),
        events: HashMap::new(),
    };
    for row in rows(&mut db, "SELECT id, revoked_at, expires_at FROM api_key").await? {
        access.keys.insert(id(&row, 0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    for row in rows(&mut db, "SELECT id, role, password_hash, deactivated_at FROM \"user\"").await? {
        let user = UserAccess {
            role: row.try_get(1)?,
            password_hash: row.try_get(2)?,
            deactivated_at: row.try_get(3)?,
        };
        access.users.insert(id(&row, 0)?, user);
    }
    for row in rows(&mut db, "SELECT user_id, workspace_id, role FROM membership").await? {
        access.memberships.insert((id(&row, 0)?, id(&row, 1)?), row.try_get(2)?);
    }
    for row in rows(&mut db, "SELECT id FROM session").await? {
        access.sessions.insert(id(&row, 0)?);
    }
    // A backup ends with its own backup event.
    let events = "SELECT number, hash FROM audit_event WHERE action = 'database.backed_up'";
    for row in rows(&mut db, events).await? {
        access.events.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(access)
}

async fn rows(
    db: &mut SqliteConnection,
    query: &'static str,
) -> std::result::Result<Vec<sqlx::sqlite::SqliteRow>, sqlx::Error> {
    sqlx::query(query).fetch_all(db).await
}

fn id(row: &sqlx::sqlite::SqliteRow, index: usize) -> std::result::Result<Uuid, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(index)?;
    Uuid::from_slice(&bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

impl Deployment<'_> {
    /// In a backup that is about to replace a database: repeats the revocations that happened there since. Objects that
    /// are unknown there were deleted there, if the database continues this backup. `None`: it is the database of
    /// another deployment.
    pub async fn keep_revocations(
        self,
        actor: &Actor,
        current: &CurrentAccess,
    ) -> Result<Option<KeptRevocations>> {
        actor.require_organisation(Permission::ManageKeys)?;
        let mut write = self.registry.begin_write(actor).await?;
        let own = organisation::Entity::find().one(&write.txn).await?;
        if own.is_none_or(|own| own.id != current.organisation) {
            return Ok(None);
        }
        let made = crate::storage::entity::audit_event::Entity::find()
            .filter(
                crate::storage::entity::audit_event::Column::Action
                    .eq(AuditAction::DatabaseBackedUp.as_str()),
            )
            .order_by_desc(crate::storage::entity::audit_event::Column::Number)
            .one(&write.txn)
            .await?;
        let grew = made.is_some_and(|made| current.events.get(&made.number) == Some(&made.hash));
        let mut kept = KeptRevocations::default();
        keep_keys(&write, current, grew, &mut kept).await?;
        keep_users(&write, current, grew, &mut kept).await?;
        keep_sessions(&write, current, &mut kept).await?;
        write.identities_changed();
        write
            .audit(Event::new(AuditAction::DatabaseRevocationsKept, "database", "sqlite").after(json!(kept)));
        write.commit().await?;
        Ok(Some(kept))
    }

    /// Revokes all API keys that were created at or after `since`, and ends all sessions and sign-in links. Answers the
    /// names of the keys.
    pub async fn revoke_keys_made_since(self, actor: &Actor, since: Timestamp) -> Result<Vec<String>> {
        actor.require_organisation(Permission::ManageKeys)?;
        let mut write = self.registry.begin_write(actor).await?;
        let keys = api_key::Entity::find()
            .filter(api_key::Column::RevokedAt.is_null())
            .filter(api_key::Column::CreatedAt.gte(crate::storage::columns::millis(since)));
        let mut names = Vec::new();
        for key in keys.all(&write.txn).await? {
            names.push(shown(&key));
            write.audit(crate::identity::api_keys::record::event(AuditAction::ApiKeyRevoked, &key));
            let mut gone = key.into_active_model();
            gone.revoked_at = Set(Some(write.millis()));
            gone.update(&write.txn).await?;
        }
        session::Entity::delete_many().exec(&write.txn).await?;
        sign_in_link::Entity::delete_many().exec(&write.txn).await?;
        write.identities_changed();
        write.commit().await?;
        Ok(names)
    }
}

fn shown(key: &api_key::Model) -> String {
    format!("{} ({}…)", key.name, key.prefix)
}

async fn keep_keys(
    write: &Write<'_>,
    current: &CurrentAccess,
    grew: bool,
    kept: &mut KeptRevocations,
) -> Result<()> {
    for key in api_key::Entity::find().filter(api_key::Column::RevokedAt.is_null()).all(&write.txn).await? {
        let (revoked, ends) = match current.keys.get(&key.id) {
            Some((revoked, ends)) => (*revoked, *ends),
            None if grew => (Some(write.millis()), None),
            None => continue,
        };
        let sooner = ends.filter(|end| key.expires_at.is_none_or(|old| *end < old));
        if revoked.is_none() && sooner.is_none() {
            continue;
        }
        kept.keys.push(shown(&key));
        let expires_at = sooner.or(key.expires_at);
        let mut changed = key.into_active_model();
        changed.revoked_at = Set(revoked);
        changed.expires_at = Set(expires_at);
        changed.update(&write.txn).await?;
    }
    Ok(())
}

async fn keep_users(
    write: &Write<'_>,
    current: &CurrentAccess,
    grew: bool,
    kept: &mut KeptRevocations,
) -> Result<()> {
    for user in user::Entity::find().all(&write.txn).await? {
        let (email, mut changed) = (user.email.clone(), user.clone().into_active_model());
        let Some(now) = current.users.get(&user.id) else {
            if grew && user.deactivated_at.is_none() {
                changed.deactivated_at = Set(Some(write.millis()));
                changed.update(&write.txn).await?;
                kept.deactivated.push(email);
            }
            continue;
        };
        if user.deactivated_at.is_none() && now.deactivated_at.is_some() {
            changed.deactivated_at = Set(now.deactivated_at);
            kept.deactivated.push(email.clone());
        }
        if user.password_hash.is_some() && user.password_hash != now.password_hash {
            changed.password_hash = Set(now.password_hash.clone());
            kept.passwords.push(email.clone());
        }
        let mut fewer = false;
        if rank(&now.role) < rank(&user.role) {
            changed.role = Set(now.role.clone());
            fewer = true;
        }
        if changed.is_changed() {
            changed.update(&write.txn).await?;
        }
        let own = membership::Entity::find().filter(membership::Column::UserId.eq(user.id));
        for row in own.all(&write.txn).await? {
            match current.memberships.get(&(row.user_id, row.workspace_id)) {
                Some(role) if rank(role) < rank(&row.role) => {
                    let mut lower = row.into_active_model();
                    lower.role = Set(role.clone());
                    lower.update(&write.txn).await?;
                }
                Some(_) => continue,
                None => {
                    membership::Entity::delete_by_id((row.user_id, row.workspace_id))
                        .exec(&write.txn)
                        .await?;
                }
            }
            fewer = true;
        }
        if fewer {
            kept.roles.push(email);
        }
    }
    Ok(())
}

/// Order of roles; an unknown word is the lowest.
fn rank(role: &str) -> Option<Role> {
    Role::parse(role)
}

/// Ends sessions that have ended since, and all unused links, because they may have been used since.
async fn keep_sessions(write: &Write<'_>, current: &CurrentAccess, kept: &mut KeptRevocations) -> Result<()> {
    for row in session::Entity::find().all(&write.txn).await? {
        if !current.sessions.contains(&row.id) {
            session::Entity::delete_by_id(row.id).exec(&write.txn).await?;
            kept.sessions += 1;
        }
    }
    for name in &kept.deactivated {
        let user = user::Entity::find().filter(user::Column::Email.eq(name)).one(&write.txn).await?;
        let user = user.ok_or_else(|| Error::not_found("user", name))?;
        kept.sessions += sessions::end(&write.txn, user.id, None).await?;
    }
    sign_in_link::Entity::delete_many()
        .filter(sign_in_link::Column::UsedAt.is_null())
        .exec(&write.txn)
        .await?;
    Ok(())
}
