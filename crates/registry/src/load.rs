//! How much one caller may ask, how much is worked on at once, how long it may take.

use crate::buckets::{Buckets, Left};
use crate::settings::RequestLimits;
use crate::sign_in_limits::network;
use crate::{Actor, Error, Registry, Result};
use registry_core::clock::Clock;
use registry_core::permission::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Credentials that are no good, from one address: typing errors of many people behind one proxy, then one a second.
const REFUSED: (u32, Duration) = (100, Duration::from_secs(1));

/// What one caller may still ask, for `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// As many at once after a pause.
    pub limit: u32,
    /// Seconds in which so many come back.
    pub window: u64,
    /// How many are left now.
    pub left: u32,
}

/// A request that is being worked on, until this is dropped.
#[derive(Debug)]
pub struct InHand(#[expect(dead_code, reason = "held, not looked at")] OwnedSemaphorePermit);

/// Counts requests.
pub(crate) struct Load {
    identities: Buckets,
    refused: Buckets,
    in_hand: Arc<Semaphore>,
}

impl Load {
    pub(crate) fn new(clock: &Arc<dyn Clock>, limits: &RequestLimits) -> Self {
        Self {
            identities: Buckets::new(clock.clone(), (limits.burst, period(limits.per_second))),
            refused: Buckets::new(clock.clone(), REFUSED),
            in_hand: Arc::new(Semaphore::new(limits.at_once)),
        }
    }
}

fn period(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

impl Registry {
    /// Takes one request in hand, or refuses it at once: a queue would only make everybody wait longer. Gateways are not
    /// counted: their door stays open.
    pub fn take_in_hand(&self) -> Result<InHand> {
        let permit = self.inner.load.in_hand.clone().try_acquire_owned();
        permit.map(InHand).map_err(|_| Error::Overloaded)
    }

    /// Waits for what a request does as long as one may take.
    pub async fn patiently<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.settings().limits.patience, work).await.map_err(|_| Error::TimedOut)
    }

    /// Counts one request of a caller, or says how long to wait. Gateways have limits of their own.
    pub fn count_request(&self, actor: &Actor) -> Result<Option<Allowance>> {
        if actor.role() == Role::Gateway {
            return Ok(None);
        }
        let limits = &self.settings().limits;
        let counted = self.inner.load.identities.count(actor.who());
        let Left(left) = counted.map_err(|seconds| Error::TooManyRequests { seconds })?;
        let window = u64::from(limits.burst.div_ceil(limits.per_second.max(1)));
        Ok(Some(Allowance { limit: limits.burst, window, left }))
    }

    /// Refuses an address from which too many credentials came that are no good.
    pub(crate) fn check_refused(&self, address: Option<&str>) -> Result<()> {
        let blocked = self.inner.load.refused.blocked(&network(address.unwrap_or_default()));
        blocked.map_or(Ok(()), |seconds| Err(Error::TooManyRequests { seconds }))
    }

    /// Counts a credential that is no good.
    pub(crate) fn count_refused(&self, address: Option<&str>) {
        drop(self.inner.load.refused.count(&network(address.unwrap_or_default())));
    }
}
