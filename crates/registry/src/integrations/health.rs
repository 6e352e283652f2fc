//! How an integration is, in one word.

use crate::integrations::crud::Integration;

/// How an integration fares: the worst of what can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is switched off.
    Disabled,
    /// So many registrations will not change by themselves.
    Failed(u64),
    /// Nobody answers at its address.
    Unreachable,
    /// So many registrations were sent without an answer.
    Unconfirmed(u64),
    /// So many registrations will be tried again.
    Retrying(u64),
    /// So many clients wait for a person's agreement.
    Outdated(u64),
    /// So many registrations are on their way.
    Registering(u64),
    /// No workspace uses it.
    Unused,
    /// Nothing is wrong.
    Healthy,
}

impl Integration {
    /// How it fares, as far as the caller may see.
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
