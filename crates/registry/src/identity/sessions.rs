//! Browser sessions: who is behind a cookie, the list of one's own, ending them.

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

/// How long a session lives without being used.
const LIFE: Duration = Duration::hours(12);
/// How long it lives however much it is used: then people show again who they are, and the identity provider says again
/// what they may do.
const LONGEST: Duration = Duration::days(7);
const LONGEST_OF_PROVIDER: Duration = Duration::hours(12);
/// As much of a `User-Agent` as is kept.
const LONGEST_AGENT: usize = 300;

/// Why somebody is not let in who may do nothing any more.
pub(crate) const NO_ROLE_LEFT: &str = "You have no role here any more. Ask an administrator for one.";

/// One session of a person.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id; not what the cookie holds.
    pub id: SessionId,
    /// When somebody signed in.
    pub started_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends if it is not used.
    pub expires_at: Timestamp,
    /// Where from, when somebody signed in.
    pub address: Option<String>,
    /// The beginning of the browser's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Sessions<'_> {
    /// The caller's own sessions, the last used first.
    pub async fn list(self, actor: &Actor) -> Result<Vec<Session>> {
        let person = self.registry.users().row(actor).await?;
        self.list_sessions(actor, person.id).await
    }

    /// Somebody's sessions, the last used first.
    pub async fn list_of(self, actor: &Actor, person: UserId) -> Result<Vec<Session>> {
        actor.require_organisation(Permission::ManagePeople)?;
        let found = user::Entity::find_by_id(person.0).one(self.registry.db()).await?;
        found.ok_or_else(|| Error::not_found("person", person))?;
        self.list_sessions(actor, person.0).await
    }

    async fn list_sessions(self, actor: &Actor, person: Uuid) -> Result<Vec<Session>> {
        let rows = session::Entity::find()
            .filter(session::Column::UserId.eq(person))
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

    /// Ends one of the caller's own sessions.
    pub async fn end(self, actor: &Actor, id: SessionId) -> Result<()> {
        let person = self.registry.users().row(actor).await?;
        self.end_one(actor, person, id).await
    }

    /// Ends one of somebody's sessions.
    pub async fn end_of(self, actor: &Actor, person: UserId, id: SessionId) -> Result<()> {
        actor.require_organisation(Permission::ManagePeople)?;
        let found = user::Entity::find_by_id(person.0).one(self.registry.db()).await?;
        self.end_one(actor, found.ok_or_else(|| Error::not_found("person", person))?, id).await
    }

    async fn end_one(self, actor: &Actor, person: user::Model, id: SessionId) -> Result<()> {
        let mut write = self.registry.begin_write(actor).await?;
        let ended = session::Entity::delete_many()
            .filter(session::Column::UserId.eq(person.id))
            .filter(session::Column::Id.eq(id.0))
            .exec(&write.txn)
            .await?;
        if ended.rows_affected == 0 {
            return Err(Error::not_found("session", id));
        }
        write.audit(Event::new(AuditAction::UserSessionEnded, "user", person.id).named(person.email));
        write.commit().await
    }

    /// Ends all sessions of somebody; how many there were.
    pub async fn end_all_of(self, actor: &Actor, person: UserId) -> Result<u64> {
        actor.require_organisation(Permission::ManagePeople)?;
        let found = user::Entity::find_by_id(person.0).one(self.registry.db()).await?;
        let found = found.ok_or_else(|| Error::not_found("person", person))?;
        self.end_all(actor, found, None).await
    }

    /// Ends all of the caller's sessions but the present one; how many there were.
    pub async fn end_others(self, actor: &Actor) -> Result<u64> {
        let person = self.registry.users().row(actor).await?;
        self.end_all(actor, person, actor.session).await
    }

    async fn end_all(self, actor: &Actor, person: user::Model, except: Option<SessionId>) -> Result<u64> {
        let mut write = self.registry.begin_write(actor).await?;
        let ended = end(&write.txn, person.id, except).await?;
        if ended > 0 {
            write.audit(
                Event::new(AuditAction::UserSessionsEnded, "user", person.id)
                    .named(person.email)
                    .after(serde_json::json!({ "sessions": ended })),
            );
        }
        write.commit().await?;
        Ok(ended)
    }

    /// The actor behind a session cookie.
    pub(crate) async fn actor_of(self, token: &str, origin: RequestContext) -> Result<Actor> {
        let refused = || Error::Unauthenticated("Your session has ended. Sign in again.");
        let (row, person) = session::Entity::find()
            .filter(session::Column::TokenHash.eq(token_hash(token)))
            .filter(session::Column::ExpiresAt.gt(millis(self.registry.now())))
            .find_also_related(user::Entity)
            .one(self.registry.db())
            .await?
            .ok_or_else(refused)?;
        let person = person.filter(|person| person.deactivated_at.is_none()).ok_or_else(refused)?;
        let (id, now) = (SessionId(row.id), millis(self.registry.now()));
        let longest =
            if self.registry.login().may_have_password(&person) { LONGEST } else { LONGEST_OF_PROVIDER };
        let end = row.created_at + longest.num_milliseconds();
        if now >= end {
            return Err(refused());
        }
        if now - row.last_seen_at > 60_000 {
            let mut seen = row.into_active_model();
            seen.last_seen_at = Set(now);
            seen.expires_at = Set(Ord::min(now + LIFE.num_milliseconds(), end));
            if let Err(error) = seen.update(self.registry.db()).await {
                tracing::warn!(%error, "a session could not be prolonged");
            }
        }
        let (role, workspace) = memberships::acting(self.registry.db(), &person)
            .await?
            .ok_or(Error::Unauthenticated(NO_ROLE_LEFT))?;
        Ok(Actor {
            kind: "user",
            id: Some(person.id.to_string()),
            role,
            scopes: Vec::new(),
            workspace,
            session: Some(id),
            until: None,
            name: person.name,
            origin,
        })
    }
}

/// Begins a session for a person: the cookie's value, and when it ends if it is not used.
pub(crate) async fn open(write: &Write<'_>, person: Uuid) -> Result<(String, Timestamp)> {
    // The sessions that ended are of no use to anybody.
    session::Entity::delete_many()
        .filter(session::Column::ExpiresAt.lte(write.millis()))
        .exec(&write.txn)
        .await?;
    let token = random_base62(43)?;
    let expires_at = write.now + LIFE;
    let origin = &write.actor().origin;
    session::ActiveModel {
        id: Set(write.registry.new_id()),
        user_id: Set(person),
        token_hash: Set(token_hash(&token)),
        created_at: Set(write.millis()),
        last_seen_at: Set(write.millis()),
        expires_at: Set(millis(expires_at)),
        address: Set(origin.address.clone()),
        user_agent: Set(origin.user_agent.as_ref().map(|text| text.chars().take(LONGEST_AGENT).collect())),
    }
    .insert(&write.txn)
    .await?;
    Ok((token, expires_at))
}

/// Ends every session of a person, except one; how many there were.
pub(crate) async fn end(db: &impl ConnectionTrait, person: Uuid, except: Option<SessionId>) -> Result<u64> {
    let mut gone = session::Entity::delete_many().filter(session::Column::UserId.eq(person));
    if let Some(except) = except {
        gone = gone.filter(session::Column::Id.ne(except.0));
    }
    Ok(gone.exec(db).await?.rows_affected)
}

/// How cookies and links are kept.
pub(crate) fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
