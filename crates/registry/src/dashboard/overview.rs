//! Counts that every page shows: integrations, workspaces, and registrations that need attention.
use crate::actor::Actor;
use crate::dashboard::Dashboard;
use crate::error::Result;
use crate::integrations::counts::NEEDS_ATTENTION;
use crate::integrations::list::visible;
use crate::storage::columns::moment;
use crate::storage::entity::{api_key, organisation, registration, server, workspace};
use registry_core::clock::Timestamp;
use registry_core::permission::{Permission, Role};
use registry_core::registration::State;
use sea_orm::{ColumnTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QuerySelect, RelationTrait};

/// Counts of what the actor may see; 0 for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Name of the organisation.
    pub organisation: String,
    /// Name of the workspace that the actor is bound to; `None`: the whole organisation.
    pub workspace: Option<String>,
    /// Integrations.
    pub integrations: u64,
    /// Workspaces.
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
            overview.integrations = visible(actor).count(self.registry.db()).await?;
        }
        if actor.can(Permission::ReadWorkspaces) {
            overview.workspaces = if actor.workspace().is_some() {
                1
            } else {
                let live = workspace::Entity::find().filter(workspace::Column::DeletedAt.is_null());
                live.count(self.registry.db()).await?
            };
        }
        if actor.can(Permission::ReadRegistrations) {
            let waiting = registration::Column::State.is_in(NEEDS_ATTENTION.map(State::as_str));
            let mut select = registration::Entity::find().filter(waiting);
            if let Some(own) = actor.workspace() {
                select = select
                    .join(JoinType::InnerJoin, registration::Relation::Server.def())
                    .filter(server::Column::WorkspaceId.eq(own.0));
            }
            overview.attention = select.count(self.registry.db()).await?;
        }
        Ok(overview)
    }
}
