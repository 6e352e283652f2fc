//! Workspaces: teams inside the organisation.

use crate::entity::{api_key, integration, membership, server, user, workspace};
use crate::layers::Scope;
use crate::names::{self, SlugSpace};
use crate::page::{self, Page, PageRequest};
use crate::stored::{contains, moment};
use crate::write::{Event, Write};
use crate::{Actor, Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::WorkspaceId;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::slug::{Reference, Slug};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder,
};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name in URLs; never changes.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Counts its writes, for `If-Match`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A workspace as other things name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceRef {
    /// Its id.
    pub id: WorkspaceId,
    /// Its slug.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
}

/// What is needed to make a workspace.
#[derive(Clone, Debug, Default)]
pub struct NewWorkspace {
    /// 1 to 255 characters.
    pub name: String,
    /// Made from the name when absent.
    pub slug: Option<String>,
    /// At most 500 characters.
    pub description: Option<String>,
}

/// What to change; `None` leaves a member as it is.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceChange {
    /// 1 to 255 characters.
    pub name: Option<String>,
    /// At most 500 characters.
    pub description: Patch<String>,
}

/// Which workspaces to list.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceFilter {
    /// Part of name or slug, ignoring case.
    pub search: Option<String>,
}

/// What a deletion took along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Integrations of the deleted workspace.
    pub integrations: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations whose clients will be withdrawn.
    pub registrations: u64,
}

impl Registry {
    /// Makes a workspace.
    pub async fn create_workspace(&self, actor: &Actor, new: NewWorkspace) -> Result<Workspace> {
        actor.require_organisation(Permission::CreateWorkspaces)?;
        let name = names::name(&new.name, "/name")?;
        let description = names::description(new.description)?;
        let mut write = self.begin_write(actor).await?;
        let slug = names::slug(&write.txn, SlugSpace::Workspaces, new.slug.as_deref(), &name).await?;
        let model = workspace::Model {
            id: self.new_id(),
            slug: slug.to_string(),
            slug_key: slug.key(),
            name,
            description,
            version: 1,
            created_at: write.millis(),
            updated_at: write.millis(),
            created_by: write.actor_name(),
            updated_by: write.actor_name(),
            deleted_at: None,
        };
        insert_unique(model.clone().into_active_model().reset_all().insert(&write.txn).await, &slug)?;
        write.audit(event("workspace.created", &model).after(snapshot(&model)));
        // Integrations that are open to every workspace get their access row when it is first needed.
        write.commit().await?;
        model.try_into()
    }

    /// One workspace.
    pub async fn workspace(&self, actor: &Actor, reference: &Reference) -> Result<Workspace> {
        actor.require(Permission::ReadWorkspaces)?;
        find(self.db(), actor, reference).await?.try_into()
    }

    /// Workspaces by name.
    pub async fn workspaces(
        &self,
        actor: &Actor,
        filter: WorkspaceFilter,
        request: PageRequest,
    ) -> Result<Page<Workspace>> {
        actor.require(Permission::ListWorkspaces)?;
        let mut select = workspace::Entity::find().filter(workspace::Column::DeletedAt.is_null());
        if let Some(own) = actor.workspace() {
            select = select.filter(workspace::Column::Id.eq(own.0));
        }
        if let Some(text) = filter.search.filter(|text| !text.is_empty()) {
            select = select.filter(
                Condition::any()
                    .add(contains(workspace::Column::Name, &text))
                    .add(contains(workspace::Column::Slug, &text)),
            );
        }
        let select = select.order_by_asc(workspace::Column::SlugKey);
        page::fetch(self.db(), select, request).await?.try_map(TryInto::try_into)
    }

    /// Changes a workspace.
    pub async fn update_workspace(
        &self,
        actor: &Actor,
        reference: &Reference,
        change: WorkspaceChange,
        expected_version: Option<i64>,
    ) -> Result<Workspace> {
        actor.require_organisation(Permission::UpdateWorkspaces)?;
        let mut write = self.begin_write(actor).await?;
        let before = find(&write.txn, actor, reference).await?;
        names::expect_version(expected_version, before.version)?;
        let mut after = before.clone();
        if let Some(name) = change.name {
            after.name = names::name(&name, "/name")?;
        }
        if let Some(description) = change.description.change() {
            after.description = names::description(description)?;
        }
        if after != before {
            after.version += 1;
            after.updated_at = write.millis();
            after.updated_by = write.actor_name();
            after.clone().into_active_model().reset_all().update(&write.txn).await?;
            write.audit(event("workspace.updated", &after).before(snapshot(&before)).after(snapshot(&after)));
        }
        write.commit().await?;
        after.try_into()
    }

    /// Deletes a workspace with its integrations and servers; their clients are withdrawn upstream.
    pub async fn delete_workspace(
        &self,
        actor: &Actor,
        reference: &Reference,
        expected_version: Option<i64>,
    ) -> Result<Deleted> {
        actor.require_organisation(Permission::DeleteWorkspaces)?;
        let mut write = self.begin_write(actor).await?;
        let model = find(&write.txn, actor, reference).await?;
        names::expect_version(expected_version, model.version)?;
        let id = WorkspaceId(model.id);
        let own = integration::Entity::find()
            .filter(integration::Column::WorkspaceId.eq(model.id))
            .filter(integration::Column::DeletedAt.is_null())
            .all(&write.txn)
            .await?;
        let mut deleted = Deleted { integrations: own.len() as u64, ..Deleted::default() };
        crate::servers::delete_all(&mut write, Scope::Workspace(id), &mut deleted).await?;
        for integration in own {
            crate::integration_changes::mark_deleted(&mut write, integration).await?;
        }
        revoke_identities(&mut write, id).await?;
        let mut gone = model.clone().into_active_model();
        gone.deleted_at = Set(Some(write.millis()));
        gone.version = Set(model.version + 1);
        gone.update(&write.txn).await?;
        write.audit(event("workspace.deleted", &model).before(snapshot(&model)));
        write.commit().await?;
        Ok(deleted)
    }
}

/// Keys and people bound to a workspace that goes away must not come to be bound to nothing.
async fn revoke_identities(write: &mut Write<'_>, workspace: WorkspaceId) -> Result<()> {
    use sea_orm::sea_query::Expr;
    let now = write.millis();
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(now))
        .filter(api_key::Column::WorkspaceId.eq(workspace.0))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&write.txn)
        .await?;
    let members = membership::Entity::delete_many().filter(membership::Column::WorkspaceId.eq(workspace.0));
    members.exec(&write.txn).await?;
    user::Entity::update_many()
        .col_expr(user::Column::WorkspaceId, Expr::value(None::<uuid::Uuid>))
        .filter(user::Column::WorkspaceId.eq(workspace.0))
        .exec(&write.txn)
        .await?;
    write.identities_changed();
    Ok(())
}

/// The live workspace of this name, whoever asks.
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

/// A reference as the caller wrote it.
pub(crate) fn show(reference: &Reference) -> String {
    match reference {
        Reference::Id(id) => id.to_string(),
        Reference::Slug(slug) => slug.clone(),
    }
}

/// A unique violation on insert is a slug that somebody took a moment ago.
pub(crate) fn insert_unique<T>(result: std::result::Result<T, sea_orm::DbErr>, slug: &Slug) -> Result<T> {
    result.map_err(|error| match error.sql_err() {
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => names::slug_taken(slug),
        _ => error.into(),
    })
}

/// A stored slug; rows hold only judged ones.
pub(crate) fn stored_slug(text: &str, table: &'static str, row: uuid::Uuid) -> Result<Slug> {
    Slug::parse(text).map_err(|_| Error::corrupt(table, "slug", row))
}

pub(crate) fn as_ref(model: &workspace::Model) -> Result<WorkspaceRef> {
    Ok(WorkspaceRef {
        id: WorkspaceId(model.id),
        slug: stored_slug(&model.slug, "workspace", model.id)?,
        name: model.name.clone(),
    })
}

impl TryFrom<workspace::Model> for Workspace {
    type Error = Error;
    fn try_from(model: workspace::Model) -> Result<Self> {
        Ok(Self {
            id: WorkspaceId(model.id),
            slug: stored_slug(&model.slug, "workspace", model.id)?,
            name: model.name,
            description: model.description,
            version: model.version,
            created_at: moment(model.created_at),
            updated_at: moment(model.updated_at),
        })
    }
}

fn event(action: &'static str, model: &workspace::Model) -> Event {
    Event::new(action, "workspace", model.id).named(&model.slug).in_workspace(Some(WorkspaceId(model.id)))
}

fn snapshot(model: &workspace::Model) -> serde_json::Value {
    json!({ "slug": model.slug, "name": model.name, "description": model.description })
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
        .filter(server::Column::DeletedAt.is_null())
        .one(db)
        .await?
        .is_some())
}
