//! `mcp-registry work`, and the worker that `serve` carries along.

use super::{Failed, open_migrated};
use crate::config::Config;
use registration_worker::WorkerOptions;
use registry::Registry;
use registry_outbound::Guarded;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a request to an upstream that is under way may still take when the process is told to end. What is cut
/// off then is taken up again by another worker when the lease has ended.
const DRAIN: Duration = Duration::from_secs(5);
/// Between two looks whether the database is ready.
const PAUSE: Duration = Duration::from_secs(2);

/// Registers clients until the process is told to end.
pub(super) async fn run(config: &Config) -> Result<(), Failed> {
    let registry = open_migrated(config).await?;
    let stop = CancellationToken::new();
    let mut worker = Worker::start(config, registry, stop.clone());
    tokio::select! {
        () = told_to_end() => tracing::info!("ending"),
        () = worker.ended() => return Err(Failed::new("The worker ended by itself.")),
    }
    stop.cancel();
    worker.drain().await;
    Ok(())
}

/// A running worker.
pub(super) struct Worker(tokio::task::JoinHandle<()>);

impl Worker {
    /// Starts working as soon as the database is ready.
    pub(super) fn start(config: &Config, registry: Registry, stop: CancellationToken) -> Self {
        let guarded = Arc::new(guarded(config, &registry));
        let options = WorkerOptions {
            name: format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple()),
            concurrency: config.worker.concurrency,
            poll: Duration::from_millis(config.worker.poll_ms),
        };
        Self(tokio::spawn(async move {
            if stop.run_until_cancelled(until_ready(&registry)).await.is_some() {
                tracing::info!(worker = options.name, "registering clients");
                registration_worker::run(registry, guarded, options, stop).await;
            }
        }))
    }

    /// Waits until the worker has ended, for whatever reason.
    pub(super) async fn ended(&mut self) {
        if let Err(error) = (&mut self.0).await {
            tracing::error!(%error, "the worker stopped");
        }
    }

    /// Waits, not for long, until nothing is under way any more.
    pub(super) async fn drain(mut self) {
        if tokio::time::timeout(DRAIN, self.ended()).await.is_err() {
            tracing::warn!("a request to an upstream was still under way; it is taken up again later");
            self.0.abort();
        }
    }
}

/// Returns when the database can be used; says once what is missing.
async fn until_ready(registry: &Registry) {
    let mut said = String::new();
    while let Err(error) = registry.ready().await {
        let message = error.to_string();
        if message != said {
            tracing::warn!("not ready: {message}");
            said = message;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns when the process gets SIGTERM or SIGINT.
pub(super) async fn told_to_end() {
    let wait = |kind: SignalKind| async move {
        match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            // Without a handler the signal ends the process at once, as signals do.
            Err(error) => {
                tracing::error!(%error, "no signal handler");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}
