//! The loop: claim what is due, keep a bounded number in hand, sleep until something happens.

use crate::logos;
use crate::reconcile::reconcile;
use chrono::TimeDelta;
use registry::Registry;
use registry_outbound::UpstreamClient;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often secrets that the operator keeps elsewhere are read again.
const REFRESH_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How often the clock is compared with the last moment seen, as far as time passes.
const WATCH_EVERY: TimeDelta = TimeDelta::seconds(1);
/// More than clocks are set by all the time.
const LEAP: TimeDelta = TimeDelta::seconds(30);
/// How often what nobody came back for is forgotten.
const TIDY_EVERY: TimeDelta = TimeDelta::hours(1);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name in leases and logs; unique among the workers of a deployment.
    pub name: String,
    /// How many registrations it has in hand at once.
    pub concurrency: usize,
    /// How long it sleeps at most when it heard of nothing; other processes' changes are noticed by this poll.
    pub poll: Duration,
    /// How long it lets requests in flight finish after it was told to stop.
    pub drain: Duration,
}

/// Works until `stop`. Returns when nothing is in flight any more, at the latest after `options.drain`; a request cut
/// off then is found by the next worker as a lost answer.
pub async fn run(
    registry: Registry,
    guarded: Arc<UpstreamClient>,
    options: WorkerOptions,
    stop: CancellationToken,
) {
    tracing::info!(worker = %options.name, concurrency = options.concurrency, "worker started");
    // Pictures are fetched beside the registrations: a slow host of them holds no client up.
    let logos = tokio::spawn(logos::run(registry.clone(), options.clone(), stop.clone()));
    let mut in_hand = JoinSet::new();
    let mut tidy_at = registry.now();
    let mut refresh_at = registry.now();
    // Beside the registrations, too: a vault may hang.
    let mut refreshing = tokio::spawn(async {});
    let mut watched = (registry.now(), Instant::now());
    let mut ready = is_ready(&registry, true).await;
    while !stop.is_cancelled() {
        if !ready {
            // What a process cannot open it must not take for lost.
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(options.poll) => {}
            }
            ready = is_ready(&registry, false).await;
            continue;
        }
        if registry.now() >= tidy_at {
            tidy_at = registry.now() + TIDY_EVERY;
            tidy(&registry).await;
        }
        // Time that passed by the clock and not in truth, or the other way round: somebody set the clock.
        let passed = TimeDelta::from_std(watched.1.elapsed()).unwrap_or_default();
        let leapt = (registry.now() - watched.0 - passed).abs() > LEAP;
        if leapt || passed >= WATCH_EVERY {
            watched = (registry.now(), Instant::now());
            ready = is_ready(&registry, true).await;
            if watch_clock(&registry).await || leapt {
                (tidy_at, refresh_at) = (registry.now(), registry.now());
            }
        }
        if registry.now() >= refresh_at && refreshing.is_finished() {
            refresh_at = registry.now() + REFRESH_EVERY;
            let registry = registry.clone();
            refreshing = tokio::spawn(async move { refresh(&registry).await });
        }
        let free = options.concurrency.saturating_sub(in_hand.len());
        // A dead upstream holds what it has until its requests time out: some hands stay free for the others.
        let most_each = (options.concurrency - options.concurrency / 4) as u64;
        let claims = match registry.registration_queue().claim(&options.name, free as u64, most_each).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(%error, source = ?std::error::Error::source(&error), "claiming failed");
                Vec::new()
            }
        };
        let found = claims.len();
        for claim in claims {
            in_hand.spawn(reconcile(registry.clone(), guarded.clone(), claim, stop.clone()));
        }
        if found > 0 && in_hand.len() < options.concurrency {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            Some(_) = in_hand.join_next() => {}
            () = registry.wait_for_commit(next_look(&registry, options.poll).await), if in_hand.len() < options.concurrency => {}
        }
    }
    refreshing.abort();
    let drained = tokio::time::timeout(options.drain, async { while in_hand.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(worker = %options.name, in_flight = in_hand.len(), "requests were cut off; their leases will end");
    }
    let _ = logos.await;
    tracing::info!(worker = %options.name, "worker stopped");
}

/// Whether this process is configured like the deployment and has its keys.
async fn is_ready(registry: &Registry, was: bool) -> bool {
    match registry.deployment().ready().await {
        Ok(_) => true,
        Err(error) => {
            if was {
                tracing::warn!(%error, "not ready; nothing is registered until that changes");
            }
            false
        }
    }
}

/// Forgets what nobody came back for and what need not be kept any longer.
async fn tidy(registry: &Registry) {
    match registry.drafts().remove_expired().await {
        Ok(0) => {}
        Ok(drafts) => tracing::info!(drafts, "drafts whose time was over are removed"),
        Err(error) => tracing::warn!(%error, "drafts could not be removed"),
    }
    match registry.audit().maintain().await {
        Ok(0) => {}
        Ok(events) => tracing::info!(events, "audit events whose time was over are removed"),
        Err(error) => tracing::warn!(%error, "the audit log could not be looked after"),
    }
}

/// Whether the clock was set back.
async fn watch_clock(registry: &Registry) -> bool {
    match registry.deployment().watch_clock().await {
        Ok(None) => false,
        Ok(Some(by)) => {
            tracing::warn!(?by, "the clock was set back; what waits was moved along");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "the clock could not be compared with the last moment seen");
            false
        }
    }
}

/// Takes over what changed of the secrets that the operator keeps elsewhere.
async fn refresh(registry: &Registry) {
    match registry.configurations().refresh_mapped_secrets().await {
        Ok(0) => {}
        Ok(changed) => tracing::info!(changed, "secrets changed where the operator keeps them"),
        Err(error) => tracing::warn!(%error, "the operator's secrets could not be read again"),
    }
}

/// Until the next registration is due, at most `poll`.
async fn next_look(registry: &Registry, poll: Duration) -> Duration {
    let next = registry.registration_queue().next_due().await.ok().flatten();
    let until = next.and_then(|moment| (moment - registry.now()).to_std().ok());
    // A row that is due but held by another worker must not keep this one spinning.
    until.map_or(poll, |until| until.clamp(Duration::from_millis(20), poll))
}
