//! Logos that a saved configuration names, fetched one after another.

use crate::WorkerOptions;
use registry::Registry;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The shortest time between two looks that find nothing to fetch.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// Fetches what is due until `stop`; a picture cut off then is fetched again.
pub(crate) async fn run(registry: Registry, options: WorkerOptions, stop: CancellationToken) {
    let work = async {
        loop {
            // Interest is registered before the look: a commit between the look and the wait is not missed.
            let mut commit = pin!(registry.next_enqueuing_commit());
            let looked = Instant::now();
            match registry.logos().fetch_due(&options.name).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, source = ?std::error::Error::source(&error), "fetching a logo failed");
                }
            }
            if timeout(options.poll, &mut commit).await.is_ok() {
                sleep_until(looked + MIN_WAIT.min(options.poll)).await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
