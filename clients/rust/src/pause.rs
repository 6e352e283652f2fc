//! How long to wait after a failure.

use crate::registry::RegistryError;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The longest `Retry-After` that is believed: a broken proxy must not blind a gateway for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Doubles with each failure, half of it by chance, so that gateways do not come back at the same moment.
pub(crate) fn after(failures: u32, error: &RegistryError, limits: (Duration, Duration)) -> Duration {
    let (least, most) = limits;
    let full = least.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(most);
    let pause = full.mul_f64(0.5 + chance() / 2.0);
    let asked = error.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
    if asked.is_zero() { pause } else { pause.max(asked + least.mul_f64(chance())) }
}

/// A number from 0 to 1. The hasher's keys are random; nothing secret depends on it.
fn chance() -> f64 {
    f64::from(u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default())
        / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_limits_and_obey_retry_after() {
        let limits = (Duration::from_millis(100), Duration::from_secs(1));
        let mut error = RegistryError::no_answer("");
        for (failures, full) in [(0, 100), (1, 200), (3, 800), (4, 1000), (60, 1000)] {
            let pause = after(failures, &error, limits);
            assert!(pause <= Duration::from_millis(full), "{failures}: {pause:?}");
            assert!(pause >= Duration::from_millis(full / 2), "{failures}: {pause:?}");
        }
        for (asked, least) in [(7, 7), (86_400, 300)] {
            error.retry_after = Some(Duration::from_secs(asked));
            let pause = after(0, &error, limits);
            assert!(pause >= Duration::from_secs(least) && pause < Duration::from_secs(least + 1));
        }
    }
}
