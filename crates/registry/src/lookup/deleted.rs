//! The counts that every deletion returns.

use registry_core::id::RolloutId;

/// Rows that a deletion removed, or that its rollout removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Integrations of the deleted workspace.
    pub integrations: u64,
    /// Servers; at most 100,000 are counted.
    pub servers: u64,
    /// Registrations whose clients will be withdrawn.
    pub registrations: u64,
    /// Whether `registrations` is estimated from a sample of the servers.
    pub estimated: bool,
    /// The rollout that deletes the servers, where they are many; `None`: they are deleted.
    pub rollout: Option<RolloutId>,
}
