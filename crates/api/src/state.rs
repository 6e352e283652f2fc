//! What every operation needs from the process that mounts the API.

use registry::Registry;
use std::sync::Arc;

/// What the operations need. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The application.
    pub registry: Registry,
    /// Renders this process's metrics in the Prometheus text format; the counts of registrations are appended.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// The limits of a request.
    pub limits: Limits,
}

/// The limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum size of a request body in bytes; a larger one gets 413.
    pub body: usize,
}

impl Default for Limits {
    /// 512 KiB: an Advanced Configuration of 256 KiB plus the other members.
    fn default() -> Self {
        Self { body: 512 * 1024 }
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ApiState").field("limits", &self.limits).finish_non_exhaustive()
    }
}
