//! A registration's life as the registry records it: listing, actions, the queue of the worker, clients, orphaned clients.

pub(crate) mod actions;
pub(crate) mod advertised;
pub(crate) mod attempt_retention;
pub(crate) mod attempts;
pub(crate) mod brief;
pub(crate) mod bulk;
pub(crate) mod claims;
pub(crate) mod clients;
pub(crate) mod context;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod crowd_tests;
pub(crate) mod documents;
mod done;
pub(crate) mod failures;
mod fairness;
pub(crate) mod issuer_rate;
pub(crate) mod known_secrets;
pub(crate) mod list;
pub(crate) mod management;
pub(crate) mod observed;
pub(crate) mod orphans;
pub(crate) mod orphans_csv;
pub(crate) mod outcomes;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod reregistration;
pub(crate) mod select;
pub(crate) mod settle;
pub(crate) mod show;
mod situation;
mod unusable;

use crate::Registry;

/// Registrations: listing and what users do about them. A view of the application, reached by [`Registry::registrations`].
#[derive(Clone, Copy)]
pub struct Registrations<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Registrations: listing and what users do about them.
    pub fn registrations(&self) -> Registrations<'_> {
        Registrations { registry: self }
    }
}

/// Orphaned clients. A view of the application, reached by [`Registry::orphans`].
#[derive(Clone, Copy)]
pub struct Orphans<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Orphaned clients.
    pub fn orphans(&self) -> Orphans<'_> {
        Orphans { registry: self }
    }
}
