//! Records an attempt before its request is sent; `outcomes` adds the result later.

use crate::ports::registration_queue::{Begun, Claim, RegistrationRequest, StepError};
use crate::registration::context::{Context, guarded, lease_clock, lease_millis, serves};
use crate::registration::failures::deletion_sent;
use crate::registration::issuer_rate::{Slot, reserve_slot, take_slot_now};
use crate::storage::columns::{moment, set_word};
use crate::storage::entity::{attempt, registration};
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId};
use registry_core::oauth::{Adjustment, Prepared};
use registry_core::origin::origin_of;
use registry_core::registration::{AttemptOutcome, AttemptStep, State};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use serde_json::{Map, Value};
use uuid::Uuid;

/// A step that begins: what it is, and the client metadata that it sends or publishes.
#[derive(Clone, Copy)]
pub(crate) struct Beginning<'a> {
    pub(crate) step: AttemptStep,
    pub(crate) request: Option<&'a Map<String, Value>>,
    pub(crate) adjustments: &'a [Adjustment],
}

/// Records the attempt of a step, *before* anything is sent, and prolongs the lease. Fails with [`StepError::LeaseLost`] if
/// the fence of `claim` is old, and if this process cannot seal.
pub(crate) async fn begin(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    beginning: Beginning<'_>,
) -> Result<AttemptId, StepError> {
    let mut write = registry.begin_claim_write(claim).await?;
    let id = enter_attempt(&mut write, claim, context, beginning, false).await?;
    // The response may contain secrets, which have to be sealed: a process that cannot seal must not send the request.
    write.permit()?;
    write.commit().await?;
    Ok(id)
}

/// As [`begin`], for a step that sends something to `url`: only if its origin may be asked now.
pub(crate) async fn begin_sending(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    url: &str,
    beginning: Beginning<'_>,
) -> Result<Begun, StepError> {
    let mut write = registry.begin_claim_write(claim).await?;
    if let Some(until) = wait_for_slot(&mut write, claim, context, url).await? {
        return end_waiting(write, until).await;
    }
    let id = enter_attempt(&mut write, claim, context, beginning, true).await?;
    write.permit()?;
    write.commit().await?;
    Ok(Begun::Attempt(id))
}

/// As [`begin_sending`], in the write that records the step before. `None`: it cannot begin now, and nothing was written; it
/// begins by itself then, and waits for its slot or is refused.
pub(crate) async fn begin_if_free(
    write: &mut Write<'_>,
    claim: &Claim,
    context: &Context,
    request: &RegistrationRequest,
) -> Result<Option<AttemptId>, StepError> {
    let RegistrationRequest { endpoint, prepared: Prepared { request, adjustments } } = request;
    let row = &context.row;
    if write.permit().is_err()
        || row.row.slot_at.is_some()
        || !take_slot_now(write, &origin_of(endpoint), row.layers.workspace.id).await?
    {
        return Ok(None);
    }
    let beginning = Beginning { step: AttemptStep::Register, request: Some(request), adjustments };
    enter_attempt(write, claim, context, beginning, true).await.map(Some)
}

/// As [`begin_sending`], for the deletion of `client`, which is marked too: if the response is lost, the mark says that this
/// client may be gone. No secret comes with the response, so the process need not be able to seal.
pub(crate) async fn begin_deletion(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    url: &str,
    client: OauthClientId,
) -> Result<Begun, StepError> {
    let mut write = registry.begin_claim_write(claim).await?;
    if let Some(until) = wait_for_slot(&mut write, claim, context, url).await? {
        return end_waiting(write, until).await;
    }
    let beginning = Beginning { step: AttemptStep::Withdraw, request: None, adjustments: &[] };
    let id = enter_attempt(&mut write, claim, context, beginning, true).await?;
    deletion_sent(&write, client).await?;
    write.commit().await?;
    Ok(Begun::Attempt(id))
}

/// Until when the origin of `url` may not be asked, in epoch milliseconds, if it may not be asked now. A slot that is
/// reserved is noted on the registration.
async fn wait_for_slot(
    write: &mut Write<'_>,
    claim: &Claim,
    context: &Context,
    url: &str,
) -> Result<Option<i64>, StepError> {
    let row = &context.row.row;
    match reserve_slot(write, url, context.row.layers.workspace.id, row.slot_at).await? {
        Slot::Now => Ok(None),
        Slot::Paused(until) => Ok(Some(until)),
        Slot::Reserved(slot) => {
            let kept = registration::ActiveModel { slot_at: Set(Some(slot)), ..Default::default() };
            guarded(write, claim, registration::Entity::update_many().set(kept)).await?;
            Ok(Some(slot))
        }
    }
}

async fn end_waiting(write: Write<'_>, until: i64) -> Result<Begun, StepError> {
    write.commit().await?;
    Ok(Begun::WaitForSlot(moment(until)))
}

/// Inserts the attempt, and sets state and lease of the claimed registration; with
/// `frees_slot` its slot is used up.
async fn enter_attempt(
    write: &mut Write<'_>,
    claim: &Claim,
    context: &Context,
    beginning: Beginning<'_>,
    frees_slot: bool,
) -> Result<AttemptId, StepError> {
    let changed = registration::ActiveModel {
        state: set_word(state_during(context, beginning.step, write.now)),
        slot_at: if frees_slot { Set(None) } else { NotSet },
        updated_at: Set(write.millis()),
        ..Default::default()
    };
    let until =
        lease_clock(write.txn.get_database_backend(), write.millis()).add(lease_millis(write.registry));
    let update = registration::Entity::update_many().set(changed);
    guarded(write, claim, update.col_expr(registration::Column::LeaseUntil, until)).await?;
    let request = beginning.request.map(serde_json::to_string).transpose()?;
    let new = NewAttempt {
        id: write.registry.new_id(),
        registration: claim.registration.0,
        fence: claim.fence,
        step: beginning.step,
        request,
        adjustments: serde_json::to_string(beginning.adjustments)?,
    };
    let id = AttemptId(new.id);
    insert_attempts(write, [new]).await?;
    Ok(id)
}

/// The state that users see during `step`. While gateways have a usable client, they see `registering` only for a step that
/// may change this client.
pub(crate) fn state_during(context: &Context, step: AttemptStep, now: Timestamp) -> State {
    let quiet = matches!(step, AttemptStep::Discover | AttemptStep::Verify | AttemptStep::Withdraw)
        && serves(context, now);
    match step {
        _ if context.desired.is_gone(now) => State::Withdrawing,
        _ if quiet || step == AttemptStep::Withdraw => context.row.state(),
        _ => State::Registering,
    }
}

/// An attempt that begins now.
pub(crate) struct NewAttempt {
    pub(crate) id: Uuid,
    pub(crate) registration: Uuid,
    pub(crate) fence: i64,
    pub(crate) step: AttemptStep,
    /// JSON of the body that is sent, if one is.
    pub(crate) request: Option<String>,
    /// JSON array of its adjustments.
    pub(crate) adjustments: String,
}

/// Inserts attempts, each with the next number of its registration.
pub(crate) async fn insert_attempts(
    write: &Write<'_>,
    attempts: impl IntoIterator<Item = NewAttempt>,
) -> Result<()> {
    use attempt::Column as C;
    let mut insert = Query::insert();
    insert.into_table(attempt::Entity).columns([
        C::Id,
        C::RegistrationId,
        C::Number,
        C::Step,
        C::Fence,
        C::StartedAt,
        C::Outcome,
        C::Request,
        C::Adjustments,
        C::Exchanges,
    ]);
    for new in attempts {
        let values = [
            new.id.into(),
            new.registration.into(),
            next_number(new.registration),
            new.step.as_str().into(),
            new.fence.into(),
            write.millis().into(),
            AttemptOutcome::Pending.as_str().into(),
            new.request.into(),
            new.adjustments.into(),
            "[]".into(),
        ];
        insert.values(values).map_err(|error| Error::Internal(Box::new(error)))?;
    }
    write.txn.execute(&insert).await?;
    Ok(())
}

fn next_number(registration: Uuid) -> SimpleExpr {
    let newest = Expr::from(Func::max(Expr::col(attempt::Column::Number)));
    let next = Expr::from(Func::coalesce([newest, Expr::value(0_i64)])).add(1_i64);
    let select = attempt::Entity::find()
        .select_only()
        .expr(next)
        .filter(attempt::Column::RegistrationId.eq(registration))
        .into_query();
    SimpleExpr::SubQuery(None, Box::new(select.into()))
}
