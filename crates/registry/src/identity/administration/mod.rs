//! Administration of users: inviting, roles, sign-in links, deactivation.

pub(crate) mod change;
pub(crate) mod invite;
pub(crate) mod last_admin;
pub(crate) mod links;
pub(crate) mod operator;
pub(crate) mod roles;
pub(crate) mod rows;
