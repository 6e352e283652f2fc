//! Finds workspaces by id or slug.

use crate::lookup::slugs::{show, stored_slug};
use crate::storage::entity::workspace;
use crate::{Actor, Error, Result};
use registry_core::id::WorkspaceId;
use registry_core::slug::{Reference, Slug};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use std::collections::{BTreeSet, HashMap};

/// Short form of a workspace, embedded in other results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceRef {
    /// Its id.
    pub id: WorkspaceId,
    /// Its slug.
    pub slug: Slug,
    /// Display name.
    pub name: String,
}

/// The live workspace of this name, without a visibility check.
pub(crate) async fn by_reference(
    db: &impl ConnectionTrait,
    reference: &Reference,
) -> Result<Option<workspace::Model>> {
    let select = workspace::Entity::find().filter(workspace::Column::DeletedAt.is_null());
    let select = match reference {
        Reference::Id(id) => select.filter(workspace::Column::Id.eq(*id)),
        Reference::Slug(key) => select.filter(workspace::Column::SlugKey.eq(key)),
    };
    Ok(select.one(db).await?)
}

/// The live workspace of this name, if `actor` may know of it.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    actor: &Actor,
    reference: &Reference,
) -> Result<workspace::Model> {
    by_reference(db, reference)
        .await?
        .filter(|model| actor.sees(WorkspaceId(model.id)))
        .ok_or_else(|| Error::not_found("workspace", show(reference)))
}

/// The live workspaces of these names that `actor` may know of, with one query.
pub(crate) async fn find_all(
    db: &impl ConnectionTrait,
    actor: &Actor,
    references: &[&Reference],
) -> Result<HashMap<Reference, workspace::Model>> {
    let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for reference in references {
        match reference {
            Reference::Id(id) => drop(ids.insert(*id)),
            Reference::Slug(key) => drop(keys.insert(key.clone())),
        }
    }
    if ids.is_empty() && keys.is_empty() {
        return Ok(HashMap::new());
    }
    let found = workspace::Entity::find()
        .filter(workspace::Column::DeletedAt.is_null())
        .filter(
            Condition::any()
                .add(workspace::Column::Id.is_in(ids))
                .add(workspace::Column::SlugKey.is_in(keys)),
        )
        .all(db)
        .await?;
    let seen = found.into_iter().filter(|model| actor.sees(WorkspaceId(model.id)));
    Ok(seen
        .flat_map(|model| {
            let by_slug = Reference::Slug(model.slug_key.clone());
            [(Reference::Id(model.id), model.clone()), (by_slug, model)]
        })
        .collect())
}

pub(crate) fn as_ref(model: &workspace::Model) -> Result<WorkspaceRef> {
    Ok(WorkspaceRef {
        id: WorkspaceId(model.id),
        slug: stored_slug(&model.slug, "workspace", model.id)?,
        name: model.name.clone(),
    })
}
