//! Lists which workspaces may use an integration.

use crate::access::IntegrationAccess;
use crate::lookup::integrations::access_enabled;
use crate::lookup::workspaces::WorkspaceRef;
use crate::lookup::{integrations, workspaces};
use crate::storage::columns::moment;
use crate::storage::entity::{access, integration, server, workspace};
use crate::{Actor, Result};
use registry_core::clock::Timestamp;
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// What one workspace may do with an integration.
#[derive(Clone, Debug)]
pub struct Access {
    /// The workspace.
    pub workspace: WorkspaceRef,
    /// Whether it may use the integration.
    pub enabled: bool,
    /// The workspace layer, as the user wrote it, secrets replaced by markers.
    pub configuration: Option<String>,
    /// Version of its row, for `If-Match`; 0 while it has none.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Servers of the integration in this workspace.
    pub servers: u64,
    /// Whether the API last named the workspace here by its slug.
    pub by_slug: bool,
}

/// Who may use an integration.
#[derive(Clone, Debug)]
pub struct AccessList {
    /// Whether workspaces without a row of their own may use it.
    pub global_access: bool,
    /// Every workspace that may use it or has a row, by slug, as far as the caller may see.
    pub workspaces: Vec<Access>,
}

impl IntegrationAccess<'_> {
    /// Who may use an integration.
    pub async fn list(self, actor: &Actor, reference: &Reference) -> Result<AccessList> {
        actor.require(Permission::ReadIntegrations)?;
        let model = integrations::find(self.registry.db(), actor, reference).await?;
        list(self.registry.db(), actor, &model).await
    }
}

pub(crate) async fn list(
    db: &impl ConnectionTrait,
    actor: &Actor,
    model: &integration::Model,
) -> Result<AccessList> {
    let mut rows: HashMap<Uuid, access::Model> = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .all(db)
        .await?
        .into_iter()
        .map(|row| (row.workspace_id, row))
        .collect();
    let servers: Vec<(Uuid, i64)> = server::Entity::find()
        .select_only()
        .column(server::Column::WorkspaceId)
        .column_as(server::Column::Id.count(), "count")
        .filter(server::Column::IntegrationId.eq(model.id))
        .filter(server::Column::DeletedAt.is_null())
        .group_by(server::Column::WorkspaceId)
        .into_tuple()
        .all(db)
        .await?;
    let servers: HashMap<Uuid, u64> =
        servers.into_iter().map(|(id, count)| (id, count.unsigned_abs())).collect();
    let all = workspace::Entity::find()
        .filter(workspace::Column::DeletedAt.is_null())
        .order_by_asc(workspace::Column::SlugKey)
        .all(db)
        .await?;
    let mut found = Vec::new();
    for workspace in all.iter().filter(|workspace| actor.sees(WorkspaceId(workspace.id))) {
        let row = rows.remove(&workspace.id);
        let enabled = access_enabled(model, row.as_ref(), WorkspaceId(workspace.id));
        if row.is_none() && !enabled {
            continue;
        }
        let created = row.as_ref().map_or(model.created_at, |row| row.created_at);
        let updated = row.as_ref().map_or(model.updated_at, |row| row.updated_at);
        found.push(Access {
            workspace: workspaces::as_ref(workspace)?,
            enabled,
            version: row.as_ref().map_or(0, |row| row.version),
            by_slug: row.as_ref().is_some_and(|row| row.by_slug),
            configuration: row.and_then(|row| row.configuration),
            created_at: moment(created),
            updated_at: moment(updated),
            servers: servers.get(&workspace.id).copied().unwrap_or(0),
        });
    }
    Ok(AccessList { global_access: model.global_access, workspaces: found })
}
