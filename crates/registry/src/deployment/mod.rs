//! The deployment as a whole: opening and migrating its database, restoring a backup, watching its clock.

pub(crate) mod backup;
pub(crate) mod check_settings;
pub(crate) mod clock_watch;
pub(crate) mod migration;
pub(crate) mod open;
pub(crate) mod restore;
pub(crate) mod write_probe;

use crate::Registry;

/// The deployment as a whole. A view of the application, reached by [`Registry::deployment`].
#[derive(Clone, Copy)]
pub struct Deployment<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// The deployment as a whole.
    pub fn deployment(&self) -> Deployment<'_> {
        Deployment { registry: self }
    }
}
