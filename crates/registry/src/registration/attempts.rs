//! Records an attempt before its request is sent; `outcomes` adds the result later.

use crate::actor::Actor;
use crate::ports::registration_queue::{Claim, StepError};
use crate::registration::claims::lease_millis;
use crate::registration::context::{Context, claimed, lease_clock, serves};
use crate::registration::failures::deletion_sent;
use crate::storage::columns::set_word;
use crate::storage::entity::{attempt, registration};
use crate::storage::write::Write;
use crate::{Registry, Result};
use registry_core::id::{AttemptId, OauthClientId};
use registry_core::oauth::Adjustment;
use registry_core::registration::{AttemptOutcome, AttemptStep, State};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

/// Records the attempt of `step`, *before* anything is sent, and prolongs the lease. `request`: the client metadata to be sent
/// or published. Fails with [`StepError::LeaseLost`] if the fence of `claim` is old, and if this process cannot seal.
pub(crate) async fn begin(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    step: AttemptStep,
    request: Option<&Map<String, Value>>,
    adjustments: &[Adjustment],
) -> Result<AttemptId, StepError> {
    let write = registry.begin_write(&Actor::worker(&claim.worker)).await?;
    let row = claimed(&write, claim).await?;
    // The response may contain secrets, which have to be sealed: a process that cannot seal must not send the request.
    write.permit()?;
    let id = enter_attempt(registry, &write, &row, claim, context, (step, request, adjustments)).await?;
    write.commit().await?;
    Ok(id)
}

/// As [`begin`], for the deletion of `client`, which is marked too: if the response is lost, the mark says that this client
/// may be gone. No secret comes with the response, so the process need not be able to seal.
pub(crate) async fn begin_deletion(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    client: OauthClientId,
) -> Result<AttemptId, StepError> {
    let write = registry.begin_write(&Actor::worker(&claim.worker)).await?;
    let row = claimed(&write, claim).await?;
    let id =
        enter_attempt(registry, &write, &row, claim, context, (AttemptStep::Withdraw, None, &[])).await?;
    deletion_sent(&write, client).await?;
    write.commit().await?;
    Ok(id)
}

/// Inserts the attempt with the next number of its registration, and sets state and lease of the registration `row`.
async fn enter_attempt(
    registry: &Registry,
    write: &Write<'_>,
    row: &registration::Model,
    claim: &Claim,
    context: &Context,
    (step, request, adjustments): (AttemptStep, Option<&Map<String, Value>>, &[Adjustment]),
) -> Result<AttemptId> {
    let number: Option<i64> = attempt::Entity::find()
        .select_only()
        .column(attempt::Column::Number)
        .filter(attempt::Column::RegistrationId.eq(row.id))
        .order_by_desc(attempt::Column::Number)
        .limit(1)
        .into_tuple()
        .one(&write.txn)
        .await?;
    let id = registry.new_id();
    attempt::ActiveModel {
        id: Set(id),
        registration_id: Set(row.id),
        number: Set(number.unwrap_or(0) + 1),
        step: set_word(step),
        fence: Set(claim.fence),
        started_at: Set(write.millis()),
        outcome: set_word(AttemptOutcome::Pending),
        request: Set(request.map(serde_json::to_string).transpose()?),
        adjustments: Set(serde_json::to_string(adjustments)?),
        exchanges: Set("[]".to_owned()),
        ..Default::default()
    }
    .insert(&write.txn)
    .await?;
    // While gateways have a usable client, users see the state `registering` only for a step that may change this client.
    let quiet = matches!(step, AttemptStep::Discover | AttemptStep::Verify | AttemptStep::Withdraw)
        && serves(context, write.now);
    let state = match step {
        _ if context.desired.is_gone(write.now) => State::Withdrawing,
        _ if quiet || step == AttemptStep::Withdraw => context.row.state,
        _ => State::Registering,
    };
    registration::ActiveModel {
        id: Set(row.id),
        state: set_word(state),
        lease_until: Set(lease_clock(write).await? + lease_millis(registry)),
        updated_at: Set(write.millis()),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    Ok(AttemptId(id))
}
