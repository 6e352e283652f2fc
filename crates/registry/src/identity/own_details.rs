//! What a key or token is told of itself.

use crate::identity::Callers;
use crate::lookup::workspaces;
use crate::storage::entity::organisation;
use crate::{Actor, Error, Result, WorkspaceRef};
use registry_core::slug::Reference;
use sea_orm::EntityTrait;
use uuid::Uuid;

/// The place of a caller.
#[derive(Debug)]
pub struct OwnDetails {
    /// Id of the organisation.
    pub organisation_id: Uuid,
    /// Name of the organisation.
    pub organisation_name: String,
    /// The workspace that the caller is bound to; `None`: none.
    pub workspace: Option<WorkspaceRef>,
}

impl Callers<'_> {
    /// The organisation and the workspace of `actor`. Every caller may know its own.
    pub async fn own_details(self, actor: &Actor) -> Result<OwnDetails> {
        let db = self.registry.db();
        let organisation = organisation::Entity::find()
            .one(db)
            .await?
            .ok_or_else(|| Error::not_found("organisation", ""))?;
        let workspace = match actor.workspace() {
            Some(id) => Some(workspaces::as_ref(&workspaces::find(db, actor, &Reference::Id(id.0)).await?)?),
            None => None,
        };
        Ok(OwnDetails { organisation_id: organisation.id, organisation_name: organisation.name, workspace })
    }
}
