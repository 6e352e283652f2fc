//! Creates, updates and deletes servers.

use crate::access::changes;
use crate::configuration::costs::{Affected, KnownClients};
use crate::configuration::enqueue::enqueue;
use crate::configuration::impact::ImpactTracker;
use crate::configuration::layers::{ServerLayers, ServerScope};
use crate::configuration::mapped_secrets;
use crate::configuration::mapped_secrets::{MappingOwner, ReadMappings, mappings_of};
use crate::configuration::revision_rows::add_revision;
use crate::configuration::save::Saved;
use crate::lookup::deleted::Deleted;
use crate::lookup::free_slug::SlugSpace;
use crate::lookup::integrations::access_enabled;
use crate::lookup::servers::{ServerRef, find};
use crate::lookup::slugs::{insert_unique, show};
use crate::lookup::{free_slug, integrations, naming, workspaces};
use crate::pagination::Page;
use crate::secrets::markers::{sealed_ids, store};
use crate::servers::Servers;
use crate::servers::crud::{NewServer, Server, ServerChange, into_server};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, organisation, server, workspace};
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use serde_json::Value;

impl Servers<'_> {
    /// Creates a server. Its registration is due immediately.
    pub async fn create(self, actor: &Actor, new: NewServer) -> Result<Saved<Server>> {
        actor.require(Permission::CreateServers)?;
        let mut new = new;
        let read =
            self.registry.configurations().read_mappings(std::mem::take(&mut new.secret_mappings)).await;
        let mut write = self.registry.begin_write(actor).await?;
        let made = self.create_in(&mut write, actor, new, Some(read)).await?;
        let brief = self.brief(&write.txn, made.model.id).await?;
        let mapped =
            mappings_of(&write.txn, [made.model.id]).await?.remove(&made.model.id).unwrap_or_default();
        let value = into_server(made.model, &made.integration, &made.workspace, brief, mapped)?;
        write.commit().await?;
        Ok(Saved { value, findings: made.findings, affected: made.affected, rollout: None })
    }

    /// As [`Self::create`], inside an open write whose caller has checked the permission.
    pub(crate) async fn create_in(
        self,
        write: &mut Write<'_>,
        actor: &Actor,
        new: NewServer,
        read: Option<ReadMappings>,
    ) -> Result<CreatedServer> {
        let name = naming::name(&new.name, "/name")?;
        let description = naming::description(new.description)?;
        let workspace = match (&new.workspace, actor.workspace()) {
            (Some(reference), _) => workspaces::find(&write.txn, actor, reference).await?,
            (None, Some(own)) => workspaces::find(&write.txn, actor, &own.into()).await?,
            (None, None) => {
                return Err(Error::invalid(Finding::error(
                    "/workspace_id",
                    "missing_member",
                    "Say in `workspace_id` (id or slug) in which workspace the server shall be.",
                )));
            }
        };
        let integration = usable_integration(write, actor, &new.integration, &workspace).await?;
        let workspace_id = WorkspaceId(workspace.id);
        let slug =
            free_slug::slug(&write.txn, SlugSpace::ServersOf(workspace_id), new.slug.as_deref(), &name)
                .await?;
        let id = self.registry.new_id();
        let stored = store(
            write,
            OwnerKind::Server.with_id(id),
            "/configurations",
            new.configuration.as_deref(),
            None,
            false,
        )
        .await?;
        let model = server::Model {
            id,
            integration_id: integration.id,
            workspace_id: workspace.id,
            slug: slug.to_string(),
            slug_key: slug.key(),
            name,
            description,
            configuration_revision: i64::from(stored.text.is_some()),
            configuration: stored.text.clone(),
            version: 1,
            created_at: write.millis(),
            updated_at: write.millis(),
            created_by: write.actor_name(),
            updated_by: write.actor_name(),
            deleted_at: None,
            organisation_revision: newest_organisation_revision(&write.txn).await?,
        };
        let before = ImpactTracker::capture(write, ServerScope::Server(ServerId(id))).await?;
        insert_unique(model.clone().into_active_model().reset_all().insert(&write.txn).await, &slug)?;
        if stored.text.is_some() {
            add_revision(write, OwnerKind::Server.with_id(id), 1, stored.text, None, None).await?;
        }
        let owner = MappingOwner::server(&write.txn, &model, &integration).await?;
        mapped_secrets::apply(write, &owner, read).await?;
        write.audit(event(AuditAction::ServerCreated, &model).after(snapshot(&model)));
        let affected = before.apply(write, "/configurations", "server created").await?.affected;
        Ok(CreatedServer { model, integration, workspace, findings: stored.findings, affected })
    }

    /// Updates a server.
    pub async fn update(
        self,
        actor: &Actor,
        reference: &ServerRef,
        change: ServerChange,
        expected_version: Option<i64>,
    ) -> Result<Saved<Server>> {
        actor.require(Permission::UpdateServers)?;
        let read = self.registry.configurations().read_changed(change.secret_mappings).await;
        let mut write = self.registry.begin_write(actor).await?;
        let model = find(&write.txn, actor, reference).await?;
        naming::expect_version(expected_version, model.version)?;
        let before = ImpactTracker::capture(&write, ServerScope::Server(ServerId(model.id)))
            .await?
            .with_replacements(change.replacements);
        let mut after = model.clone();
        if let Some(name) = change.name {
            after.name = naming::name(&name, "/name")?;
        }
        if let Some(description) = change.description.change() {
            after.description = naming::description(description)?;
        }
        let mut findings = Findings::default();
        if let Some(text) = change.configuration.change() {
            let owner = OwnerKind::Server.with_id(model.id);
            let stored = store(
                &mut write,
                owner,
                "/configurations",
                text.as_deref(),
                model.configuration.as_deref(),
                false,
            )
            .await?;
            findings = stored.findings;
            if stored.text != model.configuration {
                after.configuration_revision += 1;
                let number = after.configuration_revision;
                add_revision(&write, owner, number, stored.text.clone(), change.note, None).await?;
            }
            after.configuration = stored.text;
        }
        let integration = integration::Entity::find_by_id(model.integration_id).one(&write.txn).await?;
        let integration = integration.ok_or_else(|| Error::corrupt("server", "integration_id", model.id))?;
        let owner = MappingOwner::server(&write.txn, &after, &integration).await?;
        let remapped = mapped_secrets::apply(&mut write, &owner, read).await?;
        let mut affected = Affected::default();
        if after != model || remapped {
            after.version += 1;
            after.updated_at = write.millis();
            after.updated_by = write.actor_name();
            after.clone().into_active_model().reset_all().update(&write.txn).await?;
            write.audit(
                event(AuditAction::ServerUpdated, &after).before(snapshot(&model)).after(snapshot(&after)),
            );
            affected = before.apply(&mut write, "/configurations", "server saved").await?.affected;
        }
        let page = self.show(&write.txn, Page { items: vec![after], total: 1 }).await?;
        write.commit().await?;
        let value = page
            .items
            .into_iter()
            .next()
            .ok_or_else(|| Error::not_found("server", show(&reference.server)))?;
        Ok(Saved { value, findings, affected, rollout: None })
    }

    /// Deletes a server; its client is withdrawn upstream.
    pub async fn delete(
        self,
        actor: &Actor,
        reference: &ServerRef,
        expected_version: Option<i64>,
    ) -> Result<Deleted> {
        actor.require(Permission::DeleteServers)?;
        let mut write = self.registry.begin_write(actor).await?;
        let model = find(&write.txn, actor, reference).await?;
        naming::expect_version(expected_version, model.version)?;
        let mut deleted = Deleted::default();
        delete_all(&mut write, ServerScope::Server(ServerId(model.id)), &mut deleted).await?;
        write.commit().await?;
        Ok(deleted)
    }
}

/// A server that was just created, with its integration and workspace.
pub(crate) struct CreatedServer {
    model: server::Model,
    integration: integration::Model,
    workspace: workspace::Model,
    findings: Findings,
    pub(crate) affected: Affected,
}

/// The revision of the organisation's layer that new servers have.
async fn newest_organisation_revision(db: &impl ConnectionTrait) -> Result<i64> {
    let row = organisation::Entity::find().one(db).await?;
    Ok(row.map_or(0, |row| row.configuration_revision))
}

/// The integration a server is made of, once it is sure that the workspace may use it.
async fn usable_integration(
    write: &mut Write<'_>,
    actor: &Actor,
    reference: &Reference,
    workspace: &workspace::Model,
) -> Result<integration::Model> {
    let missing = || Error::not_found("integration", show(reference));
    let model = integrations::by_reference(&write.txn, reference).await?.ok_or_else(missing)?;
    let row = crate::storage::entity::access::Entity::find()
        .filter(crate::storage::entity::access::Column::IntegrationId.eq(model.id))
        .filter(crate::storage::entity::access::Column::WorkspaceId.eq(workspace.id))
        .one(&write.txn)
        .await?;
    if access_enabled(&model, row.as_ref(), WorkspaceId(workspace.id)) {
        return Ok(model);
    }
    if model.workspace_id.is_some() {
        // Another workspace's own: this workspace may not know of it.
        return Err(missing());
    }
    if actor.workspace().is_some() || actor.role() != registry_core::permission::Role::Admin {
        return Err(Error::Forbidden {
            needed: Permission::CreateServers,
            message: format!(
                "The workspace `{}` has no access to this integration. Ask an organisation admin to switch it on.",
                workspace.slug
            ),
        });
    }
    // A key with the scope to create servers may not grant access.
    actor.require(Permission::UpdateIntegrations)?;
    changes::grant(write, actor, &model, workspace).await?;
    Ok(model)
}

/// Rows of one statement: `SQLite` allows 32,766 parameters.
const MAX_ROWS_PER_STATEMENT: usize = 1_000;

/// Deletes every live server in `scope` and counts the deleted rows.
pub(crate) async fn delete_all(
    write: &mut Write<'_>,
    scope: ServerScope<'_>,
    deleted: &mut Deleted,
) -> Result<()> {
    let servers = write.registry.configurations().load(&write.txn, scope, false).await?;
    let known = KnownClients::of(&write.txn, &servers).await?;
    let with_registration: Vec<&ServerLayers> =
        servers.iter().filter(|layers| known.registration_and_client(layers).is_some()).collect();
    enqueue(write, &with_registration, &known, "server deleted".into()).await?;
    deleted.registrations += with_registration.len() as u64;
    for chunk in servers.chunks(MAX_ROWS_PER_STATEMENT) {
        let ids: Vec<_> = chunk.iter().map(|layers| layers.server.id).collect();
        let texts = chunk.iter().map(|layers| layers.server.configuration.as_deref());
        write.delete_sealed(texts.flat_map(|text| sealed_ids(text).into_values())).await?;
        mapped_secrets::remove_all(write, &ids).await?;
        server::Entity::update_many()
            .col_expr(server::Column::DeletedAt, Expr::value(write.millis()))
            .col_expr(server::Column::Version, Expr::col(server::Column::Version).add(1))
            .filter(server::Column::Id.is_in(ids))
            .exec(&write.txn)
            .await?;
    }
    for layers in servers {
        let model = layers.server;
        deleted.servers += 1;
        write.server_changed(WorkspaceId(model.workspace_id), ServerId(model.id));
        write.audit(event(AuditAction::ServerDeleted, &model).before(snapshot(&model)));
    }
    Ok(())
}

fn event(action: AuditAction, model: &server::Model) -> Event {
    Event::new(action, "server", model.id)
        .named(&model.slug)
        .in_workspace(Some(WorkspaceId(model.workspace_id)))
}

fn snapshot(model: &server::Model) -> Value {
    serde_json::json!({
        "slug": model.slug, "name": model.name, "description": model.description,
        "configurations": model.configuration,
    })
}
