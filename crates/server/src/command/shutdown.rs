//! The signals that tell this process to end.

use super::CommandError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handles SIGTERM and SIGINT from its creation on: until then each of them kills the process immediately. A signal
/// that arrives before `received` is awaited is kept. So a command creates this first, and only then reports that it is ready.
pub(super) struct ShutdownSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl ShutdownSignal {
    /// Installs the signal handlers.
    pub(super) fn install() -> Result<Self, CommandError> {
        let install = |kind| {
            signal(kind).map_err(|error| CommandError::new(format!("Signals cannot be handled: {error}.")))
        };
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    /// Returns when the process is stopped. Cancel-safe: no signal is lost.
    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The result of `work`, or `None` if the process is stopped before.
    pub(super) async fn run_until<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.received() => None,
            done = work => Some(done),
        }
    }
}
