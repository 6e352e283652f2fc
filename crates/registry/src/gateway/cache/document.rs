//! Prepared documents, by `workspace/server`.

use crate::gateway::documents::GatewayDocument;
use crate::gateway::prepare::{Facts, Prepared};
use flate2::write::GzEncoder;
use papaya::HashMap;
use std::collections::{BTreeSet, HashMap as Locked};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use uuid::Uuid;

/// What one entry takes beside its bytes: keys, indices, atomics. Measured, see `docs/benchmarks.md`.
const OVERHEAD: usize = 1_300;

/// How a document is sent (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
}

/// A document in memory.
pub struct CachedDocument {
    document: GatewayDocument,
    /// Made when they are first asked for.
    gzip: OnceLock<GatewayDocument>,
    brotli: OnceLock<GatewayDocument>,
    pub(super) facts: Facts,
    valid_until: i64,
    /// The newest change that its snapshot held.
    pub(super) as_of: i64,
    /// Whether something it was made from may have changed since.
    outdated: AtomicBool,
    /// Whether it is on record that gateways have its client.
    handed_out: AtomicBool,
    /// Whether it was read since the last time room was made.
    read: AtomicBool,
}

impl std::fmt::Debug for CachedDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CachedDocument({}, {:?})", self.facts.name, self.document)
    }
}

impl CachedDocument {
    pub(super) fn new(prepared: Prepared, as_of: i64) -> Self {
        Self {
            handed_out: AtomicBool::new(prepared.facts.client.is_none_or(|client| client.fetched)),
            facts: prepared.facts,
            valid_until: prepared.valid_until.unwrap_or(i64::MAX),
            document: GatewayDocument::new(prepared.body, prepared.revision),
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
            as_of,
            outdated: AtomicBool::new(false),
            read: AtomicBool::new(true),
        }
    }

    /// The bytes to send, and their tag, which is another one for each coding.
    pub fn coded(&self, coding: Coding) -> &GatewayDocument {
        let plain = &self.document;
        match coding {
            Coding::Identity => plain,
            Coding::Gzip => self.gzip.get_or_init(|| plain.coded("gzip", gzip(&plain.body))),
            Coding::Brotli => self.brotli.get_or_init(|| plain.coded("br", brotli(&plain.body))),
        }
    }

    pub(super) fn is_handed_out(&self) -> bool {
        self.handed_out.load(Ordering::Relaxed)
    }

    pub(super) fn set_handed_out(&self) {
        self.handed_out.store(true, Ordering::Relaxed);
    }

    /// Says that it may no longer be what the database would give.
    pub(super) fn invalidate(&self) {
        self.outdated.store(true, Ordering::SeqCst);
    }

    /// With what both codings may take; neither is longer than half.
    fn size(&self) -> usize {
        OVERHEAD + 2 * self.document.body.len()
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut coder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory cannot fail.
    let _ = coder.write_all(body);
    coder.finish().unwrap_or_default()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut coder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18);
    // Writing to memory cannot fail.
    let _ = coder.write_all(body);
    coder.into_inner()
}

/// All documents that are held.
pub(crate) struct Documents {
    by_name: HashMap<Box<str>, Arc<CachedDocument>>,
    names: HashMap<Uuid, Box<str>>,
    size: AtomicUsize,
    limit: AtomicUsize,
    /// One loader for each name; others wait for it.
    loading: Mutex<Locked<Box<str>, Arc<tokio::sync::Mutex<()>>>>,
    pub(super) evicted: AtomicU64,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            names: HashMap::new(),
            size: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
            loading: Mutex::default(),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Documents {
    /// How many bytes may be held.
    pub(super) fn limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// The document of this name that may be sent at `now`: without `outdated` only one that nothing has touched since.
    pub(super) fn get(&self, name: &str, now: i64, outdated: bool) -> Option<Arc<CachedDocument>> {
        let held = self.by_name.pin().get(name)?.clone();
        if now >= held.valid_until || (!outdated && held.outdated.load(Ordering::SeqCst)) {
            return None;
        }
        // A store for each reading would make all cores fight for the line.
        if !held.read.load(Ordering::Relaxed) {
            held.read.store(true, Ordering::Relaxed);
        }
        Some(held)
    }

    /// Replaces the document of a server by `document`, unless the cached one is newer.
    pub(super) fn put(&self, document: &Arc<CachedDocument>) {
        if let Some(name) =
            self.names.pin().get(&document.facts.server).filter(|name| **name != document.facts.name)
        {
            self.remove(name);
        }
        let names = self.by_name.pin();
        let before = names.get(&*document.facts.name).cloned();
        if before.as_ref().is_some_and(|before| before.as_of > document.as_of) {
            return;
        }
        names.insert(document.facts.name.clone(), document.clone());
        self.names.pin().insert(document.facts.server, document.facts.name.clone());
        self.size.fetch_add(document.size(), Ordering::Relaxed);
        if let Some(before) = before {
            self.size.fetch_sub(before.size(), Ordering::Relaxed);
        }
        if self.size.load(Ordering::Relaxed) > self.limit.load(Ordering::Relaxed) {
            self.evict();
        }
    }

    fn remove(&self, name: &str) {
        if let Some(gone) = self.by_name.pin().remove(name) {
            self.size.fetch_sub(gone.size(), Ordering::Relaxed);
            self.names.pin().remove(&gone.facts.server);
        }
    }

    /// Forgets the document of a server that is gone.
    pub(super) fn forget(&self, server: Uuid) {
        let Some(name) = self.names.pin().remove(&server).cloned() else { return };
        // Another server may have its name by now.
        if self.by_name.pin().get(&*name).is_some_and(|held| held.facts.server == server) {
            self.remove(&name);
        }
    }

    /// Marks what is held of `servers`, and returns which of them are held.
    pub(super) fn invalidate(&self, servers: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
        let (names, documents) = (self.names.pin(), self.by_name.pin());
        let held = |server: &Uuid| names.get(server).and_then(|name| documents.get(&**name));
        servers.into_iter().filter(|server| held(server).map(|held| held.invalidate()).is_some()).collect()
    }

    /// Marks what is held of an integration's servers.
    pub(super) fn invalidate_integration(&self, integration: Uuid) {
        let documents = self.by_name.pin();
        let of_it = documents.values().filter(|held| held.facts.integration == integration);
        of_it.for_each(|held| held.invalidate());
    }

    /// Forgets what is held of the servers of deleted integrations and workspaces.
    pub(super) fn forget_deleted(&self, integrations: &BTreeSet<Uuid>, workspaces: &BTreeSet<Uuid>) {
        for held in self.by_name.pin().values() {
            let facts = &held.facts;
            if integrations.contains(&facts.integration) || workspaces.contains(&facts.workspace) {
                self.remove(&facts.name);
            }
        }
    }

    /// Marks everything.
    pub(super) fn invalidate_all(&self) -> Vec<Uuid> {
        let documents = self.by_name.pin();
        documents.values().for_each(|held| held.invalidate());
        documents.values().map(|held| held.facts.server).collect()
    }

    /// Evicts documents that were not read since the last eviction; if that is not enough, any, down to nine tenths of the limit.
    fn evict(&self) {
        let enough = self.limit.load(Ordering::Relaxed) / 10 * 9;
        for spare_read in [true, false] {
            for held in self.by_name.pin().values() {
                if self.size.load(Ordering::Relaxed) <= enough {
                    return;
                }
                if !(held.read.swap(false, Ordering::Relaxed) && spare_read) {
                    self.remove(&held.facts.name);
                    self.evicted.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// The lock of those who want to load `name`.
    pub(super) fn lock(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.entry(name.into()).or_default().clone()
    }

    /// Ends a lock; the last one out closes the door.
    pub(super) fn release(&self, name: &str, lock: Arc<tokio::sync::Mutex<()>>) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        drop(lock);
        if loading.get(name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            loading.remove(name);
        }
    }

    /// How many are held, and their bytes.
    pub(crate) fn volume(&self) -> (usize, usize) {
        (self.by_name.len(), self.size.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(server: Uuid, as_of: i64, valid_until: Option<i64>) -> Arc<CachedDocument> {
        let facts = Facts {
            name: "acme/linear".into(),
            server,
            workspace: Uuid::nil(),
            integration: Uuid::nil(),
            client: None,
            secret: false,
        };
        let prepared = Prepared { body: b"{}".to_vec(), revision: as_of, valid_until, facts };
        Arc::new(CachedDocument::new(prepared, as_of))
    }

    #[test]
    fn what_was_touched_is_given_only_to_who_takes_it_so() {
        let (documents, server) = (Documents::default(), Uuid::from_u128(1));
        documents.put(&held(server, 7, Some(1_000)));
        let there = |now, outdated| documents.get("acme/linear", now, outdated).is_some();
        assert!(there(0, false) && there(999, false));
        assert!(!there(1_000, true), "a secret in it has expired");
        assert_eq!(documents.invalidate([Uuid::from_u128(2), server]), [server], "only what is held");
        assert!(!there(0, false) && there(0, true));
        documents.put(&held(server, 6, None));
        assert!(!there(0, false), "an older one changes nothing");
        documents.put(&held(server, 8, None));
        assert!(there(0, false));
    }
}
