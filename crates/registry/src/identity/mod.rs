//! Who calls: users, memberships, sessions, API keys, sign-in by password and OpenID Connect, bearer tokens.

pub(crate) mod api_keys;
pub(crate) mod authentication;
pub(crate) mod bearer;
pub(crate) mod login;
pub(crate) mod memberships;
pub(crate) mod oidc;
pub(crate) mod sessions;
pub(crate) mod user_admin;
pub(crate) mod users;
