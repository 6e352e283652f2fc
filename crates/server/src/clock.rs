//! The machine's clock, which all use cases are given. Apart from it, only `wall_clock` of `crates/outbound` (for dates that
//! upstreams write) and the sandbox read the date.

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

    /// Monotonic time since the first call of this method in the process.
    fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}
