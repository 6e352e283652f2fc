//! How many servers a batch takes: as many as one short write can take, measured on the batches before it.

use registry_core::rollout::MAX_BATCH;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a batch should keep other writes waiting: below the 50 ms that it may, because times vary.
const WRITE_TIME: Duration = Duration::from_millis(30);
/// The first batch of a process.
const FIRST_BATCH: u64 = 50;
/// The smallest batch: below it, what any write costs counts for more than the servers.
const MIN_BATCH: u64 = 10;

/// The size of the next batch of this process.
pub(crate) struct BatchSize(AtomicU64);

impl Default for BatchSize {
    fn default() -> Self {
        Self(AtomicU64::new(FIRST_BATCH))
    }
}

impl BatchSize {
    /// How many servers the next batch takes, at most.
    pub(super) fn next(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Records how long the write of a batch took. One slow write makes the next batch smaller at once; after a fast one
    /// it grows to twice its size at most.
    pub(super) fn record(&self, servers: u64, took: Duration) {
        let took = took.as_micros().max(1);
        let fitting = u128::from(servers) * WRITE_TIME.as_micros() / took;
        let fitting = u64::try_from(fitting).unwrap_or(MAX_BATCH);
        // A batch that was small for another reason says little of larger ones.
        let most = 2 * servers.max(self.next() / 2);
        self.0.store(fitting.min(most).clamp(MIN_BATCH, MAX_BATCH), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchSize, FIRST_BATCH, MAX_BATCH, MIN_BATCH};
    use std::time::Duration;

    /// How many servers a write took, and for how many milliseconds.
    type Batch = (u64, u64);

    #[test]
    fn batches_follow_what_their_writes_take() {
        let table: [(&str, &[Batch], u64); 6] = [
            ("nothing is known", &[], FIRST_BATCH),
            ("a fast write: twice as many", &[(50, 1)], 100),
            ("fast writes: up to the maximum", &[(50, 1), (100, 1), (200, 1), (400, 1)], MAX_BATCH),
            ("a slow write: as many as fit", &[(50, 1), (100, 60)], 50),
            ("a stall: the smallest", &[(50, 10_000)], MIN_BATCH),
            ("the last servers of a rollout say less", &[(50, 1), (3, 1)], 90),
        ];
        for (what, writes, expected) in table {
            let size = BatchSize::default();
            for (servers, millis) in writes {
                size.record(*servers, Duration::from_millis(*millis));
            }
            assert_eq!(size.next(), expected, "{what}");
        }
    }
}
