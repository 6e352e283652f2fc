//! Workspaces with what is in them: for the list, for the page of one, and for what its deletion would take along.

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

/// A workspace and what is in it.
#[derive(Clone, Debug)]
pub struct WorkspaceSummary {
    /// The workspace.
    pub workspace: Workspace,
    /// Integrations it may use.
    pub integrations: u64,
    /// Servers.
    pub servers: u64,
    /// How many of their registrations are in each state, as far as there are any.
    pub registrations: Vec<(State, u64)>,
    /// Workspace and server layers that set something.
    pub overrides: u64,
}

/// An integration that a workspace may use.
#[derive(Clone, Debug)]
pub struct WorkspaceIntegration {
    /// The integration.
    pub integration: IntegrationRef,
    /// Whether it belongs to the workspace.
    pub own: bool,
    /// Whether the workspace has set a layer over it.
    pub overridden: bool,
    /// Servers of it in the workspace.
    pub servers: u64,
}

/// What deleting a workspace takes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceLosses {
    /// Integrations that belong to it.
    pub integrations: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations, whose clients are withdrawn.
    pub registrations: u64,
    /// API keys bound to it, which are revoked.
    pub keys: u64,
    /// Users bound to it, who lose all access.
    pub users: u64,
}

impl Workspaces<'_> {
    /// Workspaces by slug, with what is in them.
    pub async fn summaries(
        self,
        actor: &Actor,
        filter: WorkspaceFilter,
        request: PageRequest,
    ) -> Result<Page<WorkspaceSummary>> {
        let found = self.list(actor, filter, request).await?;
        let ids: Vec<Uuid> = found.items.iter().map(|workspace| workspace.id.0).collect();
        let db = self.registry.db();
        let layers = Layers::of(db, &ids).await?;
        let states = states_of(db, &ids).await?;
        let servers = servers_of(db, &ids).await?;
        found.try_map(|workspace| {
            let id = workspace.id.0;
            let in_state = |state: State| states.get(&(id, state)).copied().unwrap_or(0);
            let (count, configured) = servers.get(&id).copied().unwrap_or_default();
            Ok(WorkspaceSummary {
                integrations: layers.usable_by(id).count() as u64,
                servers: count,
                registrations: State::ALL
                    .iter()
                    .map(|state| (*state, in_state(*state)))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                overrides: configured + layers.overrides_of(id),
                workspace,
            })
        })
    }

    /// The integrations a workspace may use, by slug.
    pub async fn integrations(
        self,
        actor: &Actor,
        reference: &Reference,
    ) -> Result<Vec<WorkspaceIntegration>> {
        actor.require(Permission::ListIntegrations)?;
        let workspace = workspaces::find(self.registry.db(), actor, reference).await?;
        let layers = Layers::of(self.registry.db(), &[workspace.id]).await?;
        let counts: Vec<(Uuid, i64)> = server::Entity::find()
            .select_only()
            .column(server::Column::IntegrationId)
            .column_as(server::Column::Id.count(), "count")
            .filter(server::Column::WorkspaceId.eq(workspace.id))
            .filter(server::Column::DeletedAt.is_null())
            .group_by(server::Column::IntegrationId)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        let counts: HashMap<Uuid, i64> = counts.into_iter().collect();
        layers
            .usable_by(workspace.id)
            .map(|model| {
                let row = layers.rows.get(&(model.id, workspace.id));
                Ok(WorkspaceIntegration {
                    integration: integration_ref(model)?,
                    own: model.workspace_id == Some(workspace.id),
                    overridden: row.is_some_and(|row| row.configuration.is_some()),
                    servers: counts.get(&model.id).map_or(0, |count| count.unsigned_abs()),
                })
            })
            .collect()
    }

    /// What deleting a workspace would take along.
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

/// All live integrations, and what some workspaces have over them.
struct Layers {
    integrations: Vec<integration::Model>,
    /// By integration and workspace.
    rows: HashMap<(Uuid, Uuid), access::Model>,
}

impl Layers {
    async fn of(db: &impl ConnectionTrait, workspaces: &[Uuid]) -> Result<Self> {
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

    fn usable_by(&self, workspace: Uuid) -> impl Iterator<Item = &integration::Model> {
        self.integrations.iter().filter(move |model| {
            let row = self.rows.get(&(model.id, workspace));
            access_enabled(model, row, WorkspaceId(workspace))
        })
    }

    fn overrides_of(&self, workspace: Uuid) -> u64 {
        let live = |id: &Uuid| self.integrations.iter().any(|model| model.id == *id);
        self.rows
            .iter()
            .filter(|((model, of), row)| *of == workspace && row.configuration.is_some() && live(model))
            .count() as u64
    }
}

/// How many registrations of live servers are in each state, by workspace.
async fn states_of(db: &impl ConnectionTrait, workspaces: &[Uuid]) -> Result<HashMap<(Uuid, State), u64>> {
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

/// How many live servers a workspace has, and how many of them with a layer of their own.
async fn servers_of(db: &impl ConnectionTrait, workspaces: &[Uuid]) -> Result<HashMap<Uuid, (u64, u64)>> {
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
        .map(|(id, all, configured)| (id, (all.unsigned_abs(), configured.unsigned_abs())))
        .collect())
}
