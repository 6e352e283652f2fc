//! Every workspace as one integration sees it: whether it may use it, what it has of it, what it sets over it.

use crate::access::IntegrationAccess;
use crate::lookup::integrations::{access_enabled, require_owner};
use crate::lookup::workspaces::WorkspaceRef;
use crate::lookup::{integrations, workspaces};
use crate::storage::columns::moment;
use crate::storage::entity::{access, oauth_client, registration, server, workspace};
use crate::{Actor, Result};
use registry_core::clock::Timestamp;
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Reference;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Who may use an integration, every workspace of the organisation that the caller may see.
#[derive(Clone, Debug)]
pub struct AccessOverview {
    /// Whether workspaces about which nothing else is said may use it, new ones above all.
    pub global_access: bool,
    /// The workspace it belongs to, which alone may use it.
    pub owner: Option<WorkspaceRef>,
    /// Whether the caller may change who may use it.
    pub may_change: bool,
    /// By slug.
    pub workspaces: Vec<WorkspaceAccess>,
}

/// One workspace.
#[derive(Clone, Debug)]
pub struct WorkspaceAccess {
    /// The workspace.
    pub workspace: WorkspaceRef,
    /// Whether it may use the integration.
    pub enabled: bool,
    /// Whether it has set a layer over it.
    pub overridden: bool,
    /// Its servers of the integration.
    pub servers: u64,
    /// How many of their registrations are in each state, as far as there are any.
    pub registrations: Vec<(State, u64)>,
    /// When a gateway first fetched a client of them that still serves; of several the last.
    pub fetched_at: Option<Timestamp>,
}

impl IntegrationAccess<'_> {
    /// Every workspace and what it has of an integration.
    pub async fn overview(self, actor: &Actor, reference: &Reference) -> Result<AccessOverview> {
        actor.require(Permission::ListIntegrations)?;
        let db = self.registry.db();
        let model = integrations::find(db, actor, reference).await?;
        let rows: HashMap<Uuid, access::Model> = access::Entity::find()
            .filter(access::Column::IntegrationId.eq(model.id))
            .all(db)
            .await?
            .into_iter()
            .map(|row| (row.workspace_id, row))
            .collect();
        let counts_by_workspace = counts_by_workspace(db, model.id).await?;
        let all = workspace::Entity::find()
            .filter(workspace::Column::DeletedAt.is_null())
            .order_by_asc(workspace::Column::SlugKey)
            .all(db)
            .await?;
        let owner = all.iter().find(|one| Some(one.id) == model.workspace_id);
        let workspaces = all
            .iter()
            .filter(|one| actor.sees(WorkspaceId(one.id)))
            .map(|one| {
                let row = rows.get(&one.id);
                let counts = counts_by_workspace.get(&one.id).cloned().unwrap_or_default();
                Ok(WorkspaceAccess {
                    workspace: workspaces::as_ref(one)?,
                    enabled: access_enabled(&model, row, WorkspaceId(one.id)),
                    overridden: row.is_some_and(|row| row.configuration.is_some()),
                    servers: counts.servers,
                    registrations: State::ALL
                        .iter()
                        .filter_map(|state| Some((*state, *counts.states.get(state)?)))
                        .collect(),
                    fetched_at: counts.fetched_at.map(moment),
                })
            })
            .collect::<Result<_>>()?;
        Ok(AccessOverview {
            global_access: model.global_access,
            owner: owner.map(workspaces::as_ref).transpose()?,
            may_change: actor.can(Permission::UpdateIntegrations)
                && model.workspace_id.is_none()
                && require_owner(actor, &model).is_ok(),
            workspaces,
        })
    }
}

#[derive(Clone, Default)]
struct WorkspaceCounts {
    servers: u64,
    states: HashMap<State, u64>,
    fetched_at: Option<i64>,
}

/// The live servers of an integration with their registrations and clients, counted by workspace.
async fn counts_by_workspace(
    db: &impl ConnectionTrait,
    integration: Uuid,
) -> Result<HashMap<Uuid, WorkspaceCounts>> {
    let rows: Vec<(Uuid, Option<String>)> = server::Entity::find()
        .join_rev(JoinType::LeftJoin, registration::Relation::Server.def())
        .select_only()
        .column(server::Column::WorkspaceId)
        .column(registration::Column::State)
        .filter(server::Column::IntegrationId.eq(integration))
        .filter(server::Column::DeletedAt.is_null())
        .into_tuple()
        .all(db)
        .await?;
    let mut counts_by_workspace: HashMap<Uuid, WorkspaceCounts> = HashMap::new();
    for (workspace, state) in rows {
        let counts = counts_by_workspace.entry(workspace).or_default();
        counts.servers += 1;
        if let Some(state) = state.as_deref().and_then(State::parse) {
            *counts.states.entry(state).or_default() += 1;
        }
    }
    let fetched: Vec<(Uuid, Option<i64>)> = oauth_client::Entity::find()
        .join(JoinType::InnerJoin, oauth_client::Relation::Registration.def())
        .join(JoinType::InnerJoin, registration::Relation::Server.def())
        .select_only()
        .column(server::Column::WorkspaceId)
        .column_as(oauth_client::Column::FetchedAt.max(), "fetched")
        .filter(server::Column::IntegrationId.eq(integration))
        .filter(server::Column::DeletedAt.is_null())
        .filter(oauth_client::Column::EndedAt.is_null())
        .group_by(server::Column::WorkspaceId)
        .into_tuple()
        .all(db)
        .await?;
    for (workspace, at) in fetched {
        counts_by_workspace.entry(workspace).or_default().fetched_at = at;
    }
    Ok(counts_by_workspace)
}
