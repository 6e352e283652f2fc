//! One claimed registration, step after step, until there is nothing to do now.

use crate::steps::StepExecutor;
use chrono::Duration;
use registry::{Claim, ReconcileContext, ReconcileOutcome, RegistrationQueue, SendPermit, StepError};
use registry_core::registration::{AuthorizationServers, Step, plan};
use std::error::Error as _;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// More steps than any plan has: a plan that never becomes idle must not become a flood of requests.
const MAX_STEPS: usize = 12;
/// When a registration is looked at again whose plan never becomes idle.
const MAX_STEPS_INTERVAL: Duration = Duration::hours(1);

/// Brings one claimed registration as far as it goes now.
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
            Err(StepError::Refused(failure)) => {
                tracing::error!(reason = %failure.code, "a refused step was not recorded");
            }
            // The lease ends by itself, and the registration is tried again then.
            Err(StepError::Registry(error)) => {
                tracing::error!(%error, source = ?error.source(), "reconciling failed");
            }
        }
    };
    work.instrument(span).await;
}

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
            ReconcileOutcome::Wait(queue.now() + MAX_STEPS_INTERVAL)
        } else {
            let planned = plan(&context.desired, &context.observed, queue.now());
            tracing::debug!(?planned, "planned");
            // Each former client is withdrawn once, however many there are.
            if !matches!(planned, Step::Withdraw(_)) {
                steps_left -= 1;
            }
            match next_outcome(queue, servers, claim, &context, planned, stop).await? {
                Some(outcome) => outcome,
                None => continue,
            }
        };
        return queue.settle(claim, &context, outcome).await;
    }
}

/// Executes the planned step. `None`: it is recorded, and the next one is to be planned.
async fn next_outcome<Q: RegistrationQueue>(
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
        // Told to stop between two steps: the registration is handed back, due at once.
        _ if stop.is_cancelled() => ReconcileOutcome::Wait(queue.now()),
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
