//! Gateways repeat what they see with every connection. What was said just now is not looked at again.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long the same is not looked at again.
const REPEAT_INTERVAL: Duration = Duration::from_mins(10);
/// How many servers are remembered; then the memory begins again.
const MAX_KEPT: usize = 20_000;

/// What is said, and of whom.
type Key = (&'static str, Uuid);

/// What was said last of each server.
#[derive(Default)]
pub(crate) struct Debounce {
    last: Mutex<HashMap<Key, ([u8; 32], Instant)>>,
}

/// Something that was said, to be remembered once it is stored.
pub(super) struct Report {
    key: Key,
    digest: [u8; 32],
}

impl Debounce {
    /// What was said of `owner` as `what`; `None`: the same was stored within the last ten minutes.
    pub(super) fn report(&self, what: &'static str, owner: Uuid, text: &[u8]) -> Option<Report> {
        let said = Report { key: (what, owner), digest: Sha256::digest(text).into() };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last
            .get(&said.key)
            .is_some_and(|(digest, at)| *digest == said.digest && at.elapsed() < REPEAT_INTERVAL);
        (!known).then_some(said)
    }

    /// Remembers what is stored now.
    pub(super) fn remember(&self, said: &Report) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MAX_KEPT {
            last.clear();
        }
        last.insert(said.key, (said.digest, Instant::now()));
    }
}
