//! Identity of callers: users, memberships, sessions, API keys, sign-in by password and OpenID Connect, bearer tokens.

pub(crate) mod administration;
pub(crate) mod api_keys;
pub(crate) mod authentication;
pub(crate) mod bearer;
pub(crate) mod login;
pub(crate) mod memberships;
pub(crate) mod oidc;
pub(crate) mod own_details;
pub(crate) mod sessions;
pub(crate) mod users;

use crate::Registry;

/// Users: listing, inviting, changing. A view of the application, reached by [`Registry::users`].
#[derive(Clone, Copy)]
pub struct Users<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Users: listing, inviting, changing.
    pub fn users(&self) -> Users<'_> {
        Users { registry: self }
    }
}

/// Browser sessions. A view of the application, reached by [`Registry::sessions`].
#[derive(Clone, Copy)]
pub struct Sessions<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Browser sessions.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions { registry: self }
    }
}

/// API keys. A view of the application, reached by [`Registry::api_keys`].
#[derive(Clone, Copy)]
pub struct ApiKeys<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { registry: self }
    }
}

/// Sign-in: by password, one-time link or identity provider. A view of the application, reached by [`Registry::login`].
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Sign-in: by password, one-time link or identity provider.
    pub fn login(&self) -> Login<'_> {
        Login { registry: self }
    }
}

/// Callers: from a credential to an actor. A view of the application, reached by [`Registry::callers`].
#[derive(Clone, Copy)]
pub struct Callers<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Callers: from a credential to an actor.
    pub fn callers(&self) -> Callers<'_> {
        Callers { registry: self }
    }
}
