//! Workspaces.

pub(crate) mod crud;
pub(crate) mod overview;
