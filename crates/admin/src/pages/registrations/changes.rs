//! What a new client would say differently from the one there is.

use crate::view::plain;
use registry::RegistrationDetail;
use registry_core::registration::{AttemptOutcome, AttemptStep, ClientStatus};
use serde_json::{Map, Value};

/// One member that differs.
pub(super) struct Change {
    pub(super) member: String,
    /// What the present client was registered with; `None`: nothing.
    pub(super) from: Option<String>,
    /// What is wanted now; `None`: nothing.
    pub(super) to: Option<String>,
}

/// How `wanted` differs from what was wanted when the present client was registered.
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

/// What was fitted to the authorization server then is fitted to it again: that is no difference.
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
