//! Decides the next step of one registration. Pure: no I/O; the caller gives the time.

use super::block::Block;
use super::fit::{Fit, fit, may_replace, updatable};
use super::known::{ActiveClient, Desired, DesiredPresence, Observed, Request, Verification};
use super::method::{Choice, choose_method};
use super::state::{RegistrationMethod, State};
use crate::clock::Timestamp;
use crate::id::OauthClientId;
use crate::metadata::ReplacePolicy;
use crate::oauth::{Discovery, Failure};
use chrono::Duration;

/// How old a discovery may be when a client is obtained after it.
fn discovery_ttl() -> Duration {
    Duration::hours(1)
}

/// How long a document that could not be read through its public address is not relied on.
fn document_retry_interval() -> Duration {
    Duration::hours(1)
}

/// The next thing to do. Moments say when to look again at the latest; `None`: when something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find the authorization server.
    Discover,
    /// Publish a Client ID Metadata Document, and check that it can be read.
    Publish,
    /// Register a client (RFC 7591). The one there is, if any, drains afterwards: make before break.
    Register,
    /// Take the client that an admin entered.
    Adopt,
    /// Bring the active client up to date (RFC 7592 §2.2).
    Update,
    /// Ask the authorization server whether it still knows the active client (RFC 7592 §2.1).
    Verify,
    /// Delete a client upstream (RFC 7592 §2.3), or record that this is not possible.
    Withdraw(OauthClientId),
    /// Not yet: look again at the moment given.
    Wait(Timestamp),
    /// A user must act: the registration has failed.
    Blocked(Block, Option<Timestamp>),
    /// The client is in use, but only a new one would match the metadata, and a user must approve it (`outdated`).
    AwaitApproval(Block, Option<Timestamp>),
    /// All is as wanted.
    Idle(State, Option<Timestamp>),
}

/// The next step for a registration. Called again after each step until it says wait, block, ask or rest.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    if desired.is_gone(now) {
        return withdrawal(desired, observed, now);
    }
    let step = match desired.presence {
        DesiredPresence::Suspended(until) => {
            let state = if observed.client.is_some() { State::Registered } else { State::Withdrawn };
            Step::Idle(state, Some(until))
        }
        DesiredPresence::Present | DesiredPresence::Absent => reconcile_wanted(desired, observed, now),
    };
    let Some((due, id)) = next_ending(desired, observed, now) else { return step };
    match step {
        Step::Wait(_) | Step::Blocked(..) | Step::AwaitApproval(..) | Step::Idle(..) if due <= now => {
            Step::Withdraw(id)
        }
        Step::Wait(until) => Step::Wait(until.min(due)),
        Step::Blocked(block, until) => Step::Blocked(block, earliest([until, Some(due)])),
        Step::AwaitApproval(block, until) => Step::AwaitApproval(block, earliest([until, Some(due)])),
        Step::Idle(state, until) => Step::Idle(state, earliest([until, Some(due)])),
        sending => sending,
    }
}

/// Everything there is goes, the active client first.
fn withdrawal(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    let active = observed.client.as_ref().map(|client| {
        let due = client.withdraw_not_before.unwrap_or(now);
        (due, client.id)
    });
    let ending = active.or_else(|| next_ending(desired, observed, now));
    match ending {
        Some((due, id)) if due <= now => Step::Withdraw(id),
        Some((due, _)) => Step::Wait(due),
        None => Step::Idle(State::Withdrawn, None),
    }
}

fn next_ending(desired: &Desired, observed: &Observed, now: Timestamp) -> Option<(Timestamp, OauthClientId)> {
    observed.ending.iter().map(|client| (client.due(desired, now), client.id)).min_by_key(|(due, _)| *due)
}

/// What to do for a client that is wanted.
fn reconcile_wanted(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    let Some(client) = &observed.client else { return obtain_client(desired, observed, now) };
    if observed.request == Some(Request::Reregister) {
        return obtain_client(desired, observed, now);
    }
    match client.verification {
        Some(Verification::UpdateLost | Verification::Reported) if client.manageable => {
            return unless_deferred(observed, now, Step::Verify);
        }
        Some(Verification::Forgotten) => return recover(desired, observed, client, now),
        Some(Verification::UpdateLost | Verification::Reported) | None => {}
    }
    let expired = !client.usable(now);
    let known =
        observed.discovery.as_ref().map(|(found, _)| found).filter(|found| desired.is_found_by(found));
    let scheduled = observed.rediscover_at.is_some_and(|moment| moment <= now);
    let stale = observed.discovery.is_some() && known.is_none();
    if stale || scheduled {
        return unless_deferred(observed, now, Step::Discover);
    }
    // A check that is already due and waits for a user does not wake the registration again.
    let until = earliest(
        [client.renew_at(desired.rules), client.secret_expires_at, observed.rediscover_at]
            .map(|moment| moment.filter(|moment| *moment > now)),
    );
    if let Some(step) = blocked(desired, observed, observed.rediscover_at.filter(|_| !expired)) {
        return step;
    }
    if let Some(discovery) = known.filter(|discovery| !client.belongs_to(discovery)) {
        return at_another_issuer(desired, observed, client, discovery, now, until);
    }
    if expired {
        // A server whose secrets live for seconds is not asked for ever faster ones.
        let early =
            client.renew_at(desired.rules).filter(|moment| *moment > now && observed.request.is_none());
        return early.map_or_else(|| renew(desired, observed, client, now, until), Step::Wait);
    }
    match fit(desired, client) {
        Fit::Current => keep(desired, observed, client, now, until),
        Fit::Adopt | Fit::Publish => obtain_client(desired, observed, now),
        Fit::Update => unless_deferred(observed, now, Step::Update),
        Fit::Replace if observed.skipped.as_ref() == Some(&desired.inputs()) => {
            keep(desired, observed, client, now, until)
        }
        Fit::Replace if may_replace(desired, client) && !requires_approval(desired, observed) => {
            obtain_client(desired, observed, now)
        }
        Fit::Replace => await_approval(
            "metadata_changed",
            "The metadata changed after this client was registered, and only a new client can use the new metadata. Approve to replace it; users who signed in through the old one must then sign in again. Or skip this version and keep it.",
            until,
        ),
    }
}

/// A client that matches the metadata: its secret is renewed in time, and while unused it is verified regularly.
fn keep(
    desired: &Desired,
    observed: &Observed,
    client: &ActiveClient,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Step {
    if client.renew_at(desired.rules).is_some_and(|moment| moment <= now) {
        return renew(desired, observed, client, now, until);
    }
    let unused = client.method == RegistrationMethod::Dcr && !client.fetched;
    let seen = client.verified_at.or(client.updated_at).unwrap_or(client.created_at);
    let refresh = unused.then(|| seen + desired.rules.refresh_unused_after);
    match refresh {
        Some(moment) if moment <= now && client.manageable => unless_deferred(observed, now, Step::Verify),
        // No gateway has fetched it, so no user must sign in again.
        Some(moment) if moment <= now => obtain_client(desired, observed, now),
        refresh => Step::Idle(State::Registered, earliest([until, refresh])),
    }
}

/// A secret that has expired, or soon will: an update may bring a new one for the same client, else a new client does.
fn renew(
    desired: &Desired,
    observed: &Observed,
    client: &ActiveClient,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Step {
    let since = client.renew_at(desired.rules).unwrap_or(now).min(now);
    // One update in the time left: where it brought a new secret, this function is not reached again.
    if updatable(desired, client) && client.updated_at.is_none_or(|moment| moment < since) {
        return unless_deferred(observed, now, Step::Update);
    }
    let may_wait = client.usable(now) && desired.effective.registration.replace == Some(ReplacePolicy::Ask);
    if may_wait {
        return await_approval(
            "secret_expiring",
            "The client's secret expires soon, and only a new client brings a new one. Approve to replace it now; when the secret has expired it is replaced without asking, because the old one cannot be used any more.",
            until.filter(|moment| *moment > now).or(client.secret_expires_at),
        );
    }
    obtain_client(desired, observed, now)
}

/// The authorization server is another than the one the client belongs to: it is never used there
/// (INV-2; SEP-2352).
fn at_another_issuer(
    desired: &Desired,
    observed: &Observed,
    client: &ActiveClient,
    discovery: &Discovery,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Step {
    if client.method == RegistrationMethod::PreRegistered {
        return match &desired.effective.credentials {
            // The same client is used at the new issuer only after a user confirms it: its issuer named, or its secret
            // entered again.
            Some(entered) if entered.client_id == client.client_id => {
                let named = &desired.effective.authorization_server;
                let vouched = [&named.issuer, &named.trusted_issuer]
                    .into_iter()
                    .any(|issuer| issuer.as_ref() == Some(&discovery.issuer));
                let again = entered.client_secret.is_some() && client.digest != desired.digest;
                if vouched || again { obtain_client(desired, observed, now) } else { issuer_changed(until) }
            }
            _ => obtain_client(desired, observed, now),
        };
    }
    let by_policy = desired.effective.registration.replace == Some(ReplacePolicy::Ask);
    let only_asked =
        client.method == RegistrationMethod::Dcr && (by_policy || requires_approval(desired, observed));
    if only_asked && client.usable(now) {
        if observed.skipped.as_ref() == Some(&desired.inputs()) {
            return Step::Idle(State::Registered, until);
        }
        return await_approval(
            "issuer_changed",
            "The server names another authorization server now. Approve to register a client there; the one there is belongs to the old one and is used nowhere else.",
            until,
        );
    }
    obtain_client(desired, observed, now)
}

/// What is done for a client that the authorization server has forgotten.
fn recover(desired: &Desired, observed: &Observed, client: &ActiveClient, now: Timestamp) -> Step {
    let asked = observed.request.is_some();
    if client.method == RegistrationMethod::PreRegistered && fit(desired, client) == Fit::Current && !asked {
        return Step::Blocked(
            Block {
                code: "invalid_client".to_owned(),
                detail: Some("The authorization server does not accept the client that you entered. Check its `client_id` and `client_secret` there, and enter them again.".to_owned()),
            },
            None,
        );
    }
    if let Some(step) = blocked(desired, observed, None) {
        return step;
    }
    let cool = observed.replaced_at.map(|moment| moment + desired.rules.replace_cooldown);
    match cool {
        Some(moment) if moment > now && !asked => Step::Wait(moment),
        _ => obtain_client(desired, observed, now),
    }
}

/// What to try for a server that needs a new client.
fn obtain_client(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    if let Some(step) = blocked(desired, observed, None) {
        return step;
    }
    let fresh = observed
        .discovery
        .as_ref()
        .filter(|(found, at)| desired.is_found_by(found) && *at + discovery_ttl() > now);
    let Some((discovery, _)) = fresh else {
        // Without credentials nothing would be gained by looking.
        return match missing_before_discovery(desired) {
            Some(block) => Step::Blocked(block, None),
            None => unless_deferred(observed, now, Step::Discover),
        };
    };
    let reachable =
        observed.document_unreachable_at.is_none_or(|moment| moment + document_retry_interval() <= now);
    let step = match choose_method(desired, discovery, reachable) {
        Choice::Adopt => Step::Adopt,
        Choice::Publish => Step::Publish,
        Choice::Register if was_lost_twice(desired, observed) => {
            let lost = Failure::answer_lost();
            return Step::Blocked(Block { code: lost.code.to_owned(), detail: Some(lost.message) }, None);
        }
        Choice::Register => Step::Register,
        Choice::Nobody(block) => return Step::Blocked(block, None),
    };
    unless_deferred(observed, now, step)
}

/// What is missing regardless of the authorization server.
fn missing_before_discovery(desired: &Desired) -> Option<Block> {
    use crate::metadata::Method;
    let method = super::method::configured_method(desired);
    let missing = method == Method::PreRegistered && desired.effective.credentials.is_none()
        || method == Method::Cimd && !desired.publishes_documents;
    if !missing {
        return None;
    }
    match choose_method(desired, &Discovery::default(), true) {
        Choice::Nobody(block) => Some(block),
        _ => None,
    }
}

/// A failure that needs a user stays until its inputs change or a user requests a retry.
fn blocked(desired: &Desired, observed: &Observed, until: Option<Timestamp>) -> Option<Step> {
    let (code, inputs) = observed.failed.as_ref()?;
    let stays = observed.request.is_none() && *inputs == desired.inputs();
    stays.then(|| Step::Blocked(Block { code: code.clone(), detail: None }, until))
}

/// Whether the user who saved the current configuration required approval for replacements.
fn requires_approval(desired: &Desired, observed: &Observed) -> bool {
    observed.held.as_ref() == Some(&desired.inputs())
}

/// Whether the same registration lost its answer twice already: each may have left a client behind, so a third one waits
/// for a user regardless of other events (INV-3).
fn was_lost_twice(desired: &Desired, observed: &Observed) -> bool {
    let twice =
        observed.lost.as_ref().is_some_and(|(count, inputs)| *count >= 2 && *inputs == desired.inputs());
    twice && observed.request.is_none()
}

/// `step`, unless `not_before` is in the future. A user's request does not wait for it, unless its step has failed since.
fn unless_deferred(observed: &Observed, now: Timestamp, step: Step) -> Step {
    match observed.not_before {
        Some(moment) if moment > now && (observed.request.is_none() || observed.failures > 0) => {
            Step::Wait(moment)
        }
        _ => step,
    }
}

fn await_approval(code: &str, detail: &str, until: Option<Timestamp>) -> Step {
    Step::AwaitApproval(Block { code: code.to_owned(), detail: Some(detail.to_owned()) }, until)
}

fn issuer_changed(until: Option<Timestamp>) -> Step {
    Step::Blocked(
        Block {
            code: "issuer_changed".to_owned(),
            detail: Some("The server names another authorization server than the one your client was used with. If that is right, set `issuer` in the Advanced Configuration to the new one, or enter the client registered there.".to_owned()),
        },
        until,
    )
}

fn earliest<const N: usize>(moments: [Option<Timestamp>; N]) -> Option<Timestamp> {
    moments.into_iter().flatten().min()
}
