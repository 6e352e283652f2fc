//! The signals that tell this process to end.

use super::Failed;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handles SIGTERM and SIGINT from its creation on: until then each of them kills the process immediately. A signal
/// that arrives before `told` is awaited is kept. So a command creates this first, and only then reports that it is ready.
pub(super) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// Catches them.
    pub(super) fn caught() -> Result<Self, Failed> {
        let caught =
            |kind| signal(kind).map_err(|error| Failed::new(format!("Signals cannot be handled: {error}.")));
        Ok(Self { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())? })
    }

    /// Returns when the process is stopped. Cancel-safe: no signal is lost.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The result of `work`, or `None` if the process is stopped before.
    pub(super) async fn or_told<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.told() => None,
            done = work => Some(done),
        }
    }
}
