//! The loop: claim due registrations, keep a bounded number in progress, wait until something happens.

use crate::WorkerOptions;
use crate::maintenance::Maintenance;
use crate::reconcile::reconcile;
use registry::RegistrationQueue;
use registry_core::registration::AuthorizationServers;
use std::error::Error as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A row that is due but held by another worker must not keep this one spinning.
const MIN_WAIT: Duration = Duration::from_millis(20);

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
        let free = options.concurrency.saturating_sub(in_progress.len());
        let claims = match queue.claim(&options.name, free as u64, max_per_upstream).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(%error, source = ?error.source(), "claiming failed");
                Vec::new()
            }
        };
        let found = claims.len();
        for claim in claims {
            in_progress.spawn(reconcile(queue.clone(), servers.clone(), claim, stop.clone()));
        }
        let full = in_progress.len() >= options.concurrency;
        if found > 0 && !full {
            continue;
        }
        let wait = time_until_due(&queue, options.poll).await;
        tokio::select! {
            () = stop.cancelled() => {}
            Some(_) = in_progress.join_next() => {}
            () = &mut commit, if !full => {}
            () = tokio::time::sleep(wait), if !full => {}
        }
    }
    drop(maintenance);
    let drained =
        tokio::time::timeout(options.drain, async { while in_progress.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(worker = %options.name, in_flight = in_progress.len(), "requests were cut off; their leases will end");
    }
}

/// Until the next registration is due, at most `poll`.
async fn time_until_due(queue: &impl RegistrationQueue, poll: Duration) -> Duration {
    let next = queue.next_due().await.ok().flatten();
    let until = next.and_then(|due| (due - queue.now()).to_std().ok());
    until.map_or(poll, |until| until.clamp(MIN_WAIT.min(poll), poll))
}
