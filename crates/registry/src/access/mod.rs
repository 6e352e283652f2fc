//! Workspace access: which workspaces may use an integration, the workspace layer of its configuration, and which users may
//! use a server.

pub(crate) mod changes;
pub(crate) mod list;
pub(crate) mod overview;
mod prepared;
pub(crate) mod request;
pub(crate) mod users;

use crate::Registry;

/// Which workspaces may use an integration. A view of the application, reached by [`Registry::access`].
#[derive(Clone, Copy)]
pub struct IntegrationAccess<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Which workspaces may use an integration.
    pub fn access(&self) -> IntegrationAccess<'_> {
        IntegrationAccess { registry: self }
    }
}
