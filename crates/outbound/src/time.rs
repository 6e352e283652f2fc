//! The machine's time, by which dates in answers are judged.

use registry_core::clock::{Timestamp, from_unix_seconds};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Now. Dates that an upstream writes (`Retry-After`, the expiry of a secret) are relative to real time, not to a test's.
pub(crate) fn wall_clock() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a date in an answer is judged by the machine's clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    from_unix_seconds(now.as_secs()).unwrap_or_default()
}

/// Milliseconds since `started`.
pub(crate) fn millis_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
