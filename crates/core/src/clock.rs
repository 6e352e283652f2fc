//! Time is given, never taken.

use chrono::{DateTime, SubsecRound, Utc};
use std::time::Duration;

/// A moment in UTC, to the millisecond (what both databases and the wire keep).
pub type Timestamp = DateTime<Utc>;

/// Where the time comes from. Production reads the machine's clock; tests hold it still and move it.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Monotonic time, for instance since the process started: unaffected by changes of the
    /// machine's clock.
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(
            u64::try_from(self.now().timestamp_nanos_opt().unwrap_or_default()).unwrap_or_default(),
        )
    }
}

/// `moment` cut to the millisecond, so that what was stored equals what is read back.
pub fn to_millis(moment: Timestamp) -> Timestamp {
    moment.trunc_subsecs(3)
}

/// The time `seconds` after 1970-01-01T00:00:00Z.
pub fn from_unix_seconds(seconds: u64) -> Option<Timestamp> {
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
}
