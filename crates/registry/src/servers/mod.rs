//! MCP servers of a workspace.

pub(crate) mod crud;
pub(crate) mod update;
