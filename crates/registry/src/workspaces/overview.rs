//! Counts of what workspaces contain: for the list of workspaces, for the page of one workspace, and for the dry run of
//! its deletion.

use crate::lookup::integrations::{IntegrationRef, access_enabled, integration_ref};
use crate::lookup::servers::is_live;
use crate::lookup::{tally, workspaces};
use crate::pagination::{self, Page, PageRequest};
use crate::storage::entity::{access, api_key, integration, registration, server, user};
use crate::workspaces::Workspaces;
use crate::{Actor, Result, Workspace, WorkspaceFilter};
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
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
        let access = AccessCounts::of(db, &ids).await?;
        let mut kept = tally::of(db, ids).await?;
        found.try_map(|workspace| {
            let id = workspace.id.0;
            let kept = kept.remove(&id).unwrap_or_default();
            Ok(WorkspaceSummary {
                integrations: access.usable_by(id),
                servers: kept.servers,
                registrations: State::ALL
                    .iter()
                    .map(|state| (*state, kept.live(*state)))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                overrides: kept.configured + access.layers.get(&id).copied().unwrap_or(0),
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
                .filter(is_live())
                .count(db)
                .await?,
            registrations: registration::Entity::find()
                .join(JoinType::InnerJoin, registration::Relation::Server.def())
                .filter(server::Column::WorkspaceId.eq(id))
                .filter(is_live())
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
}

/// How many integrations some workspaces may use, and how many layers they set. The access rows of these workspaces are
/// counted, not read; no row means that `integration.global_access` decides.
struct AccessCounts {
    /// Organisation-wide integrations that every workspace may use.
    global: u64,
    /// By workspace: its own integrations, and organisation-wide ones that are enabled for it alone.
    more: HashMap<Uuid, u64>,
    /// By workspace: integrations for everybody that are disabled for it.
    fewer: HashMap<Uuid, u64>,
    /// By workspace: live integrations with a configuration in its workspace layer.
    layers: HashMap<Uuid, u64>,
}

/// Workspace, and a row for each kind that is counted.
type AccessCount = (Uuid, i64, i64, i64);

impl AccessCounts {
    async fn of(db: &impl ConnectionTrait, workspaces: &[Uuid]) -> Result<Self> {
        let live = integration::Entity::find().filter(integration::Column::DeletedAt.is_null());
        let global = live
            .clone()
            .filter(integration::Column::WorkspaceId.is_null())
            .filter(integration::Column::GlobalAccess.eq(true));
        let global = pagination::count(db, global).await?;
        let own: Vec<(Uuid, i64)> = live
            .select_only()
            .column(integration::Column::WorkspaceId)
            .column_as(integration::Column::Id.count(), "count")
            .filter(integration::Column::WorkspaceId.is_in(workspaces.iter().copied()))
            .group_by(integration::Column::WorkspaceId)
            .into_tuple()
            .all(db)
            .await?;
        let where_so = |condition: Condition| Expr::expr(Expr::case(condition, 1).finally(0)).sum();
        let shared = || Condition::all().add(integration::Column::WorkspaceId.is_null());
        let differs = |enabled: bool| {
            let condition = shared().add(access::Column::Enabled.eq(enabled));
            where_so(condition.add(integration::Column::GlobalAccess.eq(!enabled)))
        };
        let rows: Vec<AccessCount> = access::Entity::find()
            .join(JoinType::InnerJoin, access::Relation::Integration.def())
            .select_only()
            .column(access::Column::WorkspaceId)
            .expr_as(differs(true), "more")
            .expr_as(differs(false), "fewer")
            .expr_as(where_so(Condition::all().add(access::Column::Configuration.is_not_null())), "layers")
            .filter(access::Column::WorkspaceId.is_in(workspaces.iter().copied()))
            .filter(integration::Column::DeletedAt.is_null())
            .group_by(access::Column::WorkspaceId)
            .into_tuple()
            .all(db)
            .await?;
        let mut counts = Self { global, more: HashMap::new(), fewer: HashMap::new(), layers: HashMap::new() };
        for (id, count) in own {
            *counts.more.entry(id).or_default() += count.unsigned_abs();
        }
        for (id, more, fewer, layers) in rows {
            *counts.more.entry(id).or_default() += more.unsigned_abs();
            counts.fewer.insert(id, fewer.unsigned_abs());
            counts.layers.insert(id, layers.unsigned_abs());
        }
        Ok(counts)
    }

    fn usable_by(&self, workspace: Uuid) -> u64 {
        let of = |counts: &HashMap<Uuid, u64>| counts.get(&workspace).copied().unwrap_or(0);
        (self.global + of(&self.more)).saturating_sub(of(&self.fewer))
    }
}
