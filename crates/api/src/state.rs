//! What every operation needs from the process that mounts the API.

use registry::Registry;
use std::sync::Arc;

/// What the operations need. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The application.
    pub registry: Registry,
    /// Renders this process's metrics in the Prometheus text format; the counts of registrations are added to it.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How much is read.
    pub limits: Limits,
}

/// How much is read of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest request body in bytes; what is longer gets 413.
    pub body: usize,
}

impl Default for Limits {
    /// 512 KiB: an Advanced Configuration of 256 KiB with everything around it.
    fn default() -> Self {
        Self { body: 512 * 1024 }
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ApiState").field("limits", &self.limits).finish_non_exhaustive()
    }
}
