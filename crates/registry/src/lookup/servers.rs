//! Finds servers by id or slug.

use crate::lookup::slugs::show;
use crate::lookup::workspaces;
use crate::storage::entity::{rollout, server, workspace};
use crate::{Actor, ConflictCode, Error, Result};
use registry_core::id::{RegistrationId, WorkspaceId};
use registry_core::registration::State;
use registry_core::rollout::RolloutKind;
use registry_core::slug::{Reference, Slug};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

/// Short form of a server's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationBrief {
    /// Its id.
    pub id: RegistrationId,
    /// Its state.
    pub state: State,
    /// Whether there is an active, unexpired client.
    pub usable: bool,
}

/// How a caller names a server: a bare slug needs the workspace where several have it.
#[derive(Clone, Debug)]
pub struct ServerRef {
    /// Id or slug.
    pub server: Reference,
    /// Id or slug of the workspace.
    pub workspace: Option<Reference>,
}

/// Whether a server exists for callers: it is not deleted, and neither is its integration or its workspace. The servers of a
/// deleted integration or workspace are marked one after the other; until the last one is, a rollout of kind `deletion` is
/// open (INV-57). These are few, so the two lists are read once, whatever the number of servers.
pub(crate) fn is_live() -> Condition {
    Condition::all()
        .add(server::Column::DeletedAt.is_null())
        .add(server::Column::IntegrationId.not_in_subquery(in_deletion(rollout::Column::IntegrationId)))
        .add(server::Column::WorkspaceId.not_in_subquery(in_deletion(rollout::Column::WorkspaceId)))
}

/// What open deletions name in `column`.
fn in_deletion(column: rollout::Column) -> sea_orm::sea_query::SelectStatement {
    rollout::Entity::find()
        .select_only()
        .column(column)
        .filter(rollout::Column::Kind.eq(RolloutKind::Deletion.as_str()))
        .filter(rollout::Column::FinishedAt.is_null())
        .filter(column.is_not_null())
        .into_query()
}

/// The live server of this name, if `actor` may know of it.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    actor: &Actor,
    reference: &ServerRef,
) -> Result<server::Model> {
    let missing = || Error::not_found("server", show(&reference.server));
    let mut select = server::Entity::find().filter(is_live());
    if let Some(workspace) = &reference.workspace {
        let workspace = workspaces::find(db, actor, workspace).await?;
        select = select.filter(server::Column::WorkspaceId.eq(workspace.id));
    }
    if let Some(own) = actor.workspace() {
        select = select.filter(server::Column::WorkspaceId.eq(own.0));
    }
    select = match &reference.server {
        Reference::Id(id) => select.filter(server::Column::Id.eq(*id)),
        Reference::Slug(key) => select.filter(server::Column::SlugKey.eq(key)),
    };
    let found = select.find_also_related(workspace::Entity).all(db).await?;
    if found.len() > 1 {
        let mut names: Vec<_> =
            found.iter().filter_map(|(_, workspace)| workspace.as_ref()).map(|w| &*w.slug).collect();
        names.sort_unstable();
        return Err(Error::Conflict {
            code: ConflictCode::AmbiguousSlug,
            message: format!(
                "Several workspaces have a server `{}`: {}. Say which with `workspace_id`.",
                show(&reference.server),
                names.join(", ")
            ),
            pointer: None,
        });
    }
    found.into_iter().next().map(|(model, _)| model).ok_or_else(missing)
}

/// Whether `slug` is taken in a workspace's servers.
pub(crate) async fn server_slug_taken(
    db: &impl ConnectionTrait,
    workspace: WorkspaceId,
    slug: &Slug,
) -> Result<bool> {
    Ok(server::Entity::find()
        .filter(server::Column::WorkspaceId.eq(workspace.0))
        .filter(server::Column::SlugKey.eq(slug.key()))
        .filter(is_live())
        .one(db)
        .await?
        .is_some())
}
