//! Looks up rows by the id or slug that a caller names.
//!
//! A finder answers "not found" also for a row that exists and that the caller may not see, so that callers cannot probe
//! for names. Beside the finders are the short reference types that other results embed ([`workspaces::WorkspaceRef`],
//! [`servers::ServerRef`], [`integrations::IntegrationRef`]), the rules of names and slugs, and
//! the counts that are kept with each write ([`tally`]).

pub(crate) mod api_keys;
pub(crate) mod clients;
pub(crate) mod deleted;
pub(crate) mod free_slug;
pub(crate) mod integrations;
pub(crate) mod naming;
pub(crate) mod servers;
pub(crate) mod slugs;
pub(crate) mod tally;
pub(crate) mod workspaces;
