//! The difference between the metadata of the active client and that of a new one.

use crate::view::plain;
use registry::RegistrationDetail;
use registry_core::registration::{AttemptOutcome, AttemptStep, ClientStatus};
use serde_json::{Map, Value};

/// One member that differs.
pub(super) struct Change {
    pub(super) member: String,
    /// The value that the active client was registered with; `None`: absent.
    pub(super) from: Option<String>,
    /// The value that is desired now; `None`: absent.
    pub(super) to: Option<String>,
}

/// How `wanted` differs from the metadata desired when the active client was registered.
pub(super) fn changes(detail: &RegistrationDetail, wanted: &Map<String, Value>) -> Vec<Change> {
    let active = detail.clients.iter().find(|client| client.status == ClientStatus::Active);
    let Some(mut sent) = active.and_then(|client| client.request.clone()) else { return Vec::new() };
    undo_adjustments(detail, &mut sent);
    let mut members: Vec<&String> = wanted.keys().collect();
    members.extend(sent.keys().filter(|name| !wanted.contains_key(*name)));
    members
        .into_iter()
        .filter(|name| sent.get(*name) != wanted.get(*name))
        .map(|name| Change {
            member: name.clone(),
            from: sent.get(name).map(plain),
            to: wanted.get(name).map(plain),
        })
        .collect()
}

/// A value that was adjusted to the authorization server is adjusted again: that is no difference.
fn undo_adjustments(detail: &RegistrationDetail, sent: &mut Map<String, Value>) {
    let made = detail.attempts.iter().find(|attempt| {
        attempt.outcome == AttemptOutcome::Succeeded
            && matches!(attempt.step, AttemptStep::Register | AttemptStep::Update)
    });
    for adjustment in made.iter().flat_map(|attempt| &attempt.adjustments) {
        match &adjustment.from {
            Value::Null => _ = sent.remove(&adjustment.member),
            from => _ = sent.insert(adjustment.member.clone(), from.clone()),
        }
    }
}
