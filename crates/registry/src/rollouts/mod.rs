//! Rollouts: a change of a layer with many servers, or the deletion of what they belong to, reaches them in batches. A save
//! records the rollout (`configuration::rollout_rows`); a worker carries it out here, and users watch, pause and resume it.

mod advance;
mod batch;
pub(crate) mod batch_size;
pub(crate) mod control;
mod deletion;
pub(crate) mod list;
mod retention;

pub use advance::Advance;

use crate::Registry;
use std::time::Duration;

/// Rollouts. A view of the application, reached by [`Registry::rollouts`].
#[derive(Clone, Copy)]
pub struct Rollouts<'a> {
    pub(crate) registry: &'a Registry,
}

impl Rollouts<'_> {
    /// Waits until a commit of this process lets a rollout go on, at most `timeout`: other processes are noticed then.
    pub async fn wait(self, timeout: Duration) {
        drop(tokio::time::timeout(timeout, self.registry.inner.rollout_notify.notified()).await);
    }
}

impl Registry {
    /// Rollouts.
    pub fn rollouts(&self) -> Rollouts<'_> {
        Rollouts { registry: self }
    }
}
