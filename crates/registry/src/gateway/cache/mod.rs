//! What this process holds in memory for gateways, and how it keeps that true.
//!
//! * `document`: the bytes of resolved documents, prepared once per change, found without a lock.
//! * `identity`: credentials of gateways that were checked.
//! * `feed`: the newest changes, for those who follow.
//! * `follower`: the task that learns of every commit, of this and of other processes, and marks what it touches.
//! * `readings`: who read which secret, and which key was used when, written in the background.
//!
//! Nothing is held while no follower runs: a process that does not follow would keep what is no longer true.
//!
//! No reader ever keeps an outdated entry, by this order. A loader notes the newest change its snapshot holds, inserts, and
//! then looks whether a newer one was announced meanwhile. The follower announces first and marks afterwards. So whoever
//! comes second sees the other.

mod document;
mod feed;
mod follower;
mod identity;
mod readings;
use crate::gateway::Gateway;
pub use document::{Coding, HeldDocument};
pub use feed::{Followed, GatewayChange, Happening};
pub(crate) use identity::{Identity, fingerprint};
use registry_core::clock::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::sync::watch;

/// The memory of one process.
#[derive(Default)]
pub(crate) struct Live {
    /// Whether a follower keeps the rest true.
    following: AtomicBool,
    /// The newest change that was marked, as a revision.
    applied: AtomicI64,
    /// Whether keys or people changed, and the credentials that are held were not checked since.
    identities_due: AtomicBool,
    /// Since when the database does not answer, in milliseconds since 1970; 0: it does.
    away_since: AtomicI64,
    /// Whether this process ends: who follows shall go elsewhere.
    closing: AtomicBool,
    documents: document::Documents,
    pub(crate) identities: identity::Identities,
    feed: feed::Feed,
    readings: readings::Readings,
}

impl Live {
    pub(crate) fn is_following(&self) -> bool {
        self.following.load(Ordering::SeqCst)
    }

    /// Tells of each commit that changed a document, of this or of another process.
    pub(crate) fn commits(&self) -> watch::Receiver<i64> {
        self.feed.announced.subscribe()
    }

    /// What is held was prepared with shared settings that are not in force any more.
    pub(crate) fn settings_changed(&self) {
        self.documents.outdate_all();
    }

    pub(crate) fn applied(&self) -> i64 {
        self.applied.load(Ordering::SeqCst)
    }
}

impl Gateway<'_> {
    /// Whether this process holds documents, as [`Self::follow`] has it do.
    pub fn is_watching(self) -> bool {
        self.registry.inner.live.is_following()
    }

    /// Ends every wait for a change, so that those who follow go to another process at once. For the end of this one.
    pub fn close(self) {
        self.registry.inner.live.closing.store(true, Ordering::SeqCst);
        self.registry.inner.live.feed.announced.send_modify(|_| {});
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closing(self) -> bool {
        self.registry.inner.live.closing.load(Ordering::SeqCst)
    }

    /// How many documents are held for gateways, and the bytes they take.
    pub fn cached_documents(self) -> (usize, usize) {
        self.registry.inner.live.documents.volume()
    }

    /// Since when the database has not answered, so that what gateways get is the last that was known; `None` while it does.
    pub fn away_since(self) -> Option<Timestamp> {
        match self.registry.inner.live.away_since.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(crate::storage::columns::moment(millis)),
        }
    }
}
