//! What a deletion took along.

/// What a deletion took along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Integrations of the deleted workspace.
    pub integrations: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations whose clients will be withdrawn.
    pub registrations: u64,
}
