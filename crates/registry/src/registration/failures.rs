//! How the outcome of a step is written on its registration and its attempt: what failed, what that means, what was left
//! open. Called inside the worker's guarded writes.

use crate::configuration::layers::ServerLayers;
use crate::lookup::clients::active_clients;
use crate::registration::brief::workspace_of;
use crate::registration::context::Context;
use crate::registration::orphans;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, millis, set_some_word, set_word};
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::storage::write::{Event, Write};
use crate::{Error, Result};
use chrono::Duration;
use registry_core::backoff;
use registry_core::id::{OauthClientId, SealedId, ServerId};
use registry_core::oauth::{Exchange, Failure, FailureClass};
use registry_core::registration::{
    AttemptOutcome, AttemptStep, Consequence, Desired, ManagementConsequence, ManagementStep, State,
    Verification, after_failure, after_management_failure,
};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// How often the deletion of a client is tried before it goes into the orphan ledger: over about two days.
const MAX_DELETION_ATTEMPTS: i64 = 14;

/// What a failure of reading or updating the active client means for the client, if it means something: then the effort
/// goes on with another way, and nothing has failed yet.
pub(crate) async fn manage_failed(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    step: AttemptStep,
    failure: &Failure,
) -> Result<bool> {
    use ManagementConsequence as C;
    let Some(active) = &context.observed.client else { return Ok(false) };
    let step = match step {
        AttemptStep::Update => ManagementStep::Update,
        AttemptStep::Verify => ManagementStep::Verify,
        _ => return Ok(false),
    };
    let Some(consequence) = after_management_failure(failure, step, active) else { return Ok(false) };
    let client = oauth_client::Entity::find_by_id(active.id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("client", active.id))?;
    let mut changed = oauth_client::ActiveModel { id: Set(client.id), ..Default::default() };
    let doubted = |doubt: Verification| set_some_word(doubt);
    match consequence {
        C::InDoubt => {
            // Said so until the next answer.
            changed.doubt = doubted(Verification::UpdateLost);
            changed.update(&write.txn).await?;
            return Ok(false);
        }
        C::Forgotten => changed.doubt = doubted(Verification::Forgotten),
        C::RefusedAndAsked => {
            changed.update_refused = Set(Some(context.desired.digest.clone()));
            changed.doubt = doubted(Verification::Reported);
        }
        C::Refused => {
            changed.update_refused = Set(Some(context.desired.digest.clone()));
            changed.doubt = Set(None);
        }
        C::Unreadable => {
            changed.doubt = Set(None);
            changed.verified_at = Set(Some(write.millis()));
        }
        C::Unmanageable => {
            write.delete_sealed(client.registration_access_token_id.map(SealedId)).await?;
            changed.registration_access_token_id = Set(None);
            changed.doubt = Set(None);
        }
    }
    changed.warnings = Set(with_warning(&client, &failure.message)?);
    changed.update(&write.txn).await?;
    let event = event(context, AuditAction::RegistrationClientDoubted, row.id).after(json!({
        "client_id": client.client_id, "generation": client.generation, "reason": failure.code,
    }));
    write.audit(event);
    write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    Ok(true)
}

fn with_warning(client: &oauth_client::Model, message: &str) -> Result<String> {
    let mut warnings: Vec<String> = json(&client.warnings, "oauth_client", "warnings", client.id)?;
    if !warnings.iter().any(|known| known == message) {
        warnings.push(message.to_owned());
    }
    Ok(serde_json::to_string(&warnings)?)
}

/// A step that came to nothing, and not because of the upstream.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// What `withdrawal` says from before a deletion is sent until its outcome is recorded.
const SENT: &str = "sent";
/// What it says when the answer was lost: the client may be gone.
pub(crate) const ANSWER_LOST: &str = "answer_lost";

/// Notes on a client that its deletion is sent now. That an earlier answer was lost stays known.
pub(crate) async fn deletion_sent(write: &Write<'_>, id: OauthClientId) -> Result<()> {
    oauth_client::Entity::update_many()
        .col_expr(oauth_client::Column::Withdrawal, Expr::value(SENT))
        .filter(oauth_client::Column::Id.eq(id.0))
        .filter(oauth_client::Column::Withdrawal.is_null())
        .exec(&write.txn)
        .await?;
    Ok(())
}

/// A deletion that was sent by a worker which was never heard of again.
async fn deletion_lost(write: &Write<'_>, registration: Uuid) -> Result<()> {
    oauth_client::Entity::update_many()
        .col_expr(oauth_client::Column::Withdrawal, Expr::value(ANSWER_LOST))
        .filter(oauth_client::Column::RegistrationId.eq(registration))
        .filter(oauth_client::Column::Withdrawal.eq(SENT))
        .exec(&write.txn)
        .await?;
    Ok(())
}

/// Plans the next try of a deletion that may still succeed; false when it is given up.
pub(crate) async fn keep_withdrawing(
    write: &Write<'_>,
    id: OauthClientId,
    failure: &Failure,
) -> Result<bool> {
    let client = oauth_client::Entity::find_by_id(id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("client", id))?;
    let failures = client.withdraw_failures + 1;
    let hiccup = matches!(failure.class, FailureClass::Transient | FailureClass::Ambiguous);
    if !hiccup || failures >= MAX_DELETION_ATTEMPTS {
        return Ok(false);
    }
    let asked = failure.retry_after.and_then(|seconds| i64::try_from(seconds.min(86_400)).ok());
    let step = u32::try_from(failures).unwrap_or(u32::MAX);
    let wait = Duration::from_std(backoff::wait(step, jitter()?)).unwrap_or(Duration::hours(6));
    let wait = asked.map_or(wait, |seconds| wait.max(Duration::seconds(seconds)));
    let mut changed = client.into_active_model();
    changed.withdraw_failures = Set(failures);
    changed.withdraw_not_before = Set(Some(millis(write.now + wait)));
    if failure.class == FailureClass::Ambiguous {
        changed.withdrawal = Set(Some(ANSWER_LOST.to_owned()));
    } else if changed.withdrawal.as_ref().as_deref() == Some(SENT) {
        changed.withdrawal = Set(None);
    }
    changed.withdrawal_detail = Set(Some(failure.message.clone()));
    changed.update(&write.txn).await?;
    Ok(true)
}

/// An attempt whose worker was never heard of again: what was sent and may have been acted on is a lost answer.
pub(crate) async fn leave_open(
    write: &mut Write<'_>,
    row: registration::Model,
    layers: &ServerLayers,
    desired: &Desired,
    left: &attempt::Model,
) -> Result<registration::Model> {
    let (outcome, failure) = match left.step()? {
        AttemptStep::Register => (AttemptOutcome::Lost, Failure::answer_lost()),
        AttemptStep::Update | AttemptStep::Verify => {
            (AttemptOutcome::Lost, Failure::management_answer_lost())
        }
        _ => (AttemptOutcome::Failed, interrupted()),
    };
    close_attempt(write, left.id, outcome, Some(&failure), Vec::new(), None).await?;
    let active = active_clients(&write.txn, [row.id]).await?.pop();
    match left.step()? {
        AttemptStep::Register => {
            let issuer = orphans::issuer_of(row.discovery.as_deref(), row.id)?;
            orphans::enter_lost_answer(write, layers, left, issuer, &failure, None).await?;
        }
        AttemptStep::Update | AttemptStep::Verify => {
            if let Some(client) = &active {
                oauth_client::ActiveModel {
                    id: Set(client.id),
                    doubt: set_some_word(Verification::UpdateLost),
                    ..Default::default()
                }
                .update(&write.txn)
                .await?;
            }
        }
        // Deleting twice does no harm; which client it was is planned again.
        AttemptStep::Withdraw => {
            deletion_lost(write, row.id).await?;
            return Ok(row);
        }
        _ => {}
    }
    let now = write.now;
    let serves = active.is_some_and(|client| crate::lookup::clients::usable(&client, now));
    // What was sent was what a user asked for: it is not sent again for the same request.
    let keep_request = left.step()? != AttemptStep::Register;
    fail(write, row, layers, desired, (left.step()?, &failure), serves, keep_request).await
}

/// A step that reached out and was never heard of again: its worker died, or was slower than its lease.
fn interrupted() -> Failure {
    Failure::new(
        FailureClass::Transient,
        INTERRUPTED,
        "A worker stopped in the middle of this. It is tried again later.",
    )
}

/// A step whose secret was replaced while it was under way: the new request is planned again.
pub(crate) fn superseded() -> Failure {
    Failure::new(
        FailureClass::Transient,
        INTERRUPTED,
        "The secret was replaced in the middle of this. It is tried again with the new one.",
    )
}

pub(crate) fn event(context: &Context, action: AuditAction, row: Uuid) -> Event {
    Event::new(action, "registration", row)
        .named(&context.name)
        .in_workspace(Some(workspace_of(&context.row.layers)))
}
/// A registration that reached `state`: nothing failed any more. With `keep_request` a user asked for something while
/// this was under way, and still waits for it.
pub(crate) fn settled(
    row: &registration::Model,
    state: State,
    now: i64,
    keep_request: bool,
) -> registration::ActiveModel {
    registration::ActiveModel {
        id: Set(row.id),
        state: set_word(state),
        reason: Set(None),
        detail: Set(None),
        error: Set(None),
        error_description: Set(None),
        request: if keep_request { NotSet } else { Set(None) },
        failures: Set(0),
        lost_answers: Set(0),
        lost_inputs: Set(None),
        failed_inputs: Set(None),
        failed_step: Set(None),
        not_before: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
}

/// Writes a failure of a step on the registration: its state, its reason, when to try again. While a client `serves`, a
/// transient failure of its upkeep is not shown. What a user asked for is kept where the step is retried, and with
/// `keep_request`.
pub(crate) async fn fail(
    write: &mut Write<'_>,
    row: registration::Model,
    layers: &ServerLayers,
    desired: &Desired,
    (step, failure): (AttemptStep, &Failure),
    serves: bool,
    keep_request: bool,
) -> Result<registration::Model> {
    let rules = write.registry.settings().retry;
    let counted = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let consequence =
        after_failure(failure, counted(row.failures), counted(row.lost_answers), rules, write.now, jitter()?);
    let keep_request = keep_request || consequence.state == State::Retrying;
    let mut changed = registration::ActiveModel {
        id: Set(row.id),
        request: if keep_request { NotSet } else { Set(None) },
        failures: Set(i64::from(consequence.failures)),
        not_before: Set(consequence.not_before.map(millis)),
        updated_at: Set(write.millis()),
        ..Default::default()
    };
    if serves && step == AttemptStep::Discover {
        // The client serves regardless of this discovery, which is tried again later.
        let later = consequence.not_before.unwrap_or(write.now + desired.rules.rediscover_every);
        changed.rediscover_at = Set(Some(millis(later)));
    }
    if serves
        && matches!(step, AttemptStep::Discover | AttemptStep::Verify)
        && consequence.state == State::Retrying
    {
        return Ok(changed.update(&write.txn).await?);
    }
    let Consequence { state, not_before, lost_answers, .. } = consequence;
    let old_state = row.state.clone();
    changed.state = set_word(state);
    changed.reason = Set(Some(failure.code.to_string()));
    changed.detail = Set(Some(failure.message.clone()));
    changed.error = Set(failure.error.clone());
    changed.error_description = Set(failure.error_description.clone());
    if lost_answers > counted(row.lost_answers) {
        changed.lost_answers = Set(i64::from(lost_answers));
        changed.lost_inputs = Set(Some(desired.inputs()));
    }
    changed.failed_inputs = Set(not_before.is_none().then(|| desired.inputs()));
    changed.failed_step = set_some_word(step);
    let changed = changed.update(&write.txn).await?;
    if old_state != changed.state {
        let event = Event::new(AuditAction::RegistrationFailed, "registration", row.id)
            .named(format!("{}/{}", layers.workspace.slug, layers.server.slug))
            .in_workspace(Some(workspace_of(layers)))
            .before(json!({ "state": old_state }))
            .after(json!({ "state": state, "reason": failure.code, "not_before": not_before }));
        write.audit(event);
        write.server_changed(workspace_of(layers), ServerId(row.server_id));
    }
    Ok(changed)
}

/// Closes an attempt.
pub(crate) async fn close_attempt(
    write: &Write<'_>,
    id: Uuid,
    outcome: AttemptOutcome,
    failure: Option<&Failure>,
    exchanges: Vec<Exchange>,
    response: Option<Value>,
) -> Result<()> {
    let closed = attempt::ActiveModel {
        finished_at: Set(Some(write.millis())),
        outcome: set_word(outcome),
        reason: Set(failure.map(|failure| failure.code.to_string())),
        detail: Set(failure.map(|failure| failure.message.clone())),
        error: Set(failure.and_then(|failure| failure.error.clone())),
        error_description: Set(failure.and_then(|failure| failure.error_description.clone())),
        exchanges: Set(serde_json::to_string(&exchanges)?),
        response: Set(response.map(|response| response.to_string())),
        ..Default::default()
    };
    let update = attempt::Entity::update_many().set(closed).filter(attempt::Column::Id.eq(id));
    match update.exec(&write.txn).await?.rows_affected {
        0 => Err(Error::not_found("attempt", id)),
        _ => Ok(()),
    }
}

/// A random number in `[0, 1)`, so that many registrations do not come back in step.
pub(crate) fn jitter() -> Result<f64> {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
    Ok(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}
