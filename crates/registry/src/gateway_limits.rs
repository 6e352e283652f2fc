//! How often one gateway may say that it needs a client, or that one does not work.

use crate::buckets::Buckets;
use crate::{Actor, Error, Result};
use registry_core::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// Needs: people who sign in somewhere new, all at once in the morning; then ten a second.
const NEEDS: (u32, Duration) = (200, Duration::from_millis(100));
/// Reports: one for each server that stops working at once; then one a second.
const REPORTS: (u32, Duration) = (100, Duration::from_secs(1));

/// Counts what gateways say back, for each identity.
pub(crate) struct GatewayLimits {
    needs: Buckets,
    reports: Buckets,
}

impl GatewayLimits {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { needs: Buckets::new(clock.clone(), NEEDS), reports: Buckets::new(clock.clone(), REPORTS) }
    }

    pub(crate) fn admit_need(&self, actor: &Actor) -> Result<()> {
        count(&self.needs, actor)
    }

    pub(crate) fn admit_report(&self, actor: &Actor) -> Result<()> {
        count(&self.reports, actor)
    }
}

fn count(buckets: &Buckets, actor: &Actor) -> Result<()> {
    buckets.count(actor.who()).map(drop).map_err(|seconds| Error::TooManyRequests { seconds })
}
