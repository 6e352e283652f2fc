//! A clock that does not advance until it is moved.

use chrono::{DateTime, Duration, Utc};
use registry_core::clock::{Clock, Timestamp};
use std::sync::Mutex;

/// Starts at the machine's time, then moves only by [`TestClock::advance`].
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// A clock at the machine's present time.
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "where a test clock starts")]
        let now: DateTime<Utc> = Utc::now();
        Self(Mutex::new(now))
    }

    /// Moves it.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().expect("no test panics while holding the clock") += by;
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panics while holding the clock")
    }
}
