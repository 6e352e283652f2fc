//! How often somebody may try to sign in: by the address they come from, and by the e-mail address they try.

use crate::buckets::Buckets;
use crate::{Error, Result};
use registry_core::clock::Clock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Tries from one address: many people may share one, a company's or a proxy's.
const PER_ADDRESS: (u32, Duration) = (60, Duration::from_secs(5));
/// Tries for one e-mail address: then one a minute, 1,440 a day.
const PER_EMAIL: (u32, Duration) = (10, Duration::from_mins(1));

/// Counts tries.
pub(crate) struct SignInLimits {
    addresses: Buckets,
    emails: Buckets,
}

impl SignInLimits {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            addresses: Buckets::new(clock.clone(), PER_ADDRESS),
            emails: Buckets::new(clock.clone(), PER_EMAIL),
        }
    }

    /// Counts one try, or says how long to wait. What one address may not try any more does not count against the
    /// e-mail address.
    pub(crate) fn admit(&self, address: Option<&str>, email: Option<&str>) -> Result<()> {
        let refused = |seconds| Error::TooManyTries { seconds };
        self.addresses.count(&network(address.unwrap_or_default())).map_err(refused)?;
        email.map_or(Ok(()), |email| self.emails.count(email).map_err(refused))
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
        let limits = SignInLimits::new(&(clock.clone() as Arc<dyn Clock>));
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
}
