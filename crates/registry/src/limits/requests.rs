//! How much one caller may ask, how much is worked on at once, how long it may take.

use crate::limits::Limits;
use crate::limits::per_client::{Share, Shares};
use crate::limits::rate_limiter::{Buckets, Left};
use crate::limits::sign_in::network;
use crate::settings::RequestLimits;
use crate::{Actor, Error, Result};
use registry_core::clock::Clock;
use registry_core::permission::Role;
use std::net::IpAddr;
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
    /// Seconds to wait, where this one was one too many.
    pub wait: Option<u64>,
}

impl Allowance {
    /// Refuses what was one too many.
    pub fn admit(self) -> Result<()> {
        self.wait.map_or(Ok(()), |seconds| Err(Error::TooManyRequests { seconds }))
    }
}

/// Credentials from an address that was refused too often that are looked at one after the other: good ones come through
/// beside bad ones, and the bad ones cost little.
const DOUBTED_AT_ONCE: usize = 2;
/// How long one of those waits for its turn.
const DOUBT: Duration = Duration::from_secs(1);
/// How long somebody who did not sign in may take to send a form, and we to answer it.
const STRANGERS_FORM: Duration = Duration::from_secs(10);

/// A request that is being worked on, until this is dropped.
#[derive(Debug)]
pub struct InHand {
    _share: Share,
    _permit: OwnedSemaphorePermit,
}

/// Slugs that somebody bound to a workspace found taken: some by chance, then one a minute.
const TAKEN_SLUGS: (u32, Duration) = (50, Duration::from_mins(1));

/// Counts requests.
pub(crate) struct Load {
    identities: Buckets,
    strangers: Buckets,
    refused: Buckets,
    taken_slugs: Buckets,
    doubted: Semaphore,
    in_hand: Arc<Semaphore>,
    shares: Shares,
}

impl Load {
    pub(crate) fn new(clock: &Arc<dyn Clock>, limits: &RequestLimits) -> Self {
        let rate = (limits.burst, period(limits.per_second));
        Self {
            identities: Buckets::new(clock.clone(), rate),
            strangers: Buckets::new(clock.clone(), rate),
            refused: Buckets::new(clock.clone(), REFUSED),
            taken_slugs: Buckets::new(clock.clone(), TAKEN_SLUGS),
            doubted: Semaphore::new(DOUBTED_AT_ONCE),
            in_hand: Arc::new(Semaphore::new(limits.at_once)),
            shares: Shares::of(limits.at_once),
        }
    }
}

fn period(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

impl Limits<'_> {
    /// Takes one request from an address in hand, or refuses it at once: a queue would only make everybody wait longer.
    /// Gateways are not counted: their door stays open.
    pub fn acquire(self, address: Option<IpAddr>) -> Result<InHand> {
        let load = &self.registry.inner.load;
        let permit = load.in_hand.clone().try_acquire_owned().map_err(|_| Error::Overloaded)?;
        let share = load.shares.take(address).ok_or(Error::Overloaded)?;
        Ok(InHand { _share: share, _permit: permit })
    }

    /// Counts one request of somebody who shows no credential, or says how long to wait.
    pub fn count_anonymous(self, address: Option<IpAddr>) -> Result<()> {
        let address = address.map(|address| network(&address.to_string())).unwrap_or_default();
        let counted = self.registry.inner.load.strangers.count(&address);
        counted.map(drop).map_err(|seconds| Error::TooManyRequests { seconds })
    }

    /// Waits for what a request does as long as one may take.
    pub async fn with_request_timeout<T>(self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.registry.settings().limits.patience, work)
            .await
            .map_err(|_| Error::TimedOut)
    }

    /// The same for what somebody sends who did not sign in: a short form.
    pub async fn with_form_timeout<T>(self, work: impl Future<Output = T>) -> Result<T> {
        let patience = self.registry.settings().limits.patience.min(STRANGERS_FORM);
        tokio::time::timeout(patience, work).await.map_err(|_| Error::TimedOut)
    }

    /// Counts one request of a caller. Gateways have limits of their own.
    pub fn count_request(self, actor: &Actor) -> Option<Allowance> {
        if actor.role() == Role::Gateway {
            return None;
        }
        let limits = &self.registry.settings().limits;
        let window = u64::from(limits.burst.div_ceil(limits.per_second.max(1)));
        let (left, wait) = match self.registry.inner.load.identities.count(actor.who()) {
            Ok(Left(left)) => (left, None),
            Err(seconds) => (0, Some(seconds)),
        };
        Some(Allowance { limit: limits.burst, window, left, wait })
    }

    /// Counts a slug that was taken, perhaps by a workspace that the caller may not know of.
    pub(crate) fn count_taken_slug(self, actor: &Actor) -> Result<()> {
        if actor.workspace().is_none() {
            return Ok(());
        }
        let counted = self.registry.inner.load.taken_slugs.count(actor.who());
        counted.map(drop).map_err(|seconds| Error::TooManyRequests { seconds })
    }

    /// Looks at a credential. From an address with too many that were no good they are looked at a few at a time, and one
    /// that is no good either is answered with how long to wait: guessing gets slow there, and whoever shares the address
    /// with somebody who guesses, or with a program whose key has ended, gets in all the same.
    pub(crate) async fn throttle_failed_auth<T>(
        self,
        address: Option<&str>,
        look: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let load = &self.registry.inner.load;
        let Some(seconds) = load.refused.blocked(&network(address.unwrap_or_default())) else {
            return look.await;
        };
        let wait = || Error::TooManyRequests { seconds };
        let turn = tokio::time::timeout(DOUBT, load.doubted.acquire()).await;
        let _turn = turn.ok().and_then(std::result::Result::ok).ok_or_else(wait)?;
        look.await.map_err(|error| if matches!(error, Error::Unauthenticated(_)) { wait() } else { error })
    }

    /// Counts a credential that is no good.
    pub(crate) fn count_refused(self, address: Option<&str>) {
        drop(self.registry.inner.load.refused.count(&network(address.unwrap_or_default())));
    }
}
