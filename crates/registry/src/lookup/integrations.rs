//! Finds integrations by id or slug.

use crate::lookup::integrations;
use crate::lookup::slugs::{show, stored_slug};
use crate::storage::entity::{access, integration};
use crate::{Actor, Error, Result};
use registry_core::id::{IntegrationId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::{Reference, Slug};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

/// A caller bound to a workspace changes only that workspace's integrations.
pub(crate) fn require_owner(actor: &Actor, model: &integration::Model) -> Result<()> {
    if actor.workspace().is_some() && model.workspace_id != actor.workspace().map(|id| id.0) {
        return Err(Error::Forbidden {
            needed: Permission::UpdateIntegrations,
            message: "This integration belongs to the organisation. Change the workspace layer or a server instead, or ask an organisation admin.".to_owned(),
        });
    }
    Ok(())
}

pub(crate) async fn by_reference(
    db: &impl ConnectionTrait,
    reference: &Reference,
) -> Result<Option<integration::Model>> {
    let select = integration::Entity::find().filter(integration::Column::DeletedAt.is_null());
    let select = match reference {
        Reference::Id(id) => select.filter(integration::Column::Id.eq(*id)),
        Reference::Slug(key) => select.filter(integration::Column::SlugKey.eq(key)),
    };
    Ok(select.one(db).await?)
}

/// The live integration of this name, if `actor` may know of it.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    actor: &Actor,
    reference: &Reference,
) -> Result<integration::Model> {
    let missing = || Error::not_found("integration", show(reference));
    let model = by_reference(db, reference).await?.ok_or_else(missing)?;
    let Some(own) = actor.workspace() else { return Ok(model) };
    let row = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .filter(access::Column::WorkspaceId.eq(own.0))
        .one(db)
        .await?;
    if crate::lookup::integrations::access_enabled(&model, row.as_ref(), own) {
        Ok(model)
    } else {
        Err(missing())
    }
}

pub(crate) fn transport(model: &integration::Model) -> Result<Transport> {
    model.transport()
}

/// Whether a workspace may use an integration: its own always; another's never; an organisation-wide one by its
/// access row, or for all.
pub(crate) fn access_enabled(
    integration: &integration::Model,
    row: Option<&access::Model>,
    workspace: WorkspaceId,
) -> bool {
    match integration.workspace_id {
        Some(owner) => owner == workspace.0,
        None => row.and_then(|row| row.enabled).unwrap_or(integration.global_access),
    }
}

/// Short form of an integration, embedded in servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationRef {
    /// Its id.
    pub id: IntegrationId,
    /// Its slug.
    pub slug: Slug,
    /// Display name.
    pub name: String,
    /// The upstream MCP server's address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The MCP transport.
    pub transport: Transport,
}

pub(crate) fn integration_ref(model: &integration::Model) -> Result<IntegrationRef> {
    Ok(IntegrationRef {
        id: IntegrationId(model.id),
        slug: stored_slug(&model.slug, "integration", model.id)?,
        name: model.name.clone(),
        url: model.url.clone(),
        auth_type: model.auth_type()?,
        transport: integrations::transport(model)?,
    })
}
