//! What a failure means for the registration it happened to (INV-14).

use super::known::{ActiveClient, Verification};
use super::state::State;
use crate::backoff;
use crate::clock::Timestamp;
use crate::oauth::{Failure, FailureClass, MANAGEMENT_ANSWER_LOST};
use chrono::Duration;

/// How patient we are. From the configuration's `worker` section.
#[derive(Clone, Copy, Debug)]
pub struct RetryRules {
    /// The pause after a request whose answer was lost, before the one repetition.
    pub unconfirmed_pause: Duration,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self { unconfirmed_pause: Duration::minutes(1) }
    }
}

/// What to write on the registration after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// The new state.
    pub state: State,
    /// When it may be tried again; `None` when a user must act.
    pub not_before: Option<Timestamp>,
    /// Failures in a row, this one included.
    pub failures: u32,
    /// Answers lost in a row, this one included.
    pub lost_answers: u32,
}

/// What `failure` means after `failures` and `lost_answers` in a row before it. `jitter` is random in `[0, 1)`.
pub fn after_failure(
    failure: &Failure,
    failures: u32,
    lost_answers: u32,
    rules: RetryRules,
    now: Timestamp,
    jitter: f64,
) -> Consequence {
    let failures = failures.saturating_add(1);
    let again_after = |wait: Duration| Consequence {
        state: State::Retrying,
        not_before: Some(now + wait),
        failures,
        lost_answers,
    };
    let backoff = || Duration::from_std(backoff::wait(failures, jitter)).unwrap_or(Duration::hours(6));
    let give_up = || Consequence { state: State::Failed, not_before: None, failures, lost_answers };
    match failure.class {
        FailureClass::Transient => {
            let asked = failure.retry_after.map(|seconds| {
                let cap = backoff::MAX_RETRY_AFTER.as_secs();
                Duration::seconds(i64::try_from(seconds.min(cap)).unwrap_or(i64::MAX))
            });
            again_after(asked.map_or_else(backoff, |asked| asked.max(Duration::seconds(1))))
        }
        // Once may be a temporary proxy error; twice is how this server responds.
        FailureClass::Protocol if failures < 2 => again_after(backoff()),
        // Reading and updating may be repeated: nothing is made by it.
        FailureClass::Ambiguous if failure.code == MANAGEMENT_ANSWER_LOST => Consequence {
            state: State::Unconfirmed,
            not_before: Some(now + backoff().max(rules.unconfirmed_pause)),
            failures,
            lost_answers,
        },
        FailureClass::Ambiguous => {
            let lost_answers = lost_answers.saturating_add(1);
            // A second loss is not repeated: each may have left a client behind (INV-3).
            let not_before = (lost_answers < 2).then(|| now + rules.unconfirmed_pause);
            Consequence { state: State::Unconfirmed, not_before, failures, lost_answers }
        }
        FailureClass::Protocol
        | FailureClass::NeedsAdmin
        | FailureClass::Configuration
        | FailureClass::Security
        // Each repetition may leave one more client behind (INV-3).
        | FailureClass::Unusable => give_up(),
    }
}

/// What a failure of reading or updating a client (RFC 7592) means for that client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagementConsequence {
    /// Unknown whether secret and token were replaced: the update is sent again.
    InDoubt,
    /// The authorization server does not know it any more.
    Forgotten,
    /// It cannot be updated to what is wanted; whether it is still known is asked.
    RefusedAndAsked,
    /// It cannot be updated to what is wanted.
    Refused,
    /// It cannot be read: what was reported waits for a second report.
    Unreadable,
    /// It lives on, but cannot be managed any more: the token is not accepted (RFC 7592 §2.1).
    Unmanageable,
}

/// What `failure` of the `step` means for `client`; `None` for what passes by itself.
pub fn after_management_failure(
    failure: &Failure,
    step: ManagementStep,
    client: &ActiveClient,
) -> Option<ManagementConsequence> {
    use ManagementConsequence as C;
    match failure.class {
        FailureClass::Transient => return None,
        FailureClass::Ambiguous => return Some(C::InDoubt),
        _ => {}
    }
    let reported = client.verification == Some(Verification::Reported);
    let unused = !client.fetched && client.verification.is_none();
    Some(match (failure.code, step) {
        // Clients can be read at some addresses and not changed there (`oidc-provider` without management): reading tells.
        ("client_forgotten", ManagementStep::Update) => C::RefusedAndAsked,
        ("client_forgotten", ManagementStep::Verify) => C::Forgotten,
        // A token that is not accepted means a lost token or a lost client (RFC 7592 §2.1): together with a gateway's word,
        // or where no gateway has the client, it is taken for the latter.
        ("management_token_refused", ManagementStep::Verify) if reported || unused => C::Forgotten,
        ("management_token_refused", _) => C::Unmanageable,
        (_, ManagementStep::Update) => C::Refused,
        (_, ManagementStep::Verify) => C::Unreadable,
    })
}

/// What was asked of a client's management address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagementStep {
    /// RFC 7592 §2.2.
    Update,
    /// RFC 7592 §2.1.
    Verify,
}
