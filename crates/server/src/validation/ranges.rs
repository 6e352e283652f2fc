//! The ranges of numeric settings, in one table.

use crate::config::Config;
use registry_core::finding::{Finding, Findings};
use std::ops::RangeInclusive;

/// The longest duration of a setting, in seconds: ten years. A longer one means never, and would overflow a date.
pub(super) const MAX_DURATION: u64 = 315_360_000;

/// A number that must be at least 1 and has no upper limit.
const AT_LEAST_ONE: RangeInclusive<u64> = 1..=u64::MAX;
const DURATION: RangeInclusive<u64> = 1..=MAX_DURATION;
const RATE: RangeInclusive<u64> = 1..=60_000;

/// Adds a finding for each number that is out of its range.
pub(super) fn check(config: &Config, findings: &mut Findings) {
    let (worker, limits) = (&config.worker, &config.limits);
    let workers = config.server.workers.map_or(1, |number| number as u64);
    for (key, value, range, unit) in [
        ("server.workers", workers, AT_LEAST_ONE, ""),
        ("database.max_connections", u64::from(config.database.max_connections), AT_LEAST_ONE, ""),
        ("gateway.memory", config.gateway.memory as u64, AT_LEAST_ONE, ""),
        ("limits.burst", u64::from(limits.burst), AT_LEAST_ONE, ""),
        ("limits.per_second", u64::from(limits.per_second), AT_LEAST_ONE, ""),
        ("limits.at_once", limits.at_once as u64, AT_LEAST_ONE, ""),
        ("limits.seconds", limits.seconds, AT_LEAST_ONE, ""),
        ("limits.connections", limits.connections as u64, AT_LEAST_ONE, ""),
        ("limits.followers", limits.followers as u64, AT_LEAST_ONE, ""),
        ("worker.concurrency", worker.concurrency as u64, AT_LEAST_ONE, ""),
        ("worker.poll_ms", worker.poll_ms, 50..=60_000, " milliseconds"),
        ("worker.request_timeout", worker.request_timeout, 1..=120, " seconds"),
        ("worker.unconfirmed_pause", worker.unconfirmed_pause, 0..=86_400, " seconds"),
        ("worker.issuer_rate.burst", u64::from(worker.issuer_rate.burst), RATE, ""),
        ("worker.issuer_rate.per_minute", u64::from(worker.issuer_rate.per_minute), RATE, ""),
        ("worker.rediscover_every", worker.rediscover_every, DURATION, " seconds (ten years)"),
        ("worker.refresh_unused_after", worker.refresh_unused_after, DURATION, " seconds (ten years)"),
        ("worker.drain_for", worker.drain_for, DURATION, " seconds (ten years)"),
        ("worker.withdraw_after", worker.withdraw_after, DURATION, " seconds (ten years)"),
        ("worker.replace_cooldown", worker.replace_cooldown, DURATION, " seconds (ten years)"),
        ("worker.least_secret_life", worker.least_secret_life, DURATION, " seconds (ten years)"),
    ] {
        if !range.contains(&value) {
            let pointer = format!("/{}", key.replace('.', "/"));
            findings.push(Finding::error(pointer, "out_of_range", message(key, &range, unit)));
        }
    }
}

fn message(key: &str, range: &RangeInclusive<u64>, unit: &str) -> String {
    match (*range.start(), *range.end()) {
        (least, u64::MAX) => format!("`{key}` must be at least {least}{unit}."),
        (0, most) => format!("`{key}` must be at most {most}{unit}."),
        (least, most) => format!("`{key}` must be between {least} and {most}{unit}."),
    }
}
