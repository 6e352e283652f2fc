//! Rollouts: a saved change reaches the servers under its layer in batches, and so does the deletion of what they belong to.
//! What a rollout does next is decided here.

use crate::words::words;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// State of a rollout.
    RolloutState {
        /// Batches follow each other.
        Running = "running",
        /// A user paused it; servers that it has not reached keep what they have.
        Paused = "paused",
        /// It stopped by itself because of failures; a user can resume it.
        Stopped = "stopped",
        /// A later change of the same layer took over the servers that it had not reached.
        Superseded = "superseded",
        /// It has reached every server.
        Done = "done",
    }
}

impl RolloutState {
    /// Whether it may still reach servers.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Stopped)
    }
}

words! {
    /// What changed.
    RolloutKind {
        /// The organisation's layer: servers move to its new revision batch by batch.
        Organisation = "organisation",
        /// An integration, or access to it: servers have the new values at once, their registrations follow.
        Integration = "integration",
        /// The settings of the deployment: servers have the new values at once, their registrations follow.
        Settings = "settings",
        /// Capabilities of an integration: gateways are told of its servers, registrations stay as they are.
        Capabilities = "capabilities",
        /// An integration or a workspace was deleted: its servers count as deleted at once, batches delete them. It cannot be
        /// paused.
        Deletion = "deletion",
    }
}

/// The most servers that one batch reaches.
pub const MAX_BATCH: u64 = 500;

/// How carefully a rollout begins, and when it stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutOptions {
    /// The part of the servers that are reached first, in percent, 0 to 100. Their registrations must settle before the
    /// rest follows. 0: no canary.
    pub canary_percent: u8,
    /// The rollout stops when it has more failures than this; `None`: it never stops by itself.
    pub max_failures: Option<u64>,
}

impl Default for RolloutOptions {
    fn default() -> Self {
        Self { canary_percent: 1, max_failures: Some(20) }
    }
}

impl RolloutOptions {
    /// Without a canary and without a limit of failures.
    pub const UNCHECKED: Self = Self { canary_percent: 0, max_failures: None };

    /// How many of `total` servers are the canary.
    pub fn canary_size(self, total: u64) -> u64 {
        total.saturating_mul(u64::from(self.canary_percent.min(100))).div_ceil(100)
    }
}

/// Where a running rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutProgress {
    /// Servers reached so far.
    pub processed: u64,
    /// How many servers are reached before the rest waits; 0: no canary.
    pub canary_size: u64,
    /// Whether the canary was found good, or a user resumed the rollout.
    pub canary_passed: bool,
    /// Servers that could not take the change, and registrations that failed because of it.
    pub failures: u64,
    /// See [`RolloutOptions::max_failures`].
    pub max_failures: Option<u64>,
    /// Whether registrations of the canary have not settled yet.
    pub unsettled: bool,
    /// Whether the canary has waited as long as it may.
    pub waited_enough: bool,
}

/// What a rollout does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextMove {
    /// Reach at most this many servers.
    Batch(u64),
    /// Wait for registrations of the canary.
    Wait,
    /// The canary is good: go on with the rest.
    PassCanary,
    /// Stop because of failures.
    Stop,
}

/// What a running rollout does next; whether it is done shows when a batch finds no server.
pub fn next_move(progress: &RolloutProgress) -> NextMove {
    if progress.max_failures.is_some_and(|max| progress.failures > max) {
        return NextMove::Stop;
    }
    if progress.canary_passed || progress.canary_size == 0 {
        return NextMove::Batch(MAX_BATCH);
    }
    let left = progress.canary_size.saturating_sub(progress.processed);
    match left {
        0 if progress.unsettled && !progress.waited_enough => NextMove::Wait,
        0 => NextMove::PassCanary,
        left => NextMove::Batch(left.min(MAX_BATCH)),
    }
}

#[cfg(test)]
mod tests {
    use super::{NextMove, RolloutOptions, RolloutProgress, RolloutState, next_move};

    const AT_START: RolloutProgress = RolloutProgress {
        processed: 0,
        canary_size: 700,
        canary_passed: false,
        failures: 0,
        max_failures: Some(2),
        unsettled: false,
        waited_enough: false,
    };

    #[test]
    fn canary_comes_first_and_failures_stop() {
        let table = [
            ("begins with a batch", AT_START, NextMove::Batch(500)),
            (
                "the canary ends where it ends",
                RolloutProgress { processed: 500, ..AT_START },
                NextMove::Batch(200),
            ),
            (
                "registrations of the canary are waited for",
                RolloutProgress { processed: 700, unsettled: true, ..AT_START },
                NextMove::Wait,
            ),
            (
                "but not for ever",
                RolloutProgress { processed: 700, unsettled: true, waited_enough: true, ..AT_START },
                NextMove::PassCanary,
            ),
            ("a settled canary passes", RolloutProgress { processed: 700, ..AT_START }, NextMove::PassCanary),
            (
                "the rest follows",
                RolloutProgress { processed: 700, canary_passed: true, ..AT_START },
                NextMove::Batch(500),
            ),
            ("without canary", RolloutProgress { canary_size: 0, ..AT_START }, NextMove::Batch(500)),
            (
                "as many failures as allowed",
                RolloutProgress { failures: 2, ..AT_START },
                NextMove::Batch(500),
            ),
            ("one failure more", RolloutProgress { failures: 3, ..AT_START }, NextMove::Stop),
            (
                "failures stop the rest, too",
                RolloutProgress { failures: 3, canary_passed: true, ..AT_START },
                NextMove::Stop,
            ),
            (
                "no limit",
                RolloutProgress { failures: 3_000, max_failures: None, canary_passed: true, ..AT_START },
                NextMove::Batch(500),
            ),
        ];
        for (what, progress, expected) in table {
            assert_eq!(next_move(&progress), expected, "{what}");
        }
    }

    #[test]
    fn canary_is_never_empty_unless_switched_off() {
        let percent = |canary_percent| RolloutOptions { canary_percent, ..RolloutOptions::default() };
        let table = [(1, 10_000, 100), (1, 150, 2), (1, 1, 1), (0, 10_000, 0), (100, 7, 7), (200, 7, 7)];
        for (part, total, expected) in table {
            assert_eq!(percent(part).canary_size(total), expected, "{part} % of {total}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for state in RolloutState::ALL {
            assert_eq!(RolloutState::parse(state.as_str()), Some(*state));
        }
    }
}
