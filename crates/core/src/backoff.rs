//! How long to wait before trying again: full jitter, 5 seconds to 6 hours (INV-8).

use std::time::Duration;

/// The step after the first failure.
pub const FIRST_INTERVAL: Duration = Duration::from_secs(5);
/// The longest step.
pub const MAX_INTERVAL: Duration = Duration::from_hours(6);
/// The longest `Retry-After` we believe.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The wait after `failures` failures in a row (1 for the first). `jitter` is a random number in `[0, 1)`.
///
/// Full jitter over the upper half: never less than half of the exponential step, so that a first retry is
/// neither immediate nor in step with others.
pub fn wait(failures: u32, jitter: f64) -> Duration {
    let exponent = failures.saturating_sub(1).min(20);
    let step = FIRST_INTERVAL.saturating_mul(1 << exponent).min(MAX_INTERVAL);
    step.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_is_capped() {
        assert_eq!(wait(1, 1.0), FIRST_INTERVAL);
        assert_eq!(wait(2, 1.0), FIRST_INTERVAL * 2);
        assert_eq!(wait(60, 1.0), MAX_INTERVAL);
        assert_eq!(wait(1, 0.0), FIRST_INTERVAL / 2);
    }

    proptest::proptest! {
        #[test]
        fn always_within_bounds(failures in 0u32..10_000, jitter in 0.0f64..1.0) {
            let waited = wait(failures, jitter);
            proptest::prop_assert!(waited >= FIRST_INTERVAL / 2 && waited <= MAX_INTERVAL);
        }
    }
}
