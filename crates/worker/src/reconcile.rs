//! One registration, step after step, until there is nothing to do now.

use crate::steps::{self, Progress};
use registry::{Claim, Registry, Result, Settlement};
use registry_core::registration::{Step as Planned, plan};
use registry_outbound::UpstreamClient;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// More steps than any plan has: a plan that does not come to rest must not become a flood of requests.
const MOST_STEPS: usize = 12;

/// Brings one claimed registration as far as it goes now.
pub(crate) async fn reconcile(
    registry: Registry,
    guarded: Arc<UpstreamClient>,
    claim: Claim,
    stop: CancellationToken,
) {
    if let Err(error) = attempt(&registry, &guarded, &claim, &stop).await {
        // The lease ends by itself and the row is tried again then.
        tracing::error!(registration = %claim.registration, %error, source = ?std::error::Error::source(&error), "reconciling failed");
    }
}

async fn attempt(
    registry: &Registry,
    guarded: &UpstreamClient,
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<()> {
    let mut left = MOST_STEPS;
    while left > 0 {
        let Some(situation) = registry.registration_queue().load(claim).await? else { return Ok(()) };
        let now = registry.now();
        let planned = plan(&situation.desired, &situation.observed, now);
        tracing::debug!(registration = %claim.registration, server = %situation.name, step = ?planned, "planned");
        // However many old clients there are, each goes once.
        if !matches!(planned, Planned::Withdraw(_)) {
            left -= 1;
        }
        let settlement = match planned {
            Planned::Wait(until) => Settlement::Wait(until),
            Planned::Idle(state, until) => Settlement::Rest(state, until),
            Planned::Blocked(block, until) => Settlement::Block(block, until),
            Planned::AwaitApproval(block, until) => Settlement::Ask(block, until),
            // Told to stop between two steps: hand the row back, due at once.
            _ if stop.is_cancelled() => Settlement::Wait(now),
            sending => match steps::execute(registry, guarded, claim, &situation, sending).await? {
                Progress::Made => continue,
                Progress::Waits(until, address) => Settlement::Turn(until, address),
                Progress::Lost => {
                    tracing::info!(registration = %claim.registration, "lease lost");
                    return Ok(());
                }
            },
        };
        registry.registration_queue().settle(claim, &situation, settlement).await?;
        return Ok(());
    }
    tracing::error!(registration = %claim.registration, "the plan does not come to rest");
    if let Some(situation) = registry.registration_queue().load(claim).await? {
        let later = registry.now() + chrono::Duration::hours(1);
        registry.registration_queue().settle(claim, &situation, Settlement::Wait(later)).await?;
    }
    Ok(())
}
