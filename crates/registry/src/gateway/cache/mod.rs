//! The in-memory cache of gateway documents, and what keeps it consistent with the database.
//!
//! * `document`: the bytes of resolved documents, prepared once per change, found without a lock.
//! * `identity`: checked credentials of gateways.
//! * `lookup`: answers a gateway's GET from memory, or loads the document once for all requests that wait for it (single
//!   flight).
//! * `access_log`: who read which secret, and when each API key was last used; written in the background.
//! * `changes`: the newest changes, for gateways that follow them.
//! * `commit_listener`: how the watcher hears of commits of other processes.
//! * `watcher`: the task that reads every commit, of this and of other processes, and invalidates the entries that the
//!   commit changed.
//!
//! Nothing is cached while no watcher runs, because nothing would invalidate outdated entries.
//!
//! The cache never keeps an outdated entry (INV-42), because of this order. A reader that loads an entry notes the revision
//! of its snapshot, inserts the entry, and then reads `Live::applied`; if that is newer, the reader drops the entry. The
//! watcher stores the new revision in `Live::applied` first and invalidates entries afterwards. So either the reader sees
//! the new revision, or the watcher sees the new entry.

mod access_log;
mod changes;
mod commit_listener;
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

/// The cache of one process, and what this process knows about the database.
#[derive(Default)]
pub(crate) struct Live {
    /// Whether a watcher runs and keeps the entries consistent with the database.
    watching: AtomicBool,
    /// The revision of the newest change that the watcher has read; stored before the watcher invalidates entries.
    applied: AtomicI64,
    /// Whether cached credentials must be checked again, because API keys or users changed.
    identities_due: AtomicBool,
    /// When the database stopped answering, in milliseconds since 1970; 0 while the database answers.
    away_since: AtomicI64,
    /// Whether this process is ending, so that gateways that follow changes must connect to another process.
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

    /// Receives the revision of the newest announced change, made by this or by another process.
    pub(crate) fn commits(&self) -> watch::Receiver<i64> {
        self.changes.announced.subscribe()
    }

    /// Invalidates every cached document, because all were prepared with shared settings that are no longer in force.
    pub(crate) fn settings_changed(&self) {
        self.documents.invalidate_all();
    }

    /// The revision of the newest change that the watcher has read.
    pub(crate) fn applied(&self) -> i64 {
        self.applied.load(Ordering::SeqCst)
    }
}

impl Gateway<'_> {
    /// Whether this process caches documents: while [`Self::watch`] runs.
    pub fn is_watching(self) -> bool {
        self.registry.inner.live.is_watching()
    }

    /// Ends every wait for a change, so that gateways that follow changes connect to another process at once. Called when
    /// this process ends.
    pub fn close(self) {
        self.registry.inner.live.closing.store(true, Ordering::SeqCst);
        self.registry.inner.live.changes.announced.send_modify(|_| {});
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closing(self) -> bool {
        self.registry.inner.live.closing.load(Ordering::SeqCst)
    }

    /// `(documents, bytes)`: how many documents are cached, and their total size.
    pub fn cached_documents(self) -> (usize, usize) {
        self.registry.inner.live.documents.volume()
    }

    /// When the database stopped answering; since then, gateways get the last known documents. `None` while the database
    /// answers.
    pub fn away_since(self) -> Option<Timestamp> {
        match self.registry.inner.live.away_since.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(crate::storage::columns::moment(millis)),
        }
    }
}
