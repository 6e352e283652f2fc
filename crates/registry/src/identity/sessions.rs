//! Browser sessions: from the cookie to the actor, listing, ending.

use crate::identity::api_keys::format::random_base62;
use crate::identity::{Sessions, memberships};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{millis, moment};
use crate::storage::entity::{session, user};
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, RequestContext, Result};
use chrono::Duration;
use registry_core::clock::Timestamp;
use registry_core::id::{SessionId, UserId};
use registry_core::permission::Permission;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long an unused session lasts.
const IDLE_TTL: Duration = Duration::hours(12);
/// How long a session lasts at most: then the user signs in again, and the identity provider gives the roles again.
const MAX_AGE: Duration = Duration::days(7);
const MAX_AGE_WITH_PROVIDER: Duration = Duration::hours(12);
/// Stored characters of a `User-Agent`.
const MAX_USER_AGENT: usize = 300;

/// Refusal for users without any role.
pub(crate) const NO_ROLE_LEFT: &str = "You have no role here any more. Ask an administrator for one.";

/// A session of a user.
#[derive(Clone, Debug)]
pub struct Session {
    /// Id of the session; not the value of the cookie.
    pub id: SessionId,
    /// When the user signed in.
    pub started_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it expires unless it is used.
    pub expires_at: Timestamp,
    /// IP address at sign-in.
    pub address: Option<String>,
    /// The beginning of the browser's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether it is the session of this request.
    pub current: bool,
}

impl Sessions<'_> {
    /// The sessions of the caller, the last used first.
    pub async fn list(self, actor: &Actor) -> Result<Vec<Session>> {
        let user = self.registry.users().row(actor).await?;
        self.list_sessions(actor, user.id).await
    }

    /// The sessions of a user, the last used first.
    pub async fn list_of(self, actor: &Actor, user: UserId) -> Result<Vec<Session>> {
        actor.require_organisation(Permission::ManagePeople)?;
        let found = user::Entity::find_by_id(user.0).one(self.registry.db()).await?;
        found.ok_or_else(|| Error::not_found("user", user))?;
        self.list_sessions(actor, user.0).await
    }

    async fn list_sessions(self, actor: &Actor, user: Uuid) -> Result<Vec<Session>> {
        let rows = session::Entity::find()
            .filter(session::Column::UserId.eq(user))
            .filter(session::Column::ExpiresAt.gt(millis(self.registry.now())))
            .order_by_desc(session::Column::LastSeenAt)
            .order_by_desc(session::Column::Id)
            .all(self.registry.db())
            .await?;
        let session = |row: session::Model| Session {
            id: SessionId(row.id),
            started_at: moment(row.created_at),
            seen_at: moment(row.last_seen_at),
            expires_at: moment(row.expires_at),
            address: row.address,
            user_agent: row.user_agent,
            current: actor.session == Some(SessionId(row.id)),
        };
        Ok(rows.into_iter().map(session).collect())
    }

    /// Ends a session of the caller.
    pub async fn end(self, actor: &Actor, id: SessionId) -> Result<()> {
        let user = self.registry.users().row(actor).await?;
        self.end_one(actor, user, id).await
    }

    /// Ends a session of a user.
    pub async fn end_of(self, actor: &Actor, user: UserId, id: SessionId) -> Result<()> {
        actor.require_organisation(Permission::ManagePeople)?;
        let found = user::Entity::find_by_id(user.0).one(self.registry.db()).await?;
        self.end_one(actor, found.ok_or_else(|| Error::not_found("user", user))?, id).await
    }

    async fn end_one(self, actor: &Actor, user: user::Model, id: SessionId) -> Result<()> {
        let mut write = self.registry.begin_write(actor).await?;
        let ended = session::Entity::delete_many()
            .filter(session::Column::UserId.eq(user.id))
            .filter(session::Column::Id.eq(id.0))
            .exec(&write.txn)
            .await?;
        if ended.rows_affected == 0 {
            return Err(Error::not_found("session", id));
        }
        write.audit(Event::new(AuditAction::UserSessionEnded, "user", user.id).named(user.email));
        write.commit().await
    }

    /// Ends all sessions of a user. Answers how many there were.
    pub async fn end_all_of(self, actor: &Actor, user: UserId) -> Result<u64> {
        actor.require_organisation(Permission::ManagePeople)?;
        let found = user::Entity::find_by_id(user.0).one(self.registry.db()).await?;
        let found = found.ok_or_else(|| Error::not_found("user", user))?;
        self.end_all(actor, found, None).await
    }

    /// Ends all sessions of the caller except the present one. Answers how many there were.
    pub async fn end_others(self, actor: &Actor) -> Result<u64> {
        let user = self.registry.users().row(actor).await?;
        self.end_all(actor, user, actor.session).await
    }

    async fn end_all(self, actor: &Actor, user: user::Model, except: Option<SessionId>) -> Result<u64> {
        let mut write = self.registry.begin_write(actor).await?;
        let ended = end(&write.txn, user.id, except).await?;
        if ended > 0 {
            write.audit(
                Event::new(AuditAction::UserSessionsEnded, "user", user.id)
                    .named(user.email)
                    .after(serde_json::json!({ "sessions": ended })),
            );
        }
        write.commit().await?;
        Ok(ended)
    }

    /// The actor behind a session cookie.
    pub(crate) async fn actor_of(self, token: &str, origin: RequestContext) -> Result<Actor> {
        let refused = || Error::Unauthenticated("Your session has ended. Sign in again.");
        let (row, user) = session::Entity::find()
            .filter(session::Column::TokenHash.eq(token_hash(token)))
            .filter(session::Column::ExpiresAt.gt(millis(self.registry.now())))
            .find_also_related(user::Entity)
            .one(self.registry.db())
            .await?
            .ok_or_else(refused)?;
        let user = user.filter(|user| user.deactivated_at.is_none()).ok_or_else(refused)?;
        let (id, now) = (SessionId(row.id), millis(self.registry.now()));
        let longest =
            if self.registry.login().may_have_password(&user) { MAX_AGE } else { MAX_AGE_WITH_PROVIDER };
        let end = row.created_at + longest.num_milliseconds();
        if now >= end {
            return Err(refused());
        }
        if now - row.last_seen_at > 60_000 {
            let mut seen = row.into_active_model();
            seen.last_seen_at = Set(now);
            seen.expires_at = Set(Ord::min(now + IDLE_TTL.num_milliseconds(), end));
            if let Err(error) = seen.update(self.registry.db()).await {
                tracing::warn!(%error, "a session could not be prolonged");
            }
        }
        let (role, workspace) = memberships::acting(self.registry.db(), &user)
            .await?
            .ok_or(Error::Unauthenticated(NO_ROLE_LEFT))?;
        Ok(Actor {
            kind: "user",
            id: Some(user.id.to_string()),
            role,
            scopes: Vec::new(),
            workspace,
            session: Some(id),
            until: None,
            name: user.name,
            origin,
        })
    }
}

/// Creates a session of a user: the value of the cookie, and when it expires unless it is used.
pub(crate) async fn open(write: &Write<'_>, user: Uuid) -> Result<(String, Timestamp)> {
    // Expired sessions are deleted here.
    session::Entity::delete_many()
        .filter(session::Column::ExpiresAt.lte(write.millis()))
        .exec(&write.txn)
        .await?;
    let token = random_base62(43)?;
    let expires_at = write.now + IDLE_TTL;
    let origin = &write.actor().origin;
    session::ActiveModel {
        id: Set(write.registry.new_id()),
        user_id: Set(user),
        token_hash: Set(token_hash(&token)),
        created_at: Set(write.millis()),
        last_seen_at: Set(write.millis()),
        expires_at: Set(millis(expires_at)),
        address: Set(origin.address.clone()),
        user_agent: Set(origin.user_agent.as_ref().map(|text| text.chars().take(MAX_USER_AGENT).collect())),
    }
    .insert(&write.txn)
    .await?;
    Ok((token, expires_at))
}

/// Ends all sessions of a user except `except`. Answers how many there were.
pub(crate) async fn end(db: &impl ConnectionTrait, user: Uuid, except: Option<SessionId>) -> Result<u64> {
    let mut gone = session::Entity::delete_many().filter(session::Column::UserId.eq(user));
    if let Some(except) = except {
        gone = gone.filter(session::Column::Id.ne(except.0));
    }
    Ok(gone.exec(db).await?.rows_affected)
}

/// Cookies and links are stored as SHA-256, 32 bytes.
pub(crate) fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
