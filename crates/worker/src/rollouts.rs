//! Rollouts, batch after batch.

use crate::WorkerOptions;
use registry::{Advance, Registry};
use std::error::Error as _;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long it waits for registrations of a canary, or for another worker.
const WAIT_INTERVAL: Duration = Duration::from_millis(500);

/// Carries rollouts out until `stop`. A batch that is cut off then was not written; any worker repeats it.
pub(crate) async fn run(registry: Registry, options: WorkerOptions, stop: CancellationToken) {
    let work = async {
        loop {
            let began = Instant::now();
            match registry.rollouts().advance(&options.name).await {
                // As long as it took: other writes come between two batches, and registrations get their processor time.
                Ok(Advance::Moved) => tokio::time::sleep(began.elapsed()).await,
                Ok(Advance::Waiting) => tokio::time::sleep(WAIT_INTERVAL).await,
                Ok(Advance::Idle) => registry.rollouts().wait(options.poll).await,
                Err(error) => {
                    tracing::warn!(%error, source = ?error.source(), "a step of a rollout failed");
                    tokio::time::sleep(WAIT_INTERVAL).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
