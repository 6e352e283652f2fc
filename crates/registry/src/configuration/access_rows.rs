//! Rows of workspace access, which hold the workspace layer.

use crate::lookup::{integrations, workspaces};
use crate::storage::entity::{access, integration, workspace};
use crate::{Actor, Error, Registry, Result};
use registry_core::slug::Reference;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

/// The access row of a workspace, or one with version 0 that says what holds without a row.
pub(crate) async fn find_or_blank(
    registry: &Registry,
    db: &impl ConnectionTrait,
    model: &integration::Model,
    workspace: &workspace::Model,
) -> Result<access::Model> {
    let row = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .filter(access::Column::WorkspaceId.eq(workspace.id))
        .one(db)
        .await?;
    Ok(row.unwrap_or_else(|| blank(registry, model, workspace)))
}

/// A row with version 0 that says what holds without a row.
pub(crate) fn blank(
    registry: &Registry,
    model: &integration::Model,
    workspace: &workspace::Model,
) -> access::Model {
    access::Model {
        id: registry.new_id(),
        integration_id: model.id,
        workspace_id: workspace.id,
        // `None`: the global access of the integration applies.
        enabled: None,
        configuration: None,
        configuration_revision: 0,
        version: 0,
        created_at: crate::storage::columns::millis(registry.now()),
        updated_at: crate::storage::columns::millis(registry.now()),
        created_by: String::new(),
        updated_by: String::new(),
        by_slug: false,
    }
}

/// The row (perhaps a blank one) behind a workspace layer, if `actor` may know of it.
pub(crate) async fn find(
    registry: &Registry,
    db: &impl ConnectionTrait,
    actor: &Actor,
    integration: &Reference,
    workspace: &Reference,
) -> Result<access::Model> {
    let model = integrations::find(db, actor, integration).await?;
    let workspace = workspaces::find(db, actor, workspace).await?;
    if model.workspace_id.is_some_and(|owner| owner != workspace.id) {
        return Err(Error::not_found("workspace", workspace.slug));
    }
    find_or_blank(registry, db, &model, &workspace).await
}
