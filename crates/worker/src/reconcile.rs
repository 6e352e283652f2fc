//! Reconciles one claimed registration: plans and executes step after step until nothing is to do now.

use crate::steps::StepExecutor;
use chrono::Duration;
use registry::{
    Claim, DeletionPlan, ReconcileContext, ReconcileOutcome, RegistrationQueue, SendPermit, StepError,
};
use registry_core::registration::{AuthorizationServers, Step, plan};
use std::error::Error as _;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Maximum number of steps per claim, withdrawals not counted. Higher than any correct plan needs: it stops a plan that
/// never becomes idle from sending requests without end.
const MAX_STEPS: usize = 12;
/// Time until a registration that used [`MAX_STEPS`] is due again.
const RETRY_AFTER_MAX_STEPS: Duration = Duration::hours(1);

/// Reconciles one claimed registration and logs errors; [`reconcile_claim`] does the work.
pub(crate) async fn reconcile(
    queue: impl RegistrationQueue,
    servers: Arc<impl AuthorizationServers>,
    claim: Claim,
    stop: CancellationToken,
) {
    let span = tracing::info_span!(
        "claim",
        registration = %claim.registration,
        worker = %claim.worker,
        fence = claim.fence,
        server = tracing::field::Empty,
    );
    let work = async {
        match reconcile_claim(&queue, &*servers, &claim, &stop).await {
            Ok(()) => {}
            Err(StepError::LeaseLost) => tracing::info!("lease lost"),
            // `StepExecutor::execute` records refusals as failed attempts, so that none should arrive here.
            Err(StepError::Refused(failure)) => {
                tracing::error!(reason = %failure.code, "a refused step was not recorded");
            }
            // When the lease expires, a worker claims the registration again.
            Err(StepError::Registry(error)) => {
                tracing::error!(%error, source = ?error.source(), "reconciling failed");
            }
        }
    };
    work.instrument(span).await;
}

/// Executes steps until one of them ends the claim, then settles the claim with this outcome.
async fn reconcile_claim<Q: RegistrationQueue>(
    queue: &Q,
    servers: &impl AuthorizationServers,
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<(), StepError> {
    let mut steps_left = MAX_STEPS;
    loop {
        let context = queue.load(claim).await?;
        tracing::Span::current().record("server", &context.name);
        let outcome = if steps_left == 0 {
            tracing::error!("the plan never becomes idle");
            ReconcileOutcome::Wait(queue.now() + RETRY_AFTER_MAX_STEPS)
        } else {
            let planned = plan(&context.desired, &context.observed, queue.now());
            tracing::debug!(?planned, "planned");
            // Withdrawals are not counted: their number is that of the former clients, and each client is withdrawn once.
            if !matches!(planned, Step::Withdraw(_)) {
                steps_left -= 1;
            }
            match execute_step(queue, servers, claim, &context, planned, stop).await? {
                Some(outcome) => outcome,
                None => continue,
            }
        };
        return queue.settle(claim, &context, outcome).await;
    }
}

/// Executes the planned step and returns `None`: its result is recorded, and the caller plans the next step. Returns the outcome that
/// ends the claim if there is nothing to execute, the process stops, or the request must wait for a slot.
async fn execute_step<Q: RegistrationQueue>(
    queue: &Q,
    servers: &impl AuthorizationServers,
    claim: &Claim,
    context: &ReconcileContext<Q::Row>,
    planned: Step,
    stop: &CancellationToken,
) -> Result<Option<ReconcileOutcome>, StepError> {
    Ok(Some(match planned {
        Step::Wait(until) => ReconcileOutcome::Wait(until),
        Step::Idle(state, until) => ReconcileOutcome::Idle(state, until),
        Step::Blocked(block, until) => ReconcileOutcome::Blocked(block, until),
        Step::AwaitApproval(block, until) => ReconcileOutcome::AwaitApproval(block, until),
        // The process stops: the registration is released and due at once, for another worker.
        _ if stop.is_cancelled() => ReconcileOutcome::Wait(queue.now()),
        Step::Withdraw(id) => {
            let deletion = queue.plan_deletion(claim, id).await?;
            if let DeletionPlan::Request { client, .. } = &deletion {
                let url = &client.registration_client_uri;
                if let SendPermit::At(slot) = queue.reserve_slot(claim, context, url).await? {
                    return Ok(Some(ReconcileOutcome::WaitForSlot(slot, url.clone())));
                }
            }
            StepExecutor { queue, servers, claim, context }.withdraw(id, deletion).await?;
            return Ok(None);
        }
        sending => {
            let executor = StepExecutor { queue, servers, claim, context };
            if let Some(url) = executor.rate_limited_url(&sending).await?
                && let SendPermit::At(slot) = queue.reserve_slot(claim, context, &url).await?
            {
                return Ok(Some(ReconcileOutcome::WaitForSlot(slot, url)));
            }
            executor.execute(sending).await?;
            return Ok(None);
        }
    }))
}
