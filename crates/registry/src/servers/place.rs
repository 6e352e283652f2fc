//! Where a new server goes: its workspace, its integration, and whether the one may use the other.

use crate::access::changes;
use crate::lookup::integrations::access_enabled;
use crate::lookup::slugs::show;
use crate::lookup::workspaces;
use crate::servers::crud::NewServer;
use crate::storage::entity::{access, integration, organisation, rollout, secret_mapping, workspace};
use crate::storage::joined::columns;
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::finding::Finding;
use registry_core::id::WorkspaceId;
use registry_core::permission::{Permission, Role};
use registry_core::rollout::RolloutKind;
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, FromQueryResult, QueryResult};
use uuid::Uuid;

/// Everything that a new server's metadata are resolved from, but its own layer.
pub(super) struct Place {
    pub(super) integration: integration::Model,
    pub(super) workspace: workspace::Model,
    pub(super) organisation: organisation::Model,
    pub(super) access: Option<access::Model>,
    /// Whether members of the integration's layer come from the operator's secrets.
    pub(super) is_mapped: bool,
    /// Whether servers of deleted integrations and workspaces may not be deleted yet.
    pub(super) has_open_deletions: bool,
}

impl Place {
    /// The place that `new` names, once it is sure that the workspace may use the integration. An organisation's admin
    /// grants the access with it.
    pub(super) async fn find(write: &mut Write<'_>, actor: &Actor, new: &NewServer) -> Result<Self> {
        let workspace = match (&new.workspace, actor.workspace()) {
            (Some(reference), _) => reference.clone(),
            (None, Some(own)) => own.into(),
            (None, None) => {
                return Err(Error::invalid(Finding::error(
                    "/workspace_id",
                    "missing_member",
                    "Say in `workspace_id` (id or slug) in which workspace the server shall be.",
                )));
            }
        };
        let missing = || Error::not_found("integration", show(&new.integration));
        let found = Self::read(write, &workspace, &new.integration).await?;
        let Some(place) = found.filter(|place| actor.sees(WorkspaceId(place.workspace.id))) else {
            // Says which of the two is not there.
            workspaces::find(&write.txn, actor, &workspace).await?;
            return Err(missing());
        };
        let of_workspace = WorkspaceId(place.workspace.id);
        if access_enabled(&place.integration, place.access.as_ref(), of_workspace) {
            return Ok(place);
        }
        if place.integration.workspace_id.is_some() {
            // Another workspace's own: this workspace may not know of it.
            return Err(missing());
        }
        if actor.workspace().is_some() || actor.role() != Role::Admin {
            return Err(Error::Forbidden {
                needed: Permission::CreateServers,
                message: format!(
                    "The workspace `{}` has no access to this integration. Ask an organisation admin to switch it on.",
                    place.workspace.slug
                ),
            });
        }
        // A key with the scope to create servers may not grant access.
        actor.require(Permission::UpdateIntegrations)?;
        write.lock_workspace(of_workspace).await?;
        changes::grant(write, actor, &place.integration, &place.workspace).await?;
        Self::read(write, &workspace, &new.integration).await?.ok_or_else(missing)
    }

    async fn read(write: &Write<'_>, workspace: &Reference, integration: &Reference) -> Result<Option<Self>> {
        let row = write.txn.query_one(&statement(workspace, integration)).await?;
        Ok(row.map(|row| Self::of_row(&row)).transpose()?)
    }

    fn of_row(row: &QueryResult) -> std::result::Result<Self, DbErr> {
        let access: Option<Uuid> = row.try_get(ACCESS, "id")?;
        Ok(Self {
            integration: integration::Model::from_query_result(row, INTEGRATION)?,
            workspace: workspace::Model::from_query_result(row, WORKSPACE)?,
            organisation: organisation::Model::from_query_result(row, ORGANISATION)?,
            access: access.map(|_| access::Model::from_query_result(row, ACCESS)).transpose()?,
            is_mapped: row.try_get::<i64>("", MAPPINGS)? > 0,
            has_open_deletions: row.try_get::<i64>("", DELETIONS)? > 0,
        })
    }
}

/// The prefixes of the columns of each table, and the names of the counts of mappings and of open deletions.
const INTEGRATION: &str = "i_";
const WORKSPACE: &str = "w_";
const ORGANISATION: &str = "o_";
const ACCESS: &str = "a_";
const MAPPINGS: &str = "mappings";
const DELETIONS: &str = "deletions";

fn statement(workspace: &Reference, integration: &Reference) -> SelectStatement {
    use {access::Column as A, integration::Column as I, workspace::Column as W};
    let is_integration = match integration {
        Reference::Id(id) => I::Id.eq(*id),
        Reference::Slug(key) => I::SlugKey.eq(key),
    };
    let is_workspace = match workspace {
        Reference::Id(id) => W::Id.eq(*id),
        Reference::Slug(key) => W::SlugKey.eq(key),
    };
    let of_both = Expr::col(A::IntegrationId.as_column_ref())
        .eq(Expr::col(I::Id.as_column_ref()))
        .and(Expr::col(A::WorkspaceId.as_column_ref()).eq(Expr::col(W::Id.as_column_ref())));
    let mappings = Query::select()
        .expr(Expr::col(secret_mapping::Column::OwnerId.as_column_ref()).count())
        .from(secret_mapping::Entity)
        .and_where(
            Expr::col(secret_mapping::Column::OwnerId.as_column_ref()).eq(Expr::col(I::Id.as_column_ref())),
        )
        .take();
    let mut select = Query::select();
    let deletions = Query::select()
        .expr(Expr::col(rollout::Column::Id.as_column_ref()).count())
        .from(rollout::Entity)
        .and_where(rollout::Column::Kind.eq(RolloutKind::Deletion.as_str()))
        .and_where(rollout::Column::FinishedAt.is_null())
        .take();
    for (name, count) in [(MAPPINGS, mappings), (DELETIONS, deletions)] {
        select.expr_as(SimpleExpr::SubQuery(None, Box::new(count.into())), name);
    }
    columns::<integration::Entity>(&mut select, INTEGRATION);
    columns::<workspace::Entity>(&mut select, WORKSPACE);
    columns::<organisation::Entity>(&mut select, ORGANISATION);
    columns::<access::Entity>(&mut select, ACCESS);
    let always = || Expr::val(1).eq(1);
    select
        .from(integration::Entity)
        .join(JoinType::InnerJoin, workspace::Entity, is_workspace.and(W::DeletedAt.is_null()))
        .join(JoinType::InnerJoin, organisation::Entity, always())
        .join(JoinType::LeftJoin, access::Entity, of_both)
        .and_where(is_integration)
        .and_where(I::DeletedAt.is_null());
    select
}
