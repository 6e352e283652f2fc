//! Servers: an integration made available in one workspace. Each has its own layer of configuration and, where its
//! authorization server needs one, its own OAuth client.

pub(crate) mod create;
pub(crate) mod crud;
pub(crate) mod list;
mod place;
pub(crate) mod update;

use crate::Registry;

/// MCP servers of workspaces. A view of the application, reached by [`Registry::servers`].
#[derive(Clone, Copy)]
pub struct Servers<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// MCP servers of workspaces.
    pub fn servers(&self) -> Servers<'_> {
        Servers { registry: self }
    }
}
