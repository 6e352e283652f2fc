//! Per-IP limit of login attempts. The limit per e-mail address is `lockout`.

use crate::limits::rate_limiter::KeyedRateLimiter;
use crate::{Error, Result};
use registry_core::clock::Clock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Login attempts of one address: many users may share the address of a company or a proxy.
const ADDRESS_RATE: (u32, Duration) = (60, Duration::from_secs(5));

/// Counts login attempts by address.
pub(crate) struct SignInLimits {
    addresses: KeyedRateLimiter,
}

impl SignInLimits {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { addresses: KeyedRateLimiter::new(clock.clone(), ADDRESS_RATE) }
    }

    /// Counts one attempt; refused beyond the limit.
    pub(crate) fn admit(&self, address: Option<&str>) -> Result<()> {
        let refused = |seconds| Error::TooManyTries { seconds };
        self.addresses.count(&network(address.unwrap_or_default())).map(drop).map_err(refused)
    }
}

/// The key of an address: of IPv6 the /64 network that one customer gets.
pub(crate) fn network(address: &str) -> String {
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
        let limits = SignInLimits::new(&(clock.clone() as Arc<dyn Clock>));
        let address = Some("2001:db8::1");
        let tried = (0..100).take_while(|_| limits.admit(address).is_ok()).count();
        assert_eq!(tried, 60);
        assert!(limits.admit(Some("2001:db8::2")).is_err(), "the same network");
        assert!(limits.admit(Some("2001:db8:0:1::2")).is_ok(), "another network");
        *clock.0.lock().unwrap() += TimeDelta::seconds(6);
        limits.admit(address).unwrap();
        assert!(limits.admit(address).is_err(), "one in five seconds");
    }
}
