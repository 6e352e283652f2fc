//! Credentials of gateways that were checked, by their fingerprint.

use crate::Actor;
use papaya::HashMap;
use sha2::{Digest, Sha256};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

/// The most that are held. A gateway has one; tokens of an identity provider are many and short-lived.
const MAX_IDENTITIES: usize = 10_000;

/// SHA-256 of a credential.
pub(crate) type Fingerprint = [u8; 32];

/// The fingerprint of a credential as it was sent.
pub(crate) fn fingerprint(credential: &str) -> Fingerprint {
    Sha256::digest(credential.as_bytes()).into()
}

/// A caller whose credential was good.
pub(crate) struct Identity {
    pub(crate) actor: Actor,
    /// The key's row, when it is a key.
    pub(super) key: Option<Uuid>,
    /// Who reads, for the record of readings.
    pub(super) who: u128,
    /// Milliseconds since 1970.
    pub(super) valid_until: i64,
    /// When it last served, in milliseconds since 1970; 0 once that is written down.
    pub(super) used_at: AtomicI64,
}

impl Identity {
    pub(crate) fn new(actor: Actor, key: Option<Uuid>, valid_until: Option<i64>) -> Self {
        Self {
            key,
            who: Self::caller_of(&actor),
            actor,
            valid_until: valid_until.unwrap_or(i64::MAX),
            used_at: AtomicI64::new(0),
        }
    }

    /// The caller's key in the access log.
    pub(super) fn caller_of(actor: &Actor) -> u128 {
        let digest = Sha256::digest(actor.who().as_bytes());
        let mut who = [0; 16];
        who.copy_from_slice(&digest[..16]);
        u128::from_be_bytes(who)
    }
}

/// A fingerprint is as good as random: its first bytes are its hash. A valid credential cannot be guessed, so its bytes cannot be chosen either.
#[derive(Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8).take(1) {
            let mut first = [0; 8];
            first[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// All that are held.
#[derive(Default)]
pub(crate) struct Identities {
    held: HashMap<Fingerprint, Arc<Identity>, BuildHasherDefault<FirstBytes>>,
}

impl Identities {
    pub(crate) fn get(&self, fingerprint: &Fingerprint, now: i64) -> Option<Arc<Identity>> {
        let held = self.held.pin().get(fingerprint)?.clone();
        if now >= held.valid_until {
            self.held.pin().remove(fingerprint);
            return None;
        }
        // To the second: a store for each request would make all cores fight for the line.
        if now - held.used_at.load(Ordering::Relaxed) > 1_000 {
            held.used_at.store(now, Ordering::Relaxed);
        }
        Some(held)
    }

    pub(crate) fn put(&self, fingerprint: Fingerprint, identity: Arc<Identity>) {
        let held = self.held.pin();
        if held.len() >= MAX_IDENTITIES && !held.contains_key(&fingerprint) {
            held.clear();
        }
        held.insert(fingerprint, identity);
    }

    pub(crate) fn remove(&self, fingerprint: &Fingerprint) {
        self.held.pin().remove(fingerprint);
    }

    /// All of them, to be checked again.
    pub(crate) fn all(&self) -> Vec<(Fingerprint, Arc<Identity>)> {
        self.held.pin().iter().map(|(fingerprint, held)| (*fingerprint, held.clone())).collect()
    }
}
