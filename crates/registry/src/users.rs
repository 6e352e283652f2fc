//! People: passwords, browser sessions, one-time sign-in links.

use crate::api_keys::random_base62;
use crate::entity::{session, sign_in_link, user};
use crate::stored::{millis, moment, word};
use crate::write::Event;
use crate::{Actor, Door, Error, Origin, Registry, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use chrono::Duration;
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::{UserId, WorkspaceId};
use registry_core::permission::Role;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long a session lives without being used.
const SESSION: Duration = Duration::hours(12);
/// How long a one-time link may wait.
const LINK: Duration = Duration::hours(24);
const REFUSED: &str = "E-mail address or password is not right.";

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// What they sign in with.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they set a password.
    pub has_password: bool,
    /// When they were made known.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
}

/// A fresh session.
#[derive(Clone)]
pub struct SignedIn {
    /// The cookie's value. A secret.
    pub session: String,
    /// Who signed in.
    pub user: User,
    /// When the session ends if it is not used.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SignedIn({})", self.user.id)
    }
}

impl Registry {
    /// Signs in by e-mail address and password. Every refusal is the same and takes the same time.
    pub async fn sign_in(&self, email: &str, password: &str, origin: Origin) -> Result<SignedIn> {
        let found =
            user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email))).one(self.db()).await?;
        let hash = found.as_ref().and_then(|found| found.password_hash.clone());
        let given = password.to_owned();
        let right = blocking(move || verify_password(&given, hash.as_deref())).await?;
        match found {
            Some(found) if right => self.open_session(found, "user.signed_in", origin).await,
            _ => {
                tracing::info!(address = origin.address.as_deref().unwrap_or("unknown"), "sign-in refused");
                Err(Error::Unauthenticated(REFUSED))
            }
        }
    }

    /// Signs in by a one-time link.
    pub async fn sign_in_with_link(&self, token: &str, origin: Origin) -> Result<SignedIn> {
        let refused = || {
            Error::Unauthenticated(
                "This link was used already or is too old. Make a new one with `mcp-registry user link`.",
            )
        };
        let write = self.begin_write(&visitor(origin.clone())).await?;
        let link = sign_in_link::Entity::find()
            .filter(sign_in_link::Column::TokenHash.eq(token_hash(token)))
            .filter(sign_in_link::Column::UsedAt.is_null())
            .filter(sign_in_link::Column::ExpiresAt.gt(write.millis()))
            .one(&write.txn)
            .await?
            .ok_or_else(refused)?;
        // The condition, not the reading above, is what makes it once.
        let used = sign_in_link::Entity::update_many()
            .col_expr(sign_in_link::Column::UsedAt, sea_orm::sea_query::Expr::value(write.millis()))
            .filter(sign_in_link::Column::Id.eq(link.id))
            .filter(sign_in_link::Column::UsedAt.is_null())
            .exec(&write.txn)
            .await?;
        if used.rows_affected == 0 {
            return Err(refused());
        }
        let found = user::Entity::find_by_id(link.user_id).one(&write.txn).await?.ok_or_else(refused)?;
        write.commit().await?;
        self.open_session(found, "user.signed_in_by_link", origin).await
    }

    /// Ends a session.
    pub async fn sign_out(&self, session: &str, origin: Origin) -> Result<()> {
        let actor = self.actor_of_session(session, origin).await?;
        let mut write = self.begin_write(&actor).await?;
        session::Entity::delete_many()
            .filter(session::Column::TokenHash.eq(token_hash(session)))
            .exec(&write.txn)
            .await?;
        write.audit(
            Event::new("user.signed_out", "user", actor.id.clone().unwrap_or_default()).named(actor.name()),
        );
        write.commit().await
    }

    /// The person behind the caller.
    pub async fn current_user(&self, actor: &Actor) -> Result<User> {
        self.user_row(actor).await?.try_into()
    }

    /// Sets the caller's password. The present one is needed where there is one.
    pub async fn set_password(&self, actor: &Actor, current: Option<&str>, new: &str) -> Result<()> {
        let row = self.user_row(actor).await?;
        let length = new.chars().count();
        if !(12..=256).contains(&length) {
            return Err(Error::invalid(Finding::error(
                "/password",
                "invalid_length",
                "A password has 12 to 256 characters. A few unrelated words make a good one.",
            )));
        }
        if let Some(hash) = row.password_hash.clone() {
            let given = current.unwrap_or_default().to_owned();
            if !blocking(move || verify_password(&given, Some(&hash))).await? {
                return Err(Error::invalid(Finding::error(
                    "/current_password",
                    "wrong_password",
                    "This is not your present password.",
                )));
            }
        }
        let given = new.to_owned();
        let hash = blocking(move || hash_password(&given)).await??;
        let mut write = self.begin_write(actor).await?;
        let id = row.id;
        let name = row.email.clone();
        let mut changed = row.into_active_model();
        changed.password_hash = Set(Some(hash));
        changed.updated_at = Set(write.millis());
        changed.update(&write.txn).await?;
        write.audit(Event::new("user.password_set", "user", id).named(name));
        write.commit().await
    }

    /// A one-time link for `email`; a person not known yet becomes an admin. For the operator at the machine only:
    /// no door of the network leads here.
    pub async fn create_sign_in_link(&self, email: &str, origin: Origin) -> Result<String> {
        if origin.door != Door::Cli {
            return Err(Error::Unauthenticated("Sign-in links are made on the machine itself."));
        }
        let email = email.trim();
        if !email.contains('@')
            || email.len() > 254
            || email.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return Err(Error::invalid(Finding::error(
                "/email",
                "invalid_email",
                "Write an e-mail address, such as \"you@example.com\".",
            )));
        }
        let mut actor = Actor::program("operator", "operator", Door::Cli);
        actor.origin = origin;
        let mut write = self.begin_write(&actor).await?;
        let key = email_key(email);
        let found = user::Entity::find().filter(user::Column::EmailKey.eq(&key)).one(&write.txn).await?;
        let person = if let Some(found) = found {
            found
        } else {
            let model = user::Model {
                id: self.new_id(),
                email: email.to_owned(),
                email_key: key,
                name: email.split('@').next().unwrap_or(email).to_owned(),
                role: Role::Admin.as_str().to_owned(),
                workspace_id: None,
                password_hash: None,
                created_at: write.millis(),
                updated_at: write.millis(),
                last_sign_in_at: None,
            };
            model.clone().into_active_model().reset_all().insert(&write.txn).await?;
            write.audit(Event::new("user.created", "user", model.id).named(email));
            model
        };
        let token = random_base62(43)?;
        sign_in_link::ActiveModel {
            id: Set(self.new_id()),
            user_id: Set(person.id),
            token_hash: Set(token_hash(&token)),
            created_at: Set(write.millis()),
            expires_at: Set(write.millis() + LINK.num_milliseconds()),
            used_at: Set(None),
        }
        .insert(&write.txn)
        .await?;
        write.audit(Event::new("user.link_created", "user", person.id).named(&person.email));
        write.commit().await?;
        Ok(token)
    }

    /// Whether anybody could sign in with a password or has signed in before.
    pub async fn has_people(&self) -> Result<bool> {
        let known = user::Entity::find()
            .filter(user::Column::PasswordHash.is_not_null().or(user::Column::LastSignInAt.is_not_null()))
            .count(self.db())
            .await?;
        Ok(known > 0)
    }

    /// The actor behind a session cookie.
    pub(crate) async fn actor_of_session(&self, token: &str, origin: Origin) -> Result<Actor> {
        let refused = || Error::Unauthenticated("Your session has ended. Sign in again.");
        let (row, person) = session::Entity::find()
            .filter(session::Column::TokenHash.eq(token_hash(token)))
            .filter(session::Column::ExpiresAt.gt(millis(self.now())))
            .find_also_related(user::Entity)
            .one(self.db())
            .await?
            .ok_or_else(refused)?;
        let person = person.ok_or_else(refused)?;
        let now = millis(self.now());
        if now - row.last_seen_at > 60_000 {
            let mut seen = row.into_active_model();
            seen.last_seen_at = Set(now);
            seen.expires_at = Set(now + SESSION.num_milliseconds());
            if let Err(error) = seen.update(self.db()).await {
                tracing::warn!(%error, "a session could not be prolonged");
            }
        }
        Ok(Actor {
            kind: "user",
            id: Some(person.id.to_string()),
            role: word(Role::parse, &person.role, "user", "role", person.id)?,
            scopes: Vec::new(),
            workspace: person.workspace_id.map(WorkspaceId),
            name: person.name,
            origin,
        })
    }

    async fn open_session(
        &self,
        person: user::Model,
        action: &'static str,
        origin: Origin,
    ) -> Result<SignedIn> {
        let mut actor = visitor(origin);
        actor.id = Some(person.id.to_string());
        actor.name.clone_from(&person.name);
        let mut write = self.begin_write(&actor).await?;
        // The sessions that ended are of no use to anybody.
        session::Entity::delete_many()
            .filter(session::Column::ExpiresAt.lte(write.millis()))
            .exec(&write.txn)
            .await?;
        let token = random_base62(43)?;
        let expires_at = write.now + SESSION;
        session::ActiveModel {
            id: Set(self.new_id()),
            user_id: Set(person.id),
            token_hash: Set(token_hash(&token)),
            created_at: Set(write.millis()),
            last_seen_at: Set(write.millis()),
            expires_at: Set(millis(expires_at)),
            address: Set(actor.origin.address.clone()),
        }
        .insert(&write.txn)
        .await?;
        let mut seen = person.into_active_model();
        seen.last_sign_in_at = Set(Some(write.millis()));
        let person = seen.update(&write.txn).await?;
        write.audit(Event::new(action, "user", person.id).named(&person.email));
        write.commit().await?;
        Ok(SignedIn { session: token, user: person.try_into()?, expires_at })
    }

    async fn user_row(&self, actor: &Actor) -> Result<user::Model> {
        let missing = || Error::not_found("user", actor.name());
        let id = actor.id.as_deref().filter(|_| actor.kind == "user").ok_or_else(missing)?;
        let id = Uuid::parse_str(id).map_err(|_| missing())?;
        user::Entity::find_by_id(id).one(self.db()).await?.ok_or_else(missing)
    }
}

/// Ends every session of a person.
pub(crate) async fn end_sessions(db: &impl ConnectionTrait, person: Uuid) -> Result<()> {
    session::Entity::delete_many().filter(session::Column::UserId.eq(person)).exec(db).await?;
    Ok(())
}

/// Somebody at the sign-in page.
fn visitor(origin: Origin) -> Actor {
    let mut actor = Actor::program("user", "visitor", Door::Web);
    actor.origin = origin;
    actor
}

fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Password hashing takes tens of milliseconds of a core: not on a thread that serves others.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(Box::new(error)))
}

fn hash_password(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Internal(error.to_string().into()))
}

/// Checks against a fixed hash where there is none, so that an unknown address takes as long as a wrong password.
fn verify_password(password: &str, hash: Option<&str>) -> bool {
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Q7Vd1mYcXp0m6kq5cGn2v8r1C9W3tHkE4bS0uJxY5oA";
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
}

impl TryFrom<user::Model> for User {
    type Error = Error;
    fn try_from(row: user::Model) -> Result<Self> {
        Ok(Self {
            id: UserId(row.id),
            role: word(Role::parse, &row.role, "user", "role", row.id)?,
            email: row.email,
            name: row.name,
            has_password: row.password_hash.is_some(),
            created_at: moment(row.created_at),
            last_sign_in_at: row.last_sign_in_at.map(moment),
        })
    }
}
