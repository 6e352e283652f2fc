//! Ending a claim: the state users see, and when the registration is due again.

use crate::actor::Actor;
use crate::ports::registration_queue::{Claim, ReconcileOutcome, StepError};
use crate::registration::brief::workspace_of;
use crate::registration::context::{Context, NEVER, claimed, serves};
use crate::registration::failures::event;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{millis, set_word};
use crate::storage::entity::registration;
use crate::{Registry, Result};
use registry_core::id::ServerId;
use registry_core::oauth::Failure;
use registry_core::origin::origin_of;
use registry_core::registration::{Block, State};
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use serde_json::json;

/// Closes a claim. If something happened since the context was loaded, the registration is due at once.
pub(crate) async fn settle(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    how: ReconcileOutcome,
) -> Result<(), StepError> {
    let mut write = registry.begin_write(&Actor::worker(&claim.worker)).await?;
    let row = claimed(&write, claim).await?;
    let undisturbed = row.wanted == context.row.desired_generation;
    let until = match &how {
        ReconcileOutcome::Wait(until) | ReconcileOutcome::WaitForSlot(until, _) => Some(*until),
        ReconcileOutcome::Blocked(_, until)
        | ReconcileOutcome::AwaitApproval(_, until)
        | ReconcileOutcome::Idle(_, until) => *until,
    };
    let mut changed = registration::ActiveModel {
        id: Set(row.id),
        due_at: Set(if undisturbed { until.map_or(NEVER, millis) } else { write.millis() }),
        lease_until: Set(0),
        lease_owner: Set(None),
        ..Default::default()
    };
    // A user's request is answered by every outcome but a wait for a slot, which answers it later.
    if undisturbed && !matches!(how, ReconcileOutcome::WaitForSlot(..)) {
        changed.request = Set(None);
    }
    let serves = serves(context, write.now);
    let idle = matches!(context.row.state, State::Registered | State::Registering | State::Queued);
    let (state, said) = match how {
        // There is no usable client, and nothing has failed: the reason for the wait must be shown.
        ReconcileOutcome::Wait(until)
            if idle && !serves && until > write.now && !context.desired.is_gone(write.now) =>
        {
            (Some(State::Retrying), Some(cooling_down()))
        }
        ReconcileOutcome::Wait(_) => (None, None),
        ReconcileOutcome::WaitForSlot(..) if serves || context.desired.is_gone(write.now) => (None, None),
        ReconcileOutcome::WaitForSlot(_, url) => (Some(State::Queued), Some(waiting_turn(&origin_of(&url)))),
        // "A client may exist upstream" must stay visible; it does not become an ordinary failure.
        ReconcileOutcome::Blocked(block, _) if block.code == Failure::answer_lost().code => {
            (Some(State::Unconfirmed), Some(block))
        }
        ReconcileOutcome::Blocked(block, _) => (Some(State::Failed), Some(block)),
        ReconcileOutcome::AwaitApproval(block, _) => (Some(State::Outdated), Some(block)),
        ReconcileOutcome::Idle(state, _) => (Some(state), None),
    };
    if let Some(Block { code, detail }) = &said {
        changed.reason = Set(Some(code.clone()));
        if matches!(state, Some(State::Failed | State::Unconfirmed)) {
            changed.failed_inputs = Set(Some(context.desired.inputs()));
        }
        if detail.is_some() {
            changed.detail = Set(detail.clone());
            changed.error = Set(None);
            changed.error_description = Set(None);
            changed.failed_step = Set(None);
        }
    }
    if let Some(state) = state
        && (state.as_str() != row.state
            || said.as_ref().is_some_and(|said| row.reason.as_ref() != Some(&said.code)))
    {
        changed.state = set_word(state);
        changed.updated_at = Set(write.millis());
        let mut event = event(context, AuditAction::RegistrationStateChanged, row.id)
            .before(json!({ "state": row.state }));
        event.after = Some(json!({ "state": state, "reason": said.as_ref().map(|block| &block.code) }));
        write.audit(event);
        write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
        if matches!(state, State::Registered | State::Withdrawn) {
            clear(&mut changed);
        }
    }
    changed.update(&write.txn).await?;
    Ok(write.commit().await?)
}

/// Forgets what went wrong before; not how long to be polite, and not what may have been left behind upstream.
fn clear(changed: &mut registration::ActiveModel) {
    changed.reason = Set(None);
    changed.detail = Set(None);
    changed.error = Set(None);
    changed.error_description = Set(None);
    changed.failed_inputs = Set(None);
    changed.failed_step = Set(None);
    changed.failures = Set(0);
}

fn cooling_down() -> Block {
    Block {
        code: "cooling_down".to_owned(),
        detail: Some("There is no usable client, and the last one was made a short while ago: a new one waits, so that an authorization server that forgets clients or lets their secrets expire at once is not flooded with them.".to_owned()),
    }
}

fn waiting_turn(origin: &str) -> Block {
    Block {
        code: "waiting_turn".to_owned(),
        detail: Some(format!(
            "{origin} is asked only so often (`worker.issuer_rate`), and others came first. It is sent when its turn comes."
        )),
    }
}
