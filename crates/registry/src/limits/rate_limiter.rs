//! A rate limiter with one bucket per key (GCRA, crate `governor`). Each process counts for itself.
//!
//! Keys are hashed into a fixed number of buckets, so memory is bounded. Two keys in one bucket share its limit; the
//! hash has a random seed, so nobody can choose a key that shares the bucket of another.

use governor::clock::Clock as Ticks;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use registry_core::clock::Clock;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Counts events by key.
pub(crate) struct KeyedRateLimiter {
    limiter: RateLimiter<u16, HashMapStateStore<u16>, GovernorClock, StateInformationMiddleware>,
    /// Until when the buckets that were refused last must wait.
    blocked: Mutex<HashMap<u16, Nanos>>,
    seed: RandomState,
    clock: GovernorClock,
}

/// How many events the bucket still accepts now.
pub(crate) struct Remaining(pub(crate) u32);

/// The clock of the deployment for `governor`: elapsed time, because wall time can be set.
#[derive(Clone)]
struct GovernorClock(Arc<dyn Clock>);

impl Ticks for GovernorClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl KeyedRateLimiter {
    /// Each key may use `burst` at once, and one more each `period`.
    pub(crate) fn new(clock: Arc<dyn Clock>, (burst, period): (u32, Duration)) -> Self {
        let clock = GovernorClock(clock);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(burst));
        let limiter = RateLimiter::new(quota.allow_burst(burst), HashMapStateStore::default(), clock.clone());
        Self { limiter, blocked: Mutex::default(), seed: RandomState::new(), clock }
    }

    /// Counts one event. `Err`: seconds to wait, at least 1.
    pub(crate) fn count(&self, name: &str) -> std::result::Result<Remaining, u64> {
        let bucket = self.bucket(name);
        match self.limiter.check_key(&bucket) {
            Ok(counted) => Ok(Remaining(counted.remaining_burst_capacity())),
            Err(refused) => {
                let now = self.clock.now();
                let wait = refused.wait_time_from(now);
                let until = now + Nanos::new(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
                self.blocked.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket, until);
                Err(wait.as_secs() + 1)
            }
        }
    }

    /// Seconds that a refused key must still wait; counts nothing.
    pub(crate) fn blocked(&self, name: &str) -> Option<u64> {
        let now = self.clock.now();
        let until = *self.blocked.lock().unwrap_or_else(PoisonError::into_inner).get(&self.bucket(name))?;
        let left = Duration::from_nanos(until.as_u64().saturating_sub(now.as_u64()));
        (!left.is_zero()).then(|| left.as_secs() + 1)
    }

    fn bucket(&self, name: &str) -> u16 {
        u16::try_from(self.seed.hash_one(name) & 0xffff).unwrap_or_default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use registry_core::clock::Timestamp;

    struct Still(Timestamp);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[test]
    fn memory_is_bounded() {
        let still = Still("2026-11-23T09:00:00Z".parse().unwrap());
        let buckets = KeyedRateLimiter::new(Arc::new(still), (10, Duration::from_mins(1)));
        for number in 0..200_000 {
            let _ = buckets.count(&number.to_string());
        }
        assert!(buckets.limiter.len() <= 65_536);
    }
}
