//! Request limits of one process: rate per caller, concurrent requests, request timeout.

use crate::limits::Limits;
use crate::limits::per_client::{PerClientLimit, Permit};
use crate::limits::rate_limiter::{KeyedRateLimiter, Remaining};
use crate::limits::sign_in::network;
use crate::settings::RequestLimits;
use crate::{Actor, Error, Result};
use registry_core::clock::Clock;
use registry_core::permission::Role;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Failed authentications of one address: a burst for typing errors of many users behind one proxy, then one a second.
const FAILED_AUTH_RATE: (u32, Duration) = (100, Duration::from_secs(1));

/// The rate limit of one caller, for the `RateLimit` header (draft-ietf-httpapi-ratelimit-headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// Requests of the burst.
    pub limit: u32,
    /// Seconds in which so many become available again.
    pub window: u64,
    /// Requests that are left now.
    pub left: u32,
    /// Seconds to wait; `None`: this request is within the limit.
    pub wait: Option<u64>,
}

impl RateLimitStatus {
    /// Refuses a request beyond the limit.
    pub fn admit(self) -> Result<()> {
        self.wait.map_or(Ok(()), |seconds| Err(Error::TooManyRequests { seconds }))
    }
}

/// Concurrent checks of credentials from throttled addresses: valid ones still pass, invalid ones cost little.
const MAX_THROTTLED_CHECKS: usize = 2;
/// How long such a check waits for a permit.
const THROTTLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Request timeout of forms that anonymous clients send.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// A request in flight; released when it is dropped.
#[derive(Debug)]
pub struct InFlightPermit {
    _client_permit: Permit,
    _permit: OwnedSemaphorePermit,
}

/// Taken slugs that a caller bound to a workspace may find: a burst by chance, then one a minute.
const TAKEN_SLUG_RATE: (u32, Duration) = (50, Duration::from_mins(1));

/// The limiters of this process.
pub(crate) struct RequestLimiter {
    callers: KeyedRateLimiter,
    anonymous: KeyedRateLimiter,
    failed_auth: KeyedRateLimiter,
    taken_slugs: KeyedRateLimiter,
    throttled: Semaphore,
    in_flight: Arc<Semaphore>,
    per_client: PerClientLimit,
}

impl RequestLimiter {
    pub(crate) fn new(clock: &Arc<dyn Clock>, limits: &RequestLimits) -> Self {
        let rate = (limits.burst, period(limits.per_second));
        Self {
            callers: KeyedRateLimiter::new(clock.clone(), rate),
            anonymous: KeyedRateLimiter::new(clock.clone(), rate),
            failed_auth: KeyedRateLimiter::new(clock.clone(), FAILED_AUTH_RATE),
            taken_slugs: KeyedRateLimiter::new(clock.clone(), TAKEN_SLUG_RATE),
            throttled: Semaphore::new(MAX_THROTTLED_CHECKS),
            in_flight: Arc::new(Semaphore::new(limits.max_concurrent)),
            per_client: PerClientLimit::of(limits.max_concurrent),
        }
    }
}

fn period(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

impl Limits<'_> {
    /// Takes a permit for one request of an address, or refuses it immediately: a queue would only make everybody wait
    /// longer. Requests of gateways are not counted, so that they are always served.
    pub fn acquire(self, address: Option<IpAddr>) -> Result<InFlightPermit> {
        let limiter = &self.registry.inner.request_limiter;
        let permit = limiter.in_flight.clone().try_acquire_owned().map_err(|_| Error::Overloaded)?;
        let client_permit = limiter.per_client.take(address).ok_or(Error::Overloaded)?;
        Ok(InFlightPermit { _client_permit: client_permit, _permit: permit })
    }

    /// Counts one anonymous request of an address; refused beyond the limit.
    pub fn count_anonymous(self, address: Option<IpAddr>) -> Result<()> {
        let address = address.map(|address| network(&address.to_string())).unwrap_or_default();
        let counted = self.registry.inner.request_limiter.anonymous.count(&address);
        counted.map(drop).map_err(|seconds| Error::TooManyRequests { seconds })
    }

    /// Runs `work` with the request timeout.
    pub async fn with_request_timeout<T>(self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.registry.settings().limits.timeout, work).await.map_err(|_| Error::TimedOut)
    }

    /// As [`Self::with_request_timeout`], for a form of an anonymous client: the shorter timeout.
    pub async fn with_form_timeout<T>(self, work: impl Future<Output = T>) -> Result<T> {
        let timeout = self.registry.settings().limits.timeout.min(FORM_TIMEOUT);
        tokio::time::timeout(timeout, work).await.map_err(|_| Error::TimedOut)
    }

    /// Counts one request of a caller; `None` for gateways, which have other limits.
    pub fn count_request(self, actor: &Actor) -> Option<RateLimitStatus> {
        if actor.role() == Role::Gateway {
            return None;
        }
        let limits = &self.registry.settings().limits;
        let window = u64::from(limits.burst.div_ceil(limits.per_second.max(1)));
        let (left, wait) = match self.registry.inner.request_limiter.callers.count(actor.who()) {
            Ok(Remaining(left)) => (left, None),
            Err(seconds) => (0, Some(seconds)),
        };
        Some(RateLimitStatus { limit: limits.burst, window, left, wait })
    }

    /// Counts a slug that was taken, perhaps by a workspace that the caller may not see.
    pub(crate) fn count_taken_slug(self, actor: &Actor) -> Result<()> {
        if actor.workspace().is_none() {
            return Ok(());
        }
        let counted = self.registry.inner.request_limiter.taken_slugs.count(actor.who());
        counted.map(drop).map_err(|seconds| Error::TooManyRequests { seconds })
    }

    /// Checks a credential. From an address with too many failures, only a few checks run at a time, and a failed one
    /// is answered with how long to wait: guessing becomes slow there, and valid credentials from the same address
    /// still pass.
    pub(crate) async fn throttle_failed_auth<T>(
        self,
        address: Option<&str>,
        check: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limiter = &self.registry.inner.request_limiter;
        let Some(seconds) = limiter.failed_auth.blocked(&network(address.unwrap_or_default())) else {
            return check.await;
        };
        let wait = || Error::TooManyRequests { seconds };
        let turn = tokio::time::timeout(THROTTLE_TIMEOUT, limiter.throttled.acquire()).await;
        let _turn = turn.ok().and_then(std::result::Result::ok).ok_or_else(wait)?;
        check.await.map_err(|error| if matches!(error, Error::Unauthenticated(_)) { wait() } else { error })
    }

    /// Counts a failed authentication of an address.
    pub(crate) fn count_failed_auth(self, address: Option<&str>) {
        drop(self.registry.inner.request_limiter.failed_auth.count(&network(address.unwrap_or_default())));
    }
}
