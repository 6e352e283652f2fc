//! Workspace access: which workspaces may use an integration, and the workspace layer of its configuration.
pub(crate) mod access;
pub(crate) mod overview;
