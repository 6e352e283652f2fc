//! Workspace access: which workspaces may use an integration, and the workspace layer of its configuration.

pub(crate) mod changes;
pub(crate) mod list;
pub(crate) mod overview;
mod prepared;
pub(crate) mod request;

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
