//! Sign-in by password and by one-time link; sign-out.

use crate::identity::administration::links::delete_unused_links;
use crate::identity::login::{lockout, passwords};
use crate::identity::sessions::token_hash;
use crate::identity::users::{User, email_key};
use crate::identity::{Login, memberships, sessions};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{session, sign_in_link, user};
use crate::storage::write::{Event, Write};
use crate::{Actor, Channel, Error, RequestContext, Result};
use registry_core::clock::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use serde_json::json;

const REFUSED: &str = "E-mail address or password is not right.";

/// A new session.
#[derive(Clone)]
pub struct SignedIn {
    /// Value of the cookie. A secret.
    pub session: String,
    /// The user.
    pub user: User,
    /// When the session expires unless it is used.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SignedIn({})", self.user.id)
    }
}

impl Login<'_> {
    /// Signs in by e-mail address and password. All refusals are the same and take the same time.
    pub async fn sign_in(self, email: &str, password: &str, origin: RequestContext) -> Result<SignedIn> {
        self.require_passwords_enabled()?;
        let key = email_key(email);
        self.registry.inner.sign_in_limits.admit(origin.address.as_deref())?;
        // Counted before the check: concurrent guesses get no more checks than guesses one after another.
        let mut write = self.registry.begin_write(&anonymous_actor(origin.clone())).await?;
        let locks = lockout::admit(&mut write, &key).await?;
        write.commit().await?;
        let found =
            user::Entity::find().filter(user::Column::EmailKey.eq(&key)).one(self.registry.db()).await?;
        let hash = found
            .as_ref()
            .filter(|found| self.may_have_password(found))
            .and_then(|found| found.password_hash.clone());
        let right = passwords::verify(password, hash).await?;
        match found {
            Some(found) if right && found.deactivated_at.is_none() => {
                let actor = actor_for(&found, origin);
                let write = self.registry.begin_write(&actor).await?;
                self.open_session(write, found, AuditAction::UserSignedIn).await
            }
            found => {
                tracing::info!(address = origin.address.as_deref().unwrap_or("unknown"), "sign-in refused");
                let mut write = self.registry.begin_write(&anonymous_actor(origin)).await?;
                // The entered address is named only if it is known: otherwise it may be a password.
                let event = |action| match &found {
                    Some(found) => Event::new(action, "user", found.id).named(&found.email),
                    None => Event::new(action, "user", "unknown"),
                };
                write.audit(event(AuditAction::UserSignInRefused));
                if let Some(until) = locks {
                    write.audit(event(AuditAction::UserLocked).after(json!({ "until": until })));
                }
                write.commit().await?;
                Err(Error::Unauthenticated(REFUSED))
            }
        }
    }

    /// Signs in with a one-time link.
    pub async fn sign_in_with_link(self, token: &str, origin: RequestContext) -> Result<SignedIn> {
        let refused = || {
            Error::Unauthenticated(
                "This link was used already or is too old. Ask an administrator for a new one, or make one with `mcp-registry user link`.",
            )
        };
        self.registry.inner.sign_in_limits.admit(origin.address.as_deref())?;
        let link = sign_in_link::Entity::find()
            .filter(sign_in_link::Column::TokenHash.eq(token_hash(token)))
            .one(self.registry.db())
            .await?
            .ok_or_else(refused)?;
        let found =
            user::Entity::find_by_id(link.user_id).one(self.registry.db()).await?.ok_or_else(refused)?;
        let actor = actor_for(&found, origin);
        let write = self.registry.begin_write(&actor).await?;
        // This condition, not the read above, makes the link one-time.
        let used = sign_in_link::Entity::update_many()
            .col_expr(sign_in_link::Column::UsedAt, Expr::value(write.millis()))
            .filter(sign_in_link::Column::Id.eq(link.id))
            .filter(sign_in_link::Column::UsedAt.is_null())
            .filter(sign_in_link::Column::ExpiresAt.gt(write.millis()))
            .exec(&write.txn)
            .await?;
        if used.rows_affected == 0 {
            return Err(refused());
        }
        delete_unused_links(&write, found.id).await?;
        let opened = self.open_session(write, found, AuditAction::UserSignedInByLink).await;
        opened.map_err(|error| if matches!(error, Error::Unauthenticated(GONE)) { refused() } else { error })
    }

    /// Ends a session.
    pub async fn sign_out(self, session: &str, origin: RequestContext) -> Result<()> {
        let actor = self.registry.sessions().actor_of(session, origin).await?;
        let mut write = self.registry.begin_write(&actor).await?;
        session::Entity::delete_many()
            .filter(session::Column::TokenHash.eq(token_hash(session)))
            .exec(&write.txn)
            .await?;
        write.audit(
            Event::new(AuditAction::UserSignedOut, "user", actor.id.clone().unwrap_or_default())
                .named(actor.name()),
        );
        write.commit().await
    }

    /// Whether any user has a password or has signed in before.
    pub async fn has_users(self) -> Result<bool> {
        let known = user::Entity::find()
            .filter(user::Column::PasswordHash.is_not_null().or(user::Column::LastSignInAt.is_not_null()))
            .count(self.registry.db())
            .await?;
        Ok(known > 0)
    }

    /// Creates a session for a user who was checked as `user`, unless the user changed since.
    pub(crate) async fn open_session(
        self,
        mut write: Write<'_>,
        user: user::Model,
        action: AuditAction,
    ) -> Result<SignedIn> {
        let now = user::Entity::find_by_id(user.id).one(&write.txn).await?;
        let same =
            |now: &user::Model| now.deactivated_at.is_none() && now.password_hash == user.password_hash;
        let user = now.filter(same).ok_or(Error::Unauthenticated(GONE))?;
        if memberships::acting(&write.txn, &user).await?.is_none() {
            return Err(Error::Unauthenticated(sessions::NO_ROLE_LEFT));
        }
        let (session, expires_at) = sessions::open(&write, user.id).await?;
        let mut seen = user.into_active_model();
        seen.last_sign_in_at = Set(Some(write.millis()));
        let user = seen.update(&write.txn).await?;
        write.audit(Event::new(action, "user", user.id).named(&user.email));
        lockout::forget(&write, &user.email_key).await?;
        write.commit().await?;
        Ok(SignedIn { session, user: self.registry.users().with_memberships(user).await?, expires_at })
    }

    /// Whether a user may have a password: not users of the identity provider, because only the provider says whether
    /// they still may sign in.
    pub(crate) fn may_have_password(self, user: &user::Model) -> bool {
        user.subject.is_none() || self.registry.settings().provider.is_none()
    }
}

/// Refusal for users who were deactivated, or got another password, during sign-in.
const GONE: &str = "Your account changed during sign-in. Try again.";

/// The actor of a user during sign-in.
pub(crate) fn actor_for(user: &user::Model, origin: RequestContext) -> Actor {
    let mut actor = anonymous_actor(origin);
    actor.id = Some(user.id.to_string());
    actor.name.clone_from(&user.name);
    actor
}

/// The actor of an anonymous client at the sign-in page.
pub(crate) fn anonymous_actor(origin: RequestContext) -> Actor {
    let mut actor = Actor::program("user", "visitor", Channel::Web);
    actor.origin = origin;
    actor
}
