//! How often somebody may try to sign in: by the address they come from, and by the e-mail address they try.
//!
//! Each process counts for itself. Names are hashed into a fixed number of buckets, so the memory is bounded whatever
//! comes; two that share a bucket share its tries, and the hash has a random seed, so nobody can aim at another's.

use crate::{Error, Result};
use governor::clock::Clock as Ticks;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use registry_core::clock::Clock;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Tries from one address: many people may share one, a company's or a proxy's.
const PER_ADDRESS: (u32, Duration) = (60, Duration::from_secs(5));
/// Tries for one e-mail address: then one a minute, 1,440 a day.
const PER_EMAIL: (u32, Duration) = (10, Duration::from_mins(1));

type Limiter = RateLimiter<u16, HashMapStateStore<u16>, Wall, NoOpMiddleware<Nanos>>;

/// Counts tries.
pub(crate) struct SignInLimits {
    addresses: Limiter,
    emails: Limiter,
    seed: RandomState,
    clock: Wall,
}

/// The deployment's clock, as the crate `governor` reads it.
#[derive(Clone)]
struct Wall(Arc<dyn Clock>);

impl Ticks for Wall {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let nanos = self.0.now().timestamp_nanos_opt().unwrap_or_default();
        Nanos::from(u64::try_from(nanos).unwrap_or_default())
    }
}

impl SignInLimits {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let clock = Wall(clock);
        let limiter = |(burst, period)| {
            let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(burst));
            RateLimiter::new(quota.allow_burst(burst), HashMapStateStore::default(), clock.clone())
        };
        Self {
            addresses: limiter(PER_ADDRESS),
            emails: limiter(PER_EMAIL),
            seed: RandomState::new(),
            clock: clock.clone(),
        }
    }

    /// Counts one try, or says how long to wait. What one address may not try any more does not count against the
    /// e-mail address.
    pub(crate) fn admit(&self, address: Option<&str>, email: Option<&str>) -> Result<()> {
        self.count(&self.addresses, &network(address.unwrap_or_default()))?;
        email.map_or(Ok(()), |email| self.count(&self.emails, email))
    }

    fn count(&self, limiter: &Limiter, name: &str) -> Result<()> {
        let bucket = u16::try_from(self.seed.hash_one(name) & 0xffff).unwrap_or_default();
        limiter.check_key(&bucket).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            Error::TooManyTries { seconds: wait.as_secs() + 1 }
        })
    }
}

/// What counts as one address: of IPv6 the network of 64 bits that one customer gets.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => format!("{:?}", &address.segments()[..4]),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use chrono::{TimeDelta, TimeZone, Utc};
    use registry_core::clock::Timestamp;
    use std::sync::Mutex;

    struct Still(Mutex<Timestamp>);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn tries_run_out_and_come_back() {
        let clock = Arc::new(Still(Mutex::new(Utc.with_ymd_and_hms(2026, 11, 23, 9, 0, 0).unwrap())));
        let limits = SignInLimits::new(clock.clone());
        let from = |host: u32| Some(format!("192.0.2.{host}"));
        for host in 0..10 {
            limits.admit(from(host).as_deref(), Some("a@acme.com")).unwrap();
        }
        let refused = limits.admit(from(99).as_deref(), Some("a@acme.com")).unwrap_err();
        assert!(matches!(refused, Error::TooManyTries { seconds: 1..=61 }), "{refused:?}");
        *clock.0.lock().unwrap() += TimeDelta::seconds(61);
        limits.admit(from(99).as_deref(), Some("a@acme.com")).unwrap();
        assert!(limits.admit(from(98).as_deref(), Some("a@acme.com")).is_err(), "one a minute");

        let mut names = 0..;
        let address = Some("2001:db8::1");
        let tried = names.by_ref().take_while(|_| limits.admit(address, None).is_ok()).count();
        assert_eq!(tried, 60);
        assert!(limits.admit(Some("2001:db8::2"), None).is_err(), "the same network");
        assert!(limits.admit(Some("2001:db8:0:1::2"), None).is_ok(), "another network");
    }

    #[test]
    fn memory_is_bounded() {
        let clock = Arc::new(Still(Mutex::new(Utc.with_ymd_and_hms(2026, 11, 23, 9, 0, 0).unwrap())));
        let limits = SignInLimits::new(clock);
        for number in 0..200_000 {
            let _ = limits.count(&limits.emails, &number.to_string());
        }
        assert!(limits.emails.len() <= 65_536);
    }
}
