//! How commits are announced: inside this process, and to other processes of the same PostgreSQL database.

use crate::Registry;
use std::time::Duration;
use tokio::sync::futures::Notified;

/// The channel on which PostgreSQL announces commits (`NOTIFY`).
pub(crate) const CHANNEL: &str = "mcp_registry_changes";

impl Registry {
    /// The next commit of this process. A commit counts from this call on, also before the future is polled: call it
    /// before looking for work, so that a commit between the look and the wait is not missed.
    pub fn next_commit(&self) -> Notified<'_> {
        self.inner.commit_notify.notified()
    }

    /// As [`Self::next_commit`], for the commits that may enqueue something for a worker: all but those of the steps of claims,
    /// which are many and make nothing else due.
    pub fn next_enqueuing_commit(&self) -> Notified<'_> {
        self.inner.enqueued_notify.notified()
    }

    /// Waits until this process commits something, at most `timeout`.
    pub async fn wait_for_commit(&self, timeout: Duration) {
        drop(tokio::time::timeout(timeout, self.next_commit()).await);
    }
}
