//! One registration, step after step, until there is nothing to do now.

use crate::steps::{self, Step};
use registry::{Claim, Registry, Result};
use registry_core::registration::{Step as Planned, plan};
use registry_outbound::Guarded;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// More steps than any plan has: a plan that does not come to rest must not become a flood of requests.
const MOST_STEPS: usize = 8;

/// Brings one claimed registration as far as it goes now.
pub(crate) async fn reconcile(
    registry: Registry,
    guarded: Arc<Guarded>,
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
    guarded: &Guarded,
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<()> {
    for _ in 0..MOST_STEPS {
        let Some(situation) = registry.situation(claim).await? else { return Ok(()) };
        let now = registry.now();
        let planned = plan(&situation.desired, &situation.observed, now);
        tracing::debug!(registration = %claim.registration, server = %situation.name, step = ?planned, "planned");
        let next = match planned {
            Planned::Wait(until) => {
                registry.settle(claim, &situation, None, None, Some(until)).await?;
                return Ok(());
            }
            Planned::Rest(state, until) => {
                registry.settle(claim, &situation, Some(state), None, until).await?;
                return Ok(());
            }
            Planned::Block(block) => {
                registry.settle(claim, &situation, None, Some(block), None).await?;
                return Ok(());
            }
            // Told to stop between two steps: hand the row back, due at once.
            _ if stop.is_cancelled() => {
                registry.settle(claim, &situation, None, None, Some(now)).await?;
                return Ok(());
            }
            Planned::Discover => Step::Discover,
            Planned::Register => Step::Register,
            Planned::Adopt => Step::Adopt,
            Planned::Withdraw => Step::Withdraw,
        };
        if !steps::execute(registry, guarded, claim, &situation, next).await? {
            tracing::info!(registration = %claim.registration, "lease lost");
            return Ok(());
        }
    }
    tracing::error!(registration = %claim.registration, "the plan does not come to rest");
    if let Some(situation) = registry.situation(claim).await? {
        let later = registry.now() + chrono::Duration::hours(1);
        registry.settle(claim, &situation, None, None, Some(later)).await?;
    }
    Ok(())
}
