//! `mcp-registry work`, and the worker that `serve` carries along.

use super::database::{database_name, join};
use super::shutdown::ShutdownSignal;
use super::{CommandError, print};
use crate::adapters::guarded;
use crate::config::Config;
use registration_worker::WorkerOptions;
use registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a pending request to an upstream may still take at shutdown. A request that is cut
/// off then is retried when its lease has expired.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// The worker enforces `DRAIN_TIMEOUT` itself; this is the fallback.
const ABORT_TIMEOUT: Duration = Duration::from_millis(5500);
/// Interval between two readiness checks of the database.
const READY_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Runs the worker until the process is stopped. Prints a line on standard output when the database is open.
pub(super) async fn run(config: &Config, mut shutdown: ShutdownSignal) -> Result<(), CommandError> {
    let Some(registry) = shutdown.run_until(Box::pin(join(config))).await else {
        tracing::info!("stopped while starting");
        return Ok(());
    };
    let registry = registry?;
    tracing::info!(database = database_name(&config.database.url), "database opened");
    let stop = CancellationToken::new();
    let mut worker = Worker::start(config, registry, stop.clone())?;
    print("worker started")?;
    tokio::select! {
        () = shutdown.received() => tracing::info!("ending"),
        () = worker.ended() => return Err(CommandError::new("The worker stopped unexpectedly.")),
    }
    stop.cancel();
    worker.drain().await;
    Ok(())
}

/// A running worker.
pub(super) struct Worker(tokio::task::JoinHandle<()>);

impl Worker {
    /// Starts working as soon as the database is ready.
    pub(super) fn start(
        config: &Config,
        registry: Registry,
        stop: CancellationToken,
    ) -> Result<Self, CommandError> {
        let guarded =
            Arc::new(guarded(config, registry.settings().egress.clone()).map_err(CommandError::new)?);
        let options = WorkerOptions {
            name: process_name("worker"),
            concurrency: config.worker.concurrency,
            poll: Duration::from_millis(config.worker.poll_ms),
            drain: DRAIN_TIMEOUT,
        };
        Ok(Self(tokio::spawn(async move {
            if stop.run_until_cancelled(until_ready(&registry)).await.is_some() {
                registration_worker::run(registry, guarded, options, stop).await;
            }
        })))
    }

    /// Waits until the worker has ended.
    pub(super) async fn ended(&mut self) {
        if let Err(error) = (&mut self.0).await {
            tracing::error!(%error, "the worker stopped");
        }
    }

    /// Waits, up to `ABORT_TIMEOUT`, until no request is pending.
    pub(super) async fn drain(mut self) {
        if tokio::time::timeout(ABORT_TIMEOUT, self.ended()).await.is_err() {
            tracing::warn!("the worker did not end in time and is cut off");
            self.0.abort();
        }
    }
}

/// A name no other process of the deployment has: containers often share process number and host name.
#[expect(clippy::disallowed_methods, reason = "a name, not the id of anything that is kept")]
pub(super) fn process_name(kind: &str) -> String {
    format!("{kind}-{}", uuid::Uuid::now_v7().simple())
}

/// Returns when the database is ready; logs each reason once.
async fn until_ready(registry: &Registry) {
    let mut said = String::new();
    while let Err(error) = registry.deployment().ready().await {
        let message = error.to_string();
        if message != said {
            tracing::warn!("not ready: {message}");
            said = message;
        }
        tokio::time::sleep(READY_POLL_INTERVAL).await;
    }
}
