//! What stands around every page: how much there is, and how much of it needs a person.

use crate::Registry;
use crate::actor::Actor;
use crate::entity::{api_key, organisation};
use crate::error::Result;
use crate::integrations::IntegrationFilter;
use crate::page::PageRequest;
use crate::registrations::RegistrationFilter;
use crate::workspaces::WorkspaceFilter;
use crate::stored::moment;
use registry_core::clock::Timestamp;
use registry_core::permission::{Permission, Role};
use registry_core::registration::State;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

/// Numbers of what the actor may see; 0 of what it may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// The organisation's name for people.
    pub organisation: String,
    /// Integrations.
    pub integrations: u64,
    /// Workspaces.
    pub workspaces: u64,
    /// Registrations that a person should look at.
    pub attention: u64,
    /// When a gateway's key was last used, to the minute.
    pub gateway_seen_at: Option<Timestamp>,
}

impl Registry {
    /// How much there is, as far as the actor may see it.
    pub async fn overview(&self, actor: &Actor) -> Result<Overview> {
        let mut overview = Overview::default();
        let nothing = PageRequest::new(0, 1);
        if actor.can(Permission::ReadOrganisation) {
            let row = organisation::Entity::find().one(self.db()).await?;
            overview.organisation = row.map(|row| row.name).unwrap_or_default();
            let seen: Option<Option<i64>> = api_key::Entity::find()
                .select_only()
                .column_as(api_key::Column::LastUsedAt.max(), "seen")
                .filter(api_key::Column::Role.eq(Role::Gateway.as_str()))
                .into_tuple()
                .one(self.db())
                .await?;
            overview.gateway_seen_at = seen.flatten().map(moment);
        }
        if actor.can(Permission::ReadIntegrations) {
            overview.integrations =
                self.integrations(actor, IntegrationFilter::default(), nothing).await?.total;
        }
        if actor.can(Permission::ReadWorkspaces) {
            overview.workspaces = self.workspaces(actor, WorkspaceFilter::default(), nothing).await?.total;
        }
        if actor.can(Permission::ReadRegistrations) {
            let counts = self.registration_counts(actor, RegistrationFilter::default()).await?;
            let waits = |state| {
                matches!(state, State::Failed | State::Unconfirmed | State::Outdated | State::Retrying)
            };
            overview.attention =
                counts.iter().filter(|(state, _)| waits(*state)).map(|(_, count)| count).sum();
        }
        Ok(overview)
    }
}
