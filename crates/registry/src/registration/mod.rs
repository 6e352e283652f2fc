//! A registration's life as the registry records it: listing, actions, the queue of the worker, clients, orphaned clients.

pub(crate) mod actions;
pub(crate) mod advertised;
pub(crate) mod brief;
pub(crate) mod bulk;
pub(crate) mod clients;
pub(crate) mod context;
pub(crate) mod echoes;
pub(crate) mod failures;
pub(crate) mod issuer_rate;
pub(crate) mod list;
pub(crate) mod orphans;
pub(crate) mod orphans_csv;
pub(crate) mod reconciliation;
pub(crate) mod record;
pub(crate) mod recording;
pub(crate) mod reregistration;
pub(crate) mod select;
pub(crate) mod show;

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

/// The queue of registrations that are due, for the worker. A view of the application, reached by [`Registry::registration_queue`].
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// The queue of registrations that are due, for the worker.
    pub fn registration_queue(&self) -> Queue<'_> {
        Queue { registry: self }
    }
}
