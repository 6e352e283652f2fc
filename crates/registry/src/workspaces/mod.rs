//! Workspaces: the teams of the organisation. A workspace has servers and may own integrations; API keys and users can be
//! bound to it. Deleting one also deletes what it owns.

pub(crate) mod crud;
pub(crate) mod overview;

use crate::Registry;

/// Workspaces. A view of the application, reached by [`Registry::workspaces`].
#[derive(Clone, Copy)]
pub struct Workspaces<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Workspaces.
    pub fn workspaces(&self) -> Workspaces<'_> {
        Workspaces { registry: self }
    }
}
