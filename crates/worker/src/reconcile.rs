//! Reconciles one claimed registration: plans and executes step after step until nothing is to do now.

use crate::after_step::after_step;
use crate::shared_discovery::SharedDiscoveries;
use crate::steps::{BegunStep, Executed, StepExecutor};
use chrono::Duration;
use registry::{AfterStep, Claimed, ReconcileContext, ReconcileOutcome, RegistrationQueue, StepError};
use registry_core::clock::Timestamp;
use registry_core::registration::{AttemptStep, AuthorizationServers, Step, plan};
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
pub(crate) async fn reconcile<Q: RegistrationQueue>(
    queue: Q,
    servers: Arc<impl AuthorizationServers>,
    discoveries: Arc<SharedDiscoveries>,
    claimed: Claimed<Q::Row>,
    stop: CancellationToken,
) {
    let claim = &claimed.claim;
    let span = tracing::info_span!(
        "claim",
        registration = %claim.registration,
        worker = %claim.worker,
        fence = claim.fence,
        server = tracing::field::Empty,
    );
    let work = async {
        match reconcile_claim(&queue, &*servers, &discoveries, claimed, &stop).await {
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

/// Executes steps until the claim is settled: by the step that ends it, or by itself where there is nothing to execute.
async fn reconcile_claim<Q: RegistrationQueue>(
    queue: &Q,
    servers: &impl AuthorizationServers,
    discoveries: &SharedDiscoveries,
    claimed: Claimed<Q::Row>,
    stop: &CancellationToken,
) -> Result<(), StepError> {
    let claim = &claimed.claim;
    let mut steps_left = MAX_STEPS;
    let (mut context, mut begun) = match claimed.loaded {
        Some((context, begun)) => (*context, begun.map(BegunStep::Discover)),
        None => (queue.load(claim).await?, None),
    };
    loop {
        tracing::Span::current().record("server", &context.name);
        let begun_step = begun.take();
        let planned = match begun_step {
            Some(BegunStep::Discover(_)) => Step::Discover,
            Some(BegunStep::Register(..)) => Step::Register,
            None => plan(&context.desired, &context.observed, queue.now()),
        };
        tracing::debug!(?planned, "planned");
        // A step that has begun is finished also when the process stops.
        let is_stopped = begun_step.is_none() && stop.is_cancelled();
        if let Some(outcome) = end_of(&planned, queue.now(), steps_left, is_stopped) {
            return queue.settle(claim, &context, outcome).await;
        }
        // Withdrawals are not counted: their number is that of the former clients, and each client is withdrawn once.
        if !matches!(planned, Step::Withdraw(_)) {
            steps_left -= 1;
        }
        let after = |known: &ReconcileContext<Q::Row>| {
            let planned = plan(&known.desired, &known.observed, queue.now());
            match end_of(&planned, queue.now(), steps_left, stop.is_cancelled()) {
                Some(outcome) => AfterStep::Settle(outcome),
                None => after_step(known, &planned),
            }
        };
        let executor = StepExecutor { queue, servers, discoveries, claim, context: &context, after: &after };
        let executed = match begun_step {
            Some(begun) => executor.execute_begun(begun).await?,
            None => executor.execute(planned).await?,
        };
        context = match executed {
            Executed::Settled => return Ok(()),
            Executed::Begun(context, next) => {
                begun = Some(next);
                *context
            }
            Executed::Next(context) => *context,
            Executed::Changed => queue.load(claim).await?,
            Executed::WaitForSlot(slot, url) => {
                return queue.settle(claim, &context, ReconcileOutcome::WaitForSlot(slot, url)).await;
            }
        };
    }
}

/// The outcome that ends a claim whose next step is `planned`; `None`: the step is executed.
fn end_of(planned: &Step, now: Timestamp, steps_left: usize, is_stopped: bool) -> Option<ReconcileOutcome> {
    Some(match planned {
        _ if steps_left == 0 => {
            tracing::error!("the plan never becomes idle");
            ReconcileOutcome::Wait(now + RETRY_AFTER_MAX_STEPS)
        }
        Step::Wait(until) => ReconcileOutcome::Wait(*until),
        Step::Idle(state, until) => ReconcileOutcome::Idle(*state, *until),
        Step::Blocked(block, until) => ReconcileOutcome::Blocked(block.clone(), *until),
        Step::AwaitApproval(block, until) => ReconcileOutcome::AwaitApproval(block.clone(), *until),
        // The process stops: the registration is released and due at once, for another worker.
        _ if is_stopped => ReconcileOutcome::Wait(now),
        _ => return None,
    })
}

/// The step that begins with the claim of a registration: one whose request needs nothing but what was loaded.
pub(crate) fn first_step<Row>(context: &ReconcileContext<Row>, now: Timestamp) -> Option<AttemptStep> {
    match plan(&context.desired, &context.observed, now) {
        Step::Discover => Some(AttemptStep::Discover),
        _ => None,
    }
}
