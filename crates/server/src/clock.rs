//! The machine's clock: the one place where the product reads it.

use chrono::DateTime;
use registry_core::clock::{Clock, Timestamp};
use std::time::SystemTime;

/// Reads the machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
    fn now(&self) -> Timestamp {
        DateTime::from(SystemTime::now())
    }
}
