//! The deployment as a whole: opening and migrating its database, restoring a backup, watching its clock.

pub(crate) mod check_settings;
pub(crate) mod clock_watch;
pub(crate) mod migration;
pub(crate) mod open;
pub(crate) mod restore;
