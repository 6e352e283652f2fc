//! Health of an integration: the worst of its conditions.

use crate::integrations::crud::Integration;

/// Health of an integration: the worst condition that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is switched off.
    Disabled,
    /// Number of registrations that need a change by a user.
    Failed(u64),
    /// Nobody answers at its address.
    Unreachable,
    /// Number of registrations whose response was lost.
    Unconfirmed(u64),
    /// Number of registrations that will be retried.
    Retrying(u64),
    /// Number of clients that wait for approval.
    Outdated(u64),
    /// Number of registrations in progress.
    Registering(u64),
    /// No workspace uses it.
    Unused,
    /// Nothing is wrong.
    Healthy,
}

impl Integration {
    /// Its health, as far as the caller may see.
    pub fn health(&self) -> Health {
        let counts = &self.counts;
        match () {
            () if !self.enabled => Health::Disabled,
            () if counts.failed > 0 => Health::Failed(counts.failed),
            () if self.unreachable => Health::Unreachable,
            () if counts.unreachable > 0 && counts.unreachable == counts.retrying => Health::Unreachable,
            () if counts.unconfirmed > 0 => Health::Unconfirmed(counts.unconfirmed),
            () if counts.retrying > 0 => Health::Retrying(counts.retrying),
            () if counts.outdated > 0 => Health::Outdated(counts.outdated),
            () if counts.servers == 0 => Health::Unused,
            () if counts.registering > 0 => Health::Registering(counts.registering),
            () => Health::Healthy,
        }
    }
}
