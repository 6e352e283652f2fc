//! Workspaces: teams inside the organisation.

use crate::configuration::deletion::delete_under;
use crate::configuration::scope::LayerScope;
use crate::lookup::deleted::Deleted;
use crate::lookup::free_slug::SlugSpace;
use crate::lookup::slugs::{insert_unique, stored_slug};
use crate::lookup::workspaces::find;
use crate::lookup::{free_slug, naming};
use crate::pagination::{ListOrder, Page, PageRequest, Total};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{contains, moment};
use crate::storage::entity::{api_key, integration, membership, user, workspace};
use crate::storage::write::{Event, Write};
use crate::workspaces::Workspaces;
use crate::{Actor, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::id::WorkspaceId;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::slug::{Reference, Slug};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, IntoSimpleExpr,
    Order, QueryFilter,
};
use serde_json::json;

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name in URLs; never changes.
    pub slug: Slug,
    /// Display name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Counts its writes, for `If-Match`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Values of a new workspace.
#[derive(Clone, Debug, Default)]
pub struct NewWorkspace {
    /// 1 to 255 characters.
    pub name: String,
    /// Derived from the name when absent.
    pub slug: Option<String>,
    /// At most 500 characters.
    pub description: Option<String>,
}

/// A change; `None` leaves a member unchanged.
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
    /// The whole name.
    pub name: Option<String>,
}

impl Workspaces<'_> {
    /// Creates a workspace.
    pub async fn create(self, actor: &Actor, new: NewWorkspace) -> Result<Workspace> {
        actor.require_organisation(Permission::CreateWorkspaces)?;
        let name = naming::name(&new.name, "/name")?;
        let description = naming::description(new.description)?;
        let mut write = self.registry.begin_write(actor).await?;
        let slug = free_slug::slug(&write.txn, SlugSpace::Workspaces, new.slug.as_deref(), &name).await?;
        let model = workspace::Model {
            id: self.registry.new_id(),
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
        write.audit(event(AuditAction::WorkspaceCreated, &model).after(snapshot(&model)));
        // Integrations that are open to every workspace get their access row when it is first needed.
        write.commit().await?;
        model.try_into()
    }

    /// One workspace.
    pub async fn get(self, actor: &Actor, reference: &Reference) -> Result<Workspace> {
        actor.require(Permission::ReadWorkspaces)?;
        find(self.registry.db(), actor, reference).await?.try_into()
    }

    /// Workspaces by slug.
    pub async fn list(
        self,
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
        if let Some(name) = filter.name {
            select = select.filter(workspace::Column::Name.eq(name));
        }
        let db = self.registry.db();
        let order = ListOrder {
            terms: vec![(workspace::Column::SlugKey.into_simple_expr(), Order::Asc)],
            place: |row: &workspace::Model| (0, row.id),
        };
        let place = match request.cursor {
            None => None,
            Some(cursor) => {
                let row = workspace::Entity::find_by_id(cursor.id()).one(db).await?;
                Some(vec![row.ok_or_else(|| cursor.unknown())?.slug_key.into()])
            }
        };
        let db = &self.registry.list_db(actor);
        let found = pagination::fetch_ordered(db, select, &order, place, request, Total::Counted);
        found.await?.try_map(TryInto::try_into)
    }

    /// Changes a workspace.
    pub async fn update(
        self,
        actor: &Actor,
        reference: &Reference,
        change: WorkspaceChange,
        expected_version: Option<i64>,
    ) -> Result<Workspace> {
        actor.require_organisation(Permission::UpdateWorkspaces)?;
        let mut write = self.registry.begin_write(actor).await?;
        let before = find(&write.txn, actor, reference).await?;
        naming::expect_version(expected_version, before.version)?;
        let mut after = before.clone();
        if let Some(name) = change.name {
            after.name = naming::name(&name, "/name")?;
        }
        if let Some(description) = change.description.change() {
            after.description = naming::description(description)?;
        }
        if after != before {
            after.version += 1;
            after.updated_at = write.millis();
            after.updated_by = write.actor_name();
            after.clone().into_active_model().reset_all().update(&write.txn).await?;
            write.audit(
                event(AuditAction::WorkspaceUpdated, &after)
                    .before(snapshot(&before))
                    .after(snapshot(&after)),
            );
        }
        write.commit().await?;
        after.try_into()
    }

    /// Deletes a workspace with its integrations and servers; their clients are withdrawn upstream. Where there are many
    /// servers, a rollout deletes them afterwards; they count as deleted at once.
    pub async fn delete(
        self,
        actor: &Actor,
        reference: &Reference,
        expected_version: Option<i64>,
    ) -> Result<Deleted> {
        actor.require_organisation(Permission::DeleteWorkspaces)?;
        let id = WorkspaceId(find(self.registry.db(), actor, reference).await?.id);
        let scope = LayerScope::Workspace(id);
        let counted = self.registry.configurations().count_if_many(&scope).await?;
        let mut write = self.registry.begin_write(actor).await?;
        let model = find(&write.txn, actor, &Reference::Id(id.0)).await?;
        naming::expect_version(expected_version, model.version)?;
        let own = integration::Entity::find()
            .filter(integration::Column::WorkspaceId.eq(model.id))
            .filter(integration::Column::DeletedAt.is_null())
            .all(&write.txn)
            .await?;
        let mut deleted = delete_under(&mut write, &scope, counted, "workspace deleted").await?;
        deleted.integrations = own.len() as u64;
        for integration in own {
            crate::integrations::update::mark_deleted(&mut write, integration).await?;
        }
        revoke_identities(&mut write, id).await?;
        let mut gone = model.clone().into_active_model();
        gone.deleted_at = Set(Some(write.millis()));
        gone.version = Set(model.version + 1);
        gone.update(&write.txn).await?;
        write.audit(event(AuditAction::WorkspaceDeleted, &model).before(snapshot(&model)));
        write.commit().await?;
        Ok(deleted)
    }
}

/// Revokes the API keys and memberships of a deleted workspace: none of them may become unbound.
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

fn event(action: AuditAction, model: &workspace::Model) -> Event {
    Event::new(action, "workspace", model.id).named(&model.slug).in_workspace(Some(WorkspaceId(model.id)))
}

fn snapshot(model: &workspace::Model) -> serde_json::Value {
    json!({ "slug": model.slug, "name": model.name, "description": model.description })
}
