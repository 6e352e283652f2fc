//! The loop: claim due registrations, keep a bounded number in progress, wait until something happens.

use crate::WorkerOptions;
use crate::maintenance::Maintenance;
use crate::reconcile::{first_step, reconcile};
use crate::shared_discovery::SharedDiscoveries;
use registry::{Claims, ReconcileContext, RegistrationQueue};
use registry_core::clock::Timestamp;
use registry_core::registration::AuthorizationServers;
use std::error::Error as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The shortest time between two looks at the queue that a commit leads to: what this worker works on itself commits
/// several times, and is due until it is settled.
const MIN_WAIT: Duration = Duration::from_millis(20);
/// How long a worker waits for more of its registrations to end when one has, so that it claims several at once: a claim
/// costs as much as a third of a registration, however many it takes.
const GATHER: Duration = Duration::from_millis(30);

/// Claims and reconciles until `stop`, then lets requests in flight finish.
pub(crate) async fn run(
    queue: impl RegistrationQueue,
    servers: Arc<impl AuthorizationServers>,
    mut maintenance: Maintenance,
    options: &WorkerOptions,
    stop: &CancellationToken,
) {
    // One upstream that does not answer holds what it has until its requests time out: a quarter stays free of it.
    let max_per_upstream = (options.concurrency - options.concurrency / 4) as u64;
    let discoveries = Arc::<SharedDiscoveries>::default();
    let mut in_progress = JoinSet::new();
    while !stop.is_cancelled() {
        if !maintenance.run_due().await {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(options.poll) => {}
            }
            continue;
        }
        // Interest is registered before the queue is looked at: a commit between the look and the wait is not missed.
        let mut commit = pin!(queue.next_commit());
        let looked = Instant::now();
        let free = options.concurrency.saturating_sub(in_progress.len());
        let first = |context: &ReconcileContext<_>| first_step(context, queue.now());
        let Claims { claimed, next_at } =
            match queue.claim(&options.name, free as u64, max_per_upstream, first).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::warn!(%error, source = ?error.source(), "claiming failed");
                    Claims { claimed: Vec::new(), next_at: None }
                }
            };
        for claimed in claimed {
            let discoveries = discoveries.clone();
            in_progress.spawn(reconcile(queue.clone(), servers.clone(), discoveries, claimed, stop.clone()));
        }
        let is_full = in_progress.len() >= options.concurrency;
        // Where less was found than there is room for, nothing more can be claimed now.
        let wait = time_until(next_at, queue.now(), options.poll);
        tokio::select! {
            () = stop.cancelled() => {}
            Some(_) = in_progress.join_next() => gather(&mut in_progress, options.concurrency / 4).await,
            () = &mut commit, if !is_full => tokio::time::sleep_until(looked + MIN_WAIT.min(options.poll)).await,
            () = tokio::time::sleep(wait), if !is_full => {}
        }
    }
    drop(maintenance);
    let drained =
        tokio::time::timeout(options.drain, async { while in_progress.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(worker = %options.name, in_flight = in_progress.len(), "requests were cut off; their leases will end");
    }
}

/// One of the registrations has ended: waits shortly for others, until there are `most` of them.
async fn gather(in_progress: &mut JoinSet<()>, most: usize) {
    let more = async {
        for _ in 1..most {
            in_progress.join_next().await;
        }
    };
    // Those that are done are dropped from the set also when the time is over.
    drop(tokio::time::timeout(GATHER, more).await);
}

/// Until `next_at`, at most `poll`.
fn time_until(next_at: Option<Timestamp>, now: Timestamp, poll: Duration) -> Duration {
    // What is due and may not be claimed must not keep this worker spinning.
    let least = MIN_WAIT.min(poll);
    next_at.map_or(poll, |at| (at - now).to_std().unwrap_or_default().clamp(least, poll))
}
