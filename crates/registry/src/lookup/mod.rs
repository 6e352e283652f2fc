//! Finds what a caller names, and says whether the caller may know of it: references, names, slugs.
pub(crate) mod api_keys;
pub(crate) mod clients;
pub(crate) mod deleted;
pub(crate) mod free_slug;
pub(crate) mod integrations;
pub(crate) mod naming;
pub(crate) mod servers;
pub(crate) mod slugs;
pub(crate) mod workspaces;
