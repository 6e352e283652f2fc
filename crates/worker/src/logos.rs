//! Logos that a saved configuration names, fetched one after another.

use crate::WorkerOptions;
use registry::Registry;
use tokio_util::sync::CancellationToken;

/// Fetches what is due until `stop`; a picture cut off then is fetched again.
pub(crate) async fn run(registry: Registry, options: WorkerOptions, stop: CancellationToken) {
    let work = async {
        loop {
            match registry.logos().fetch_due(&options.name).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, source = ?std::error::Error::source(&error), "fetching a logo failed");
                }
            }
            registry.wait_for_commit(options.poll).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
