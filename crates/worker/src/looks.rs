//! Looks at the MCP servers of integrations that need no user, beside the registrations.

use crate::WorkerOptions;
use registry::Registry;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The longest time until integrations that other processes saved, or that are due for their daily look, are noticed.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// The shortest time between two searches for what is due.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// Looks at what is due until `stop`. A look that is cut off then is repeated.
pub(crate) async fn run(registry: Registry, options: WorkerOptions, stop: CancellationToken) {
    let work = async {
        loop {
            // Interest is registered before the search: a commit between the search and the wait is not missed.
            let mut commit = pin!(registry.next_enqueuing_commit());
            match registry.capabilities().look_at_due(&options.name).await {
                Ok(0) => {
                    let _ = timeout(MAX_WAIT, &mut commit).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, source = ?std::error::Error::source(&error), "finding MCP servers to look at failed");
                    sleep(MAX_WAIT).await;
                }
            }
            sleep(MIN_WAIT).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
