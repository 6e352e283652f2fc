//! The tables as sea-orm sees them. No sea-orm type leaves this crate.

pub(crate) mod access;
pub(crate) mod api_key;
pub(crate) mod attempt;
pub(crate) mod audit_checkpoint;
pub(crate) mod audit_event;
pub(crate) mod change;
pub(crate) mod deployment;
pub(crate) mod draft;
pub(crate) mod integration;
pub(crate) mod issuer_budget;
pub(crate) mod logo;
pub(crate) mod membership;
pub(crate) mod oauth_client;
pub(crate) mod organisation;
pub(crate) mod orphan;
pub(crate) mod registration;
pub(crate) mod revision;
pub(crate) mod sealed_value;
pub(crate) mod secret_mapping;
pub(crate) mod sequence;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod sign_in_failure;
pub(crate) mod sign_in_link;
pub(crate) mod user;
pub(crate) mod workspace;
