//! The in-memory cache of gateway documents, and what keeps it consistent with the database.
//!
//! * `document`: the bytes of resolved documents, prepared once per change, found without a lock.
//! * `identity`: credentials of gateways that were checked.
//! * `lookup`: a gateway's GET: from memory, or loaded once for all that wait (single flight).
//! * `access_log`: who read which secret, and which key was used when, written in the background.
//! * `changes`: the newest changes, for gateways that follow them.
//! * `watcher`: the task that learns of every commit, of this and of other processes, and invalidates what it touches.
//!
//! Nothing is cached while no watcher runs: the cache would keep what is no longer true.
//!
//! No reader ever keeps an outdated entry (INV-42), by this order. A loader notes the newest change that its snapshot
//! holds, inserts, and then looks whether a newer one was announced meanwhile. The watcher announces first and
//! invalidates afterwards. So the second of the two always sees the first.

mod access_log;
mod changes;
mod document;
mod identity;
mod lookup;
mod watcher;
use crate::gateway::Gateway;
use registry_core::clock::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::sync::watch;

pub use changes::{ChangeEvent, GatewayChange, WatchResult};
pub use document::{CachedDocument, Coding};
pub(crate) use identity::{Identity, fingerprint};

/// The memory of one process.
#[derive(Default)]
pub(crate) struct Live {
    /// Whether a watcher keeps the rest consistent.
    watching: AtomicBool,
    /// The newest change that was marked, as a revision.
    applied: AtomicI64,
    /// Whether API keys or users changed, and the cached credentials were not checked since.
    identities_due: AtomicBool,
    /// Since when the database does not answer, in milliseconds since 1970; 0: it does.
    away_since: AtomicI64,
    /// Whether this process ends: gateways that follow changes shall go to another one.
    closing: AtomicBool,
    documents: document::Documents,
    pub(crate) identities: identity::Identities,
    changes: changes::ChangeLog,
    access_log: access_log::AccessLog,
}

impl Live {
    pub(crate) fn is_watching(&self) -> bool {
        self.watching.load(Ordering::SeqCst)
    }

    /// Announces each commit that changed a document, of this or of another process.
    pub(crate) fn commits(&self) -> watch::Receiver<i64> {
        self.changes.announced.subscribe()
    }

    /// The cached documents were prepared with shared settings that are no longer in force.
    pub(crate) fn settings_changed(&self) {
        self.documents.invalidate_all();
    }

    pub(crate) fn applied(&self) -> i64 {
        self.applied.load(Ordering::SeqCst)
    }
}

impl Gateway<'_> {
    /// Whether this process caches documents, as [`Self::watch`] makes it do.
    pub fn is_watching(self) -> bool {
        self.registry.inner.live.is_watching()
    }

    /// Ends every wait for a change, so that gateways that follow go to another process at once. Called when this process ends.
    pub fn close(self) {
        self.registry.inner.live.closing.store(true, Ordering::SeqCst);
        self.registry.inner.live.changes.announced.send_modify(|_| {});
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closing(self) -> bool {
        self.registry.inner.live.closing.load(Ordering::SeqCst)
    }

    /// How many documents are cached, and their bytes.
    pub fn cached_documents(self) -> (usize, usize) {
        self.registry.inner.live.documents.volume()
    }

    /// Since when the database has not answered, so that gateways get the last known documents; `None` while it answers.
    pub fn away_since(self) -> Option<Timestamp> {
        match self.registry.inner.live.away_since.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(crate::storage::columns::moment(millis)),
        }
    }
}
