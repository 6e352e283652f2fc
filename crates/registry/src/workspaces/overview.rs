//! Counts of what workspaces contain: for the list of workspaces, for the page of one workspace, and for the dry run of
//! its deletion.

use crate::lookup::integrations::{IntegrationRef, access_enabled, integration_ref};
use crate::lookup::workspaces;
use crate::pagination::{Page, PageRequest};
use crate::storage::entity::{access, api_key, integration, registration, server, user};
use crate::workspaces::Workspaces;
use crate::{Actor, Result, Workspace, WorkspaceFilter};
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Reference;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait,
};
use std::collections::HashMap;
use uuid::Uuid;

/// A workspace with counts of what it contains. Deleted servers and integrations do not count.
#[derive(Clone, Debug)]
pub struct WorkspaceSummary {
    /// The workspace.
    pub workspace: Workspace,
    /// How many integrations the workspace may use.
    pub integrations: u64,
    /// How many servers the workspace has.
    pub servers: u64,
    /// The number of registrations per state, in the order of [`State::ALL`]; states without registrations are left out.
    pub registrations: Vec<(State, u64)>,
    /// How many workspace layers and server layers have a configuration.
    pub overrides: u64,
}

/// An integration that a workspace may use.
#[derive(Clone, Debug)]
pub struct WorkspaceIntegration {
    /// The integration.
    pub integration: IntegrationRef,
    /// Whether the integration belongs to the workspace (and is not organisation-wide).
    pub own: bool,
    /// Whether the workspace layer of the integration has a configuration.
    pub overridden: bool,
    /// How many servers of the integration the workspace has.
    pub servers: u64,
}

/// How much is deleted, withdrawn or revoked together with a workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceLosses {
    /// Integrations that belong to the workspace.
    pub integrations: u64,
    /// Servers of the workspace.
    pub servers: u64,
    /// Registrations of these servers, whose clients are withdrawn.
    pub registrations: u64,
    /// API keys bound to the workspace, which are revoked.
    pub keys: u64,
    /// Users bound to the workspace, who lose all access.
    pub users: u64,
}

impl Workspaces<'_> {
    /// One page of workspaces in the order of their slugs, each with counts of what it contains.
    pub async fn summaries(
        self,
        actor: &Actor,
        filter: WorkspaceFilter,
        request: PageRequest,
    ) -> Result<Page<WorkspaceSummary>> {
        let found = self.list(actor, filter, request).await?;
        let ids: Vec<Uuid> = found.items.iter().map(|workspace| workspace.id.0).collect();
        let db = self.registry.db();
        let access = IntegrationAccess::load(db, &ids).await?;
        let registrations = count_registrations(db, &ids).await?;
        let servers = count_servers(db, &ids).await?;
        found.try_map(|workspace| {
            let id = workspace.id.0;
            let in_state = |state: State| registrations.get(&(id, state)).copied().unwrap_or(0);
            let servers = servers.get(&id).copied().unwrap_or_default();
            Ok(WorkspaceSummary {
                integrations: access.usable_by(id).count() as u64,
                servers: servers.all,
                registrations: State::ALL
                    .iter()
                    .map(|state| (*state, in_state(*state)))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                overrides: servers.configured + access.count_workspace_layers(id),
                workspace,
            })
        })
    }

    /// The integrations that a workspace may use, in the order of their slugs.
    pub async fn integrations(
        self,
        actor: &Actor,
        reference: &Reference,
    ) -> Result<Vec<WorkspaceIntegration>> {
        actor.require(Permission::ListIntegrations)?;
        let workspace = workspaces::find(self.registry.db(), actor, reference).await?;
        let access = IntegrationAccess::load(self.registry.db(), &[workspace.id]).await?;
        let server_counts: Vec<(Uuid, i64)> = server::Entity::find()
            .select_only()
            .column(server::Column::IntegrationId)
            .column_as(server::Column::Id.count(), "count")
            .filter(server::Column::WorkspaceId.eq(workspace.id))
            .filter(server::Column::DeletedAt.is_null())
            .group_by(server::Column::IntegrationId)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        let server_counts: HashMap<Uuid, i64> = server_counts.into_iter().collect();
        access
            .usable_by(workspace.id)
            .map(|model| {
                let row = access.rows.get(&(model.id, workspace.id));
                Ok(WorkspaceIntegration {
                    integration: integration_ref(model)?,
                    own: model.workspace_id == Some(workspace.id),
                    overridden: row.is_some_and(|row| row.configuration.is_some()),
                    servers: server_counts.get(&model.id).map_or(0, |count| count.unsigned_abs()),
                })
            })
            .collect()
    }

    /// Counts what would be deleted, withdrawn or revoked together with a workspace. Changes nothing.
    pub async fn dry_run_delete(self, actor: &Actor, reference: &Reference) -> Result<WorkspaceLosses> {
        actor.require_organisation(Permission::DeleteWorkspaces)?;
        let db = self.registry.db();
        let id = workspaces::find(db, actor, reference).await?.id;
        Ok(WorkspaceLosses {
            integrations: integration::Entity::find()
                .filter(integration::Column::WorkspaceId.eq(id))
                .filter(integration::Column::DeletedAt.is_null())
                .count(db)
                .await?,
            servers: server::Entity::find()
                .filter(server::Column::WorkspaceId.eq(id))
                .filter(server::Column::DeletedAt.is_null())
                .count(db)
                .await?,
            registrations: registration::Entity::find()
                .join(JoinType::InnerJoin, registration::Relation::Server.def())
                .filter(server::Column::WorkspaceId.eq(id))
                .filter(server::Column::DeletedAt.is_null())
                .count(db)
                .await?,
            keys: api_key::Entity::find()
                .filter(api_key::Column::WorkspaceId.eq(id))
                .filter(api_key::Column::RevokedAt.is_null())
                .count(db)
                .await?,
            users: user::Entity::find().filter(user::Column::WorkspaceId.eq(id)).count(db).await?,
        })
    }
}

/// All live integrations, and the access rows of some workspaces. An access row also stores the workspace layer.
struct IntegrationAccess {
    /// In the order of their slugs.
    integrations: Vec<integration::Model>,
    /// Key: the ids of integration and workspace. Rows of deleted integrations are included.
    rows: HashMap<(Uuid, Uuid), access::Model>,
}

impl IntegrationAccess {
    async fn load(db: &impl ConnectionTrait, workspaces: &[Uuid]) -> Result<Self> {
        let integrations = integration::Entity::find()
            .filter(integration::Column::DeletedAt.is_null())
            .order_by_asc(integration::Column::SlugKey)
            .all(db)
            .await?;
        let rows = access::Entity::find()
            .filter(access::Column::WorkspaceId.is_in(workspaces.iter().copied()))
            .all(db)
            .await?;
        let rows = rows.into_iter().map(|row| ((row.integration_id, row.workspace_id), row)).collect();
        Ok(Self { integrations, rows })
    }

    /// The integrations that `workspace` may use, in the order of their slugs.
    fn usable_by(&self, workspace: Uuid) -> impl Iterator<Item = &integration::Model> {
        self.integrations.iter().filter(move |model| {
            let row = self.rows.get(&(model.id, workspace));
            access_enabled(model, row, WorkspaceId(workspace))
        })
    }

    /// How many live integrations have a configuration in the layer of `workspace`.
    fn count_workspace_layers(&self, workspace: Uuid) -> u64 {
        self.integrations
            .iter()
            .filter_map(|model| self.rows.get(&(model.id, workspace)))
            .filter(|row| row.configuration.is_some())
            .count() as u64
    }
}

/// The number of registrations of live servers, by workspace and state. States without registrations have no entry.
async fn count_registrations(
    db: &impl ConnectionTrait,
    workspaces: &[Uuid],
) -> Result<HashMap<(Uuid, State), u64>> {
    let rows: Vec<(Uuid, String, i64)> = registration::Entity::find()
        .join(JoinType::InnerJoin, registration::Relation::Server.def())
        .select_only()
        .column(server::Column::WorkspaceId)
        .column(registration::Column::State)
        .column_as(registration::Column::Id.count(), "count")
        .filter(server::Column::WorkspaceId.is_in(workspaces.iter().copied()))
        .filter(server::Column::DeletedAt.is_null())
        .group_by(server::Column::WorkspaceId)
        .group_by(registration::Column::State)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, state, count)| Some(((id, State::parse(&state)?), count.unsigned_abs())))
        .collect())
}

/// Counts of the live servers of one workspace.
#[derive(Clone, Copy, Default)]
struct ServerCounts {
    all: u64,
    /// Servers whose server layer has a configuration.
    configured: u64,
}

/// Counts live servers by workspace. Workspaces without servers have no entry.
async fn count_servers(
    db: &impl ConnectionTrait,
    workspaces: &[Uuid],
) -> Result<HashMap<Uuid, ServerCounts>> {
    let rows: Vec<(Uuid, i64, i64)> = server::Entity::find()
        .select_only()
        .column(server::Column::WorkspaceId)
        .column_as(server::Column::Id.count(), "all")
        .column_as(server::Column::Configuration.count(), "configured")
        .filter(server::Column::WorkspaceId.is_in(workspaces.iter().copied()))
        .filter(server::Column::DeletedAt.is_null())
        .group_by(server::Column::WorkspaceId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, all, configured)| {
            (id, ServerCounts { all: all.unsigned_abs(), configured: configured.unsigned_abs() })
        })
        .collect())
}
