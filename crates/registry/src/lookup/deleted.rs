//! The counts that every deletion returns.

/// Rows that a deletion removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Integrations of the deleted workspace.
    pub integrations: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations whose clients will be withdrawn.
    pub registrations: u64,
}
