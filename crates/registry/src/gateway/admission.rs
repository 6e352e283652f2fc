//! How often one gateway may ask for what is not answered from memory, how many of its connections may follow changes, how
//! often it may say that it needs a client, or that one does not work.

use crate::gateway::Gateway;
use crate::limits::rate_limiter::KeyedRateLimiter;
use crate::{Actor, Error, Result};
use registry_core::clock::Clock;
use registry_core::permission::Permission;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Needs: users who sign in at a new server, all at the same time in the morning; then ten a second.
const NEEDS: (u32, Duration) = (200, Duration::from_millis(100));
/// Reports: one for each server that stops working at once; then one a second.
const REPORTS: (u32, Duration) = (100, Duration::from_secs(1));
/// Documents that are not in memory: those of a gateway that begins without the list, then 100 a second.
const DOCUMENTS: (u32, Duration) = (2_000, Duration::from_millis(10));
/// Pages of the list of documents, up to 500 documents each.
const PAGES: (u32, Duration) = (400, Duration::from_millis(200));
/// Requests to follow changes: each waits up to a minute, unless there is something new.
const FOLLOWS: (u32, Duration) = (1_000, Duration::from_millis(20));
/// When a gateway with too many connections that follow may try again, in seconds.
const TRY_AGAIN: u64 = 5;

/// Counts what gateways ask and say, for each identity.
pub(crate) struct GatewayRateLimits {
    needs: KeyedRateLimiter,
    reports: KeyedRateLimiter,
    documents: KeyedRateLimiter,
    pages: KeyedRateLimiter,
    follows: KeyedRateLimiter,
    followers: Followers,
}

/// Who follows now, by identity.
struct Followers {
    most: usize,
    now: Arc<Mutex<HashMap<String, usize>>>,
}

/// One who follows changes, until this is dropped.
#[derive(Debug)]
pub struct FollowerPermit {
    who: String,
    now: Arc<Mutex<HashMap<String, usize>>>,
}

impl GatewayRateLimits {
    /// `followers`: so many of one identity at the same time.
    pub(crate) fn new(clock: &Arc<dyn Clock>, followers: usize) -> Self {
        let buckets = |rate| KeyedRateLimiter::new(clock.clone(), rate);
        Self {
            needs: buckets(NEEDS),
            reports: buckets(REPORTS),
            documents: buckets(DOCUMENTS),
            pages: buckets(PAGES),
            follows: buckets(FOLLOWS),
            followers: Followers { most: followers.max(1), now: Arc::default() },
        }
    }

    pub(crate) fn admit_need(&self, actor: &Actor) -> Result<()> {
        count(&self.needs, actor)
    }

    pub(crate) fn admit_report(&self, actor: &Actor) -> Result<()> {
        count(&self.reports, actor)
    }

    pub(crate) fn admit_page(&self, actor: &Actor) -> Result<()> {
        count(&self.pages, actor)
    }
}

impl Gateway<'_> {
    /// Counts one document that is not answered from memory. Not while the database is away: then every document takes this
    /// way, and nothing is read.
    pub(crate) fn admit_document(self, actor: &Actor) -> Result<()> {
        if self.away_since().is_some() {
            return Ok(());
        }
        count(&self.registry.inner.gateway_limits.documents, actor)
    }

    /// Admits a connection that follows changes, until the permit is dropped.
    pub fn admit_follower(self, actor: &Actor) -> Result<FollowerPermit> {
        actor.require(Permission::FetchGatewayDocument)?;
        self.admit_stream(actor)
    }

    /// Admits one more stream of this caller that lasts until the caller ends it. What it may see is checked elsewhere.
    pub fn admit_stream(self, actor: &Actor) -> Result<FollowerPermit> {
        let limits = &self.registry.inner.gateway_limits;
        count(&limits.follows, actor)?;
        let Followers { most, now } = &limits.followers;
        let who = actor.who().to_owned();
        let mut followers = now.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = followers.get(&who).copied().unwrap_or_default();
        if mine >= *most {
            return Err(Error::TooManyRequests { seconds: TRY_AGAIN });
        }
        followers.insert(who.clone(), mine + 1);
        drop(followers);
        Ok(FollowerPermit { who, now: now.clone() })
    }
}

impl Drop for FollowerPermit {
    fn drop(&mut self) {
        let mut followers = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = followers.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                followers.remove(&self.who);
            }
        }
    }
}

fn count(buckets: &KeyedRateLimiter, actor: &Actor) -> Result<()> {
    buckets.count(actor.who()).map(drop).map_err(|seconds| Error::TooManyRequests { seconds })
}
