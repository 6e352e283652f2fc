//! Display texts for a registration, its last response and its attempts.

use crate::view;
use actix_web::http::StatusCode;
use registry::{Attempt, Registration};
use registry_core::clock::Timestamp;
use registry_core::registration::{AttemptOutcome, AttemptStep, State};

/// Whether a state changes without a user's action, so that the page refreshes itself.
pub(super) fn moves(state: State) -> bool {
    matches!(state, State::Queued | State::Registering | State::Retrying | State::Withdrawing)
}

/// The last response: "400 Bad Request", "No answer, request sent".
pub(crate) fn answer(one: &Registration) -> String {
    match one.state {
        State::Registering => return "Waiting for an answer".to_owned(),
        State::Queued if one.last_answer.is_none() => return "Waits for a worker".to_owned(),
        _ => {}
    }
    let Some(last) = &one.last_answer else { return "Nothing tried yet".to_owned() };
    match (last.status, last.outcome) {
        (Some(status), _) => status_words(status),
        (None, AttemptOutcome::Lost) => "No answer, request sent".to_owned(),
        (None, AttemptOutcome::Pending) => "Waiting for an answer".to_owned(),
        (None, AttemptOutcome::Succeeded) => step_done(last.step).to_owned(),
        (None, _) => "No answer".to_owned(),
    }
}

/// "400 Bad Request".
fn status_words(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    match known.as_ref().and_then(StatusCode::canonical_reason) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

/// Whether the last response is highlighted.
pub(crate) fn is_trouble(one: &Registration) -> bool {
    matches!(one.state, State::Retrying | State::Failed | State::Unconfirmed)
}

/// The text after the last response: "next in 40 s", "retries stopped".
pub(crate) fn outlook(one: &Registration, now: &Timestamp) -> Option<String> {
    let next = one.not_before.filter(|at| at > now).map(|at| view::ago(&at, now));
    match (one.state, next) {
        (State::Failed, _) => Some("retries stopped".to_owned()),
        (State::Unconfirmed, None) => Some("needs a decision".to_owned()),
        (State::Unconfirmed, Some(at)) => Some(format!("once more {at}")),
        (State::Outdated, _) if one.metadata_used.is_some_and(|used| used < one.metadata_newest) => {
            Some(format!("v{} waits for approval", one.metadata_newest))
        }
        (State::Outdated, _) => Some("a change waits for approval".to_owned()),
        (State::Retrying, None) => Some("next immediately".to_owned()),
        (_, Some(at)) => Some(format!("next {at}")),
        (_, None) => None,
    }
}

/// What happens next, as a sentence.
pub(super) fn retries(one: &Registration, now: &Timestamp) -> String {
    let next = one.not_before.filter(|at| at > now).map(|at| view::ago(&at, now));
    match (one.state, next) {
        (State::Failed, _) => "Stopped. This does not change by itself.".to_owned(),
        (State::Unconfirmed, None) => "Stopped. Each more could leave a client behind.".to_owned(),
        (State::Unconfirmed, Some(at)) => format!("Once more {at}."),
        (State::Retrying | State::Queued, Some(at)) => format!("Next {at}."),
        (State::Retrying | State::Queued, None) => "Next attempt immediately.".to_owned(),
        _ => String::new(),
    }
}

/// CSS class and icon of an attempt; a final refusal looks worse than one that is retried.
pub(super) fn attempt_look(attempt: &Attempt) -> (&'static str, &'static str) {
    match attempt.outcome {
        AttemptOutcome::Failed if retried(attempt) => ("warn", "turn"),
        outcome => view::outcome_look(outcome),
    }
}

/// The heading of an attempt.
pub(super) fn attempt_title(attempt: &Attempt) -> String {
    let step = attempt.step;
    match attempt.outcome {
        AttemptOutcome::Succeeded => step_done(step).to_owned(),
        AttemptOutcome::Pending => format!("{}, waiting for the answer", view::capital(step_doing(step))),
        AttemptOutcome::Lost => "Sent, and the answer lost".to_owned(),
        AttemptOutcome::Failed if retried(attempt) => {
            format!("{} did not work, tried again", view::capital(step_doing(step)))
        }
        AttemptOutcome::Failed if attempt.exchanges.last().is_some_and(|last| last.status.is_some()) => {
            match step {
                AttemptStep::Register if is_unusable(attempt) => "Answered, but not usable".to_owned(),
                AttemptStep::Register => "Refused, retries stopped".to_owned(),
                _ => format!("{} failed, retries stopped", view::capital(step_doing(step))),
            }
        }
        AttemptOutcome::Failed => format!("{} failed", view::capital(step_doing(step))),
    }
}

/// Whether a registration was answered with success and yields no usable client.
fn is_unusable(attempt: &Attempt) -> bool {
    use registry_core::registration::{REASONS, RetryClass};
    let unusable =
        |code: &String| REASONS.iter().any(|one| one.code == code && one.retry_class == RetryClass::Unusable);
    attempt.reason.as_ref().is_some_and(unusable)
}

fn retried(attempt: &Attempt) -> bool {
    use registry_core::registration::{REASONS, RetryClass};
    attempt.reason.as_ref().is_some_and(|code| {
        REASONS.iter().any(|one| {
            one.code == code && matches!(one.retry_class, RetryClass::Retries | RetryClass::FallsBack)
        })
    })
}

fn step_done(step: AttemptStep) -> &'static str {
    match step {
        AttemptStep::Discover => "Authorization server found",
        AttemptStep::Publish => "Metadata document published",
        AttemptStep::Register => "Registered",
        AttemptStep::Adopt => "Entered client taken over",
        AttemptStep::Update => "Updated",
        AttemptStep::Verify => "Found well",
        AttemptStep::Withdraw => "Withdrawn",
    }
}

fn step_doing(step: AttemptStep) -> &'static str {
    match step {
        AttemptStep::Discover => "discovery",
        AttemptStep::Publish => "publishing",
        AttemptStep::Register => "registration",
        AttemptStep::Adopt => "taking over the entered client",
        AttemptStep::Update => "the update",
        AttemptStep::Verify => "the check",
        AttemptStep::Withdraw => "withdrawal",
    }
}

/// The duration of an attempt.
pub(super) fn duration(attempt: &Attempt) -> Option<String> {
    let took = (attempt.finished_at? - attempt.started_at).num_milliseconds();
    Some(match took {
        ..=999 => format!("{took} ms"),
        1_000..=9_999 => format!("{}.{} s", took / 1_000, took % 1_000 / 100),
        _ => format!("{} s", took / 1_000),
    })
}
