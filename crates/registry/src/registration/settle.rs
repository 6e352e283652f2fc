//! Ending a claim: the state users see, and when the registration is due again.

use crate::Registry;
use crate::ports::registration_queue::{Claim, ReconcileOutcome, StepError};
use crate::registration::brief::workspace_of;
use crate::registration::context::{Context, claimed, guarded, guarded_unchanged, serves};
use crate::registration::failures::event;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{NEVER, millis, set_word};
use crate::storage::entity::registration;
use crate::storage::write::{Event, Write};
use registry_core::clock::Timestamp;
use registry_core::id::ServerId;
use registry_core::oauth::Failure;
use registry_core::origin::origin_of;
use registry_core::registration::{Block, State};
use sea_orm::ActiveValue::Set;
use sea_orm::{EntityTrait, UpdateMany};
use serde_json::json;

/// Closes a claim. If something happened since the context was loaded, the registration is due at once.
pub(crate) async fn settle(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    how: ReconcileOutcome,
) -> Result<(), StepError> {
    let mut write = registry.begin_claim_write(claim).await?;
    let end = ClaimEnd::of(&write, context, &context.row.row, how.clone(), true);
    if guarded_unchanged(&mut write, claim, context, end.update()).await?.is_some() {
        end.announce(&mut write, context);
    } else {
        let row = claimed(&write, claim).await?;
        let unchanged = row.wanted == context.row.row.wanted;
        let end = ClaimEnd::of(&write, context, &row, how, unchanged);
        guarded(&mut write, claim, end.update()).await?;
        end.announce(&mut write, context);
    }
    Ok(write.commit().await?)
}

/// As [`settle`], in the `write` that recorded the last step: its row is the one of `context`, and locked.
pub(crate) async fn settle_in(
    write: &mut Write<'_>,
    claim: &Claim,
    context: &Context,
    how: ReconcileOutcome,
) -> Result<(), StepError> {
    let end = ClaimEnd::of(write, context, &context.row.row, how, true);
    guarded(write, claim, end.update()).await?;
    end.announce(write, context);
    Ok(())
}

/// What the end of a claim writes.
pub(crate) struct ClaimEnd {
    pub(crate) changed: registration::ActiveModel,
    /// The event of a state that users see for the first time.
    event: Option<Event>,
}

impl ClaimEnd {
    /// How the claim of `row` ends; `undisturbed`: nothing happened to it since `context` was loaded.
    pub(crate) fn of(
        write: &Write<'_>,
        context: &Context,
        row: &registration::Model,
        how: ReconcileOutcome,
        undisturbed: bool,
    ) -> Self {
        let until = match &how {
            ReconcileOutcome::Wait(until) | ReconcileOutcome::WaitForSlot(until, _) => Some(*until),
            ReconcileOutcome::Blocked(_, until)
            | ReconcileOutcome::AwaitApproval(_, until)
            | ReconcileOutcome::Idle(_, until) => *until,
        };
        let mut changed = registration::ActiveModel {
            due_at: Set(if undisturbed { until.map_or(NEVER, millis) } else { write.millis() }),
            lease_until: Set(0),
            lease_owner: Set(None),
            ..Default::default()
        };
        // A wait is no end: what is wanted has not been reached, nor has a user been told why it cannot be. What a user
        // asked for is still to be done.
        if undisturbed && !matches!(how, ReconcileOutcome::Wait(_) | ReconcileOutcome::WaitForSlot(..)) {
            changed.request = Set(None);
            changed.settled = Set(context.row.row.wanted);
        }
        let (state, said) = shown(context, how, write.now);
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
        let mut told = None;
        if let Some(state) = state
            && (state.as_str() != row.state
                || said.as_ref().is_some_and(|said| row.reason.as_ref() != Some(&said.code)))
        {
            changed.state = set_word(state);
            changed.updated_at = Set(write.millis());
            let mut event = event(context, AuditAction::RegistrationStateChanged, row.id)
                .before(json!({ "state": row.state }));
            event.after = Some(json!({ "state": state, "reason": said.as_ref().map(|block| &block.code) }));
            told = Some(event);
            if matches!(state, State::Registered | State::Withdrawn) {
                clear(&mut changed);
            }
        }
        Self { changed, event: told }
    }

    fn update(&self) -> UpdateMany<registration::Entity> {
        registration::Entity::update_many().set(self.changed.clone())
    }

    /// Adds the audit event and the change, if users see something new.
    pub(crate) fn announce(self, write: &mut Write<'_>, context: &Context) {
        if let Some(event) = self.event {
            write.audit(event);
            let layers = &context.row.layers;
            write.server_changed(workspace_of(layers), ServerId(layers.server.id));
        }
    }
}

/// The state that users see after `how`, and its reason; `None`: as before.
fn shown(context: &Context, how: ReconcileOutcome, now: Timestamp) -> (Option<State>, Option<Block>) {
    let serves = serves(context, now);
    let idle = matches!(context.row.state(), State::Registered | State::Registering | State::Queued);
    match how {
        // There is no usable client, and nothing has failed: the reason for the wait must be shown.
        ReconcileOutcome::Wait(until) if idle && !serves && until > now && !context.desired.is_gone(now) => {
            (Some(State::Retrying), Some(cooling_down()))
        }
        ReconcileOutcome::Wait(_) => (None, None),
        ReconcileOutcome::WaitForSlot(..) if serves || context.desired.is_gone(now) => (None, None),
        ReconcileOutcome::WaitForSlot(_, url) => (Some(State::Queued), Some(waiting_turn(&origin_of(&url)))),
        // "A client may exist upstream" must stay visible; it does not become an ordinary failure.
        ReconcileOutcome::Blocked(block, _) if block.code == Failure::answer_lost().code => {
            (Some(State::Unconfirmed), Some(block))
        }
        ReconcileOutcome::Blocked(block, _) => (Some(State::Failed), Some(block)),
        ReconcileOutcome::AwaitApproval(block, _) => (Some(State::Outdated), Some(block)),
        ReconcileOutcome::Idle(state, _) => (Some(state), None),
    }
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
