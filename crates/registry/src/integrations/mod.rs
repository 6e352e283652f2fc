//! Integrations: the catalogue, who has access, drafts, preflight, tests of the connection, logos, import and export.

pub(crate) mod connection_test;
pub(crate) mod counts;
pub(crate) mod crud;
pub(crate) mod drafts;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod logos;
pub(crate) mod maintenance;
pub(crate) mod preflight;
pub(crate) mod update;
