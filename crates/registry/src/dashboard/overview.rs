//! Counts that every page shows: integrations, workspaces, and registrations that need attention.
use crate::actor::Actor;
use crate::dashboard::Dashboard;
use crate::error::Result;
use crate::integrations::counts::NEEDS_ATTENTION;
use crate::integrations::list::visible;
use crate::lookup::tally;
use crate::pagination;
use crate::pagination::MAX_COUNTED;
use crate::storage::columns::moment;
use crate::storage::entity::{api_key, organisation, workspace};
use registry_core::clock::Timestamp;
use registry_core::permission::{Permission, Role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

/// Counts of what the actor may see; 0 for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Name of the organisation.
    pub organisation: String,
    /// Name of the workspace that the actor is bound to; `None`: the whole organisation.
    pub workspace: Option<String>,
    /// Integrations, counted up to [`MAX_COUNTED`].
    pub integrations: u64,
    /// Workspaces, counted up to [`MAX_COUNTED`].
    pub workspaces: u64,
    /// Registrations that need attention.
    pub attention: u64,
    /// When an API key of a gateway was last used, to the minute.
    pub gateway_seen_at: Option<Timestamp>,
}

impl Dashboard<'_> {
    /// The counts, as far as the actor may see them.
    pub async fn overview(self, actor: &Actor) -> Result<Overview> {
        let mut overview = Overview::default();
        if actor.can(Permission::ReadOrganisation) {
            let row = organisation::Entity::find().one(self.registry.db()).await?;
            overview.organisation = row.map(|row| row.name).unwrap_or_default();
            let seen: Option<Option<i64>> = api_key::Entity::find()
                .select_only()
                .column_as(api_key::Column::LastUsedAt.max(), "seen")
                .filter(api_key::Column::Role.eq(Role::Gateway.as_str()))
                // SQLite's MAX reads all keys that were never used.
                .filter(api_key::Column::LastUsedAt.is_not_null())
                .into_tuple()
                .one(self.registry.db())
                .await?;
            overview.gateway_seen_at = seen.flatten().map(moment);
        }
        if let Some(own) = actor.workspace() {
            let row = workspace::Entity::find_by_id(own.0).one(self.registry.db()).await?;
            overview.workspace = row.map(|row| row.name);
        }
        if actor.can(Permission::ReadIntegrations) {
            overview.integrations =
                pagination::count(self.registry.db(), visible(actor)).await?.min(MAX_COUNTED);
        }
        if actor.can(Permission::ReadWorkspaces) {
            overview.workspaces = if actor.workspace().is_some() {
                1
            } else {
                let live = workspace::Entity::find().filter(workspace::Column::DeletedAt.is_null());
                pagination::count(self.registry.db(), live).await?.min(MAX_COUNTED)
            };
        }
        if actor.can(Permission::ReadRegistrations) {
            let scope = actor.workspace().map_or(tally::ORGANISATION, |own| own.0);
            let kept = tally::one(self.registry.db(), scope).await?;
            overview.attention = NEEDS_ATTENTION.iter().map(|state| kept.all(*state)).sum();
        }
        Ok(overview)
    }
}
