//! The signals that tell this process to end.

use super::Failed;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from the moment this is made: until then each of them kills the process at once. A signal
/// that comes before anybody waits for it is kept. So a command makes this first, and only then says that it is ready.
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

    /// Returns when the process was told to end. Safe to be dropped: it loses no signal.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// What `work` gives, or nothing if the process is told to end before.
    pub(super) async fn or_told<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.told() => None,
            done = work => Some(done),
        }
    }
}
