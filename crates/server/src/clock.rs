//! The machine's clock: the only place that reads it.

use chrono::DateTime;
use registry_core::clock::{Clock, Timestamp};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

/// Reads the machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
    fn now(&self) -> Timestamp {
        DateTime::from(SystemTime::now())
    }

    fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}
