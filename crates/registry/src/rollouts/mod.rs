//! Rollouts: a change of a layer with many servers reaches them in batches. A save records the rollout
//! (`configuration::rollout_rows`); a worker carries it out here, and users watch, pause and resume it.

mod advance;
mod batch;
pub(crate) mod control;
pub(crate) mod list;

pub use advance::Advance;

use crate::Registry;

/// Rollouts. A view of the application, reached by [`Registry::rollouts`].
#[derive(Clone, Copy)]
pub struct Rollouts<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Rollouts.
    pub fn rollouts(&self) -> Rollouts<'_> {
        Rollouts { registry: self }
    }
}
