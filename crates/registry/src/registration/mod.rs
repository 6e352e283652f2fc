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
