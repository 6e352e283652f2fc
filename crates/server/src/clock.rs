//! The machine's clock: the one place where the product reads it.

use chrono::Utc;
use registry_core::clock::{Clock, Timestamp};

/// Reads the machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
        Utc::now()
    }
}
