//! Updates and deletes servers.

use crate::configuration::costs::{Affected, KnownClients};
use crate::configuration::enqueue::enqueue;
use crate::configuration::impact::ImpactTracker;
use crate::configuration::layers::{ServerLayers, ServerScope};
use crate::configuration::mapped_secrets;
use crate::configuration::mapped_secrets::MappingOwner;
use crate::configuration::revision_rows::add_revision;
use crate::configuration::save::Saved;
use crate::configuration::scope::LayerScope;
use crate::lookup::deleted::Deleted;
use crate::lookup::naming;
use crate::lookup::servers::{ServerRef, find};
use crate::lookup::slugs::show;
use crate::pagination::Page;
use crate::secrets::markers::{sealed_ids, store};
use crate::servers::Servers;
use crate::servers::crud::{Server, ServerChange};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, server};
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, MAX_ROWS_PER_STATEMENT, Write};
use crate::{Actor, Error, Result};
use registry_core::finding::Findings;
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::permission::Permission;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::Value;

impl<'a> Servers<'a> {
    /// Begins a write of one server in its workspace, and reads the server in it.
    async fn begin(self, actor: &Actor, reference: &ServerRef) -> Result<(Write<'a>, server::Model)> {
        // A server never changes its workspace.
        let workspace = find(self.registry.db(), actor, reference).await?.workspace_id;
        let write = self.registry.begin_workspace_write(actor).await?;
        write.lock_workspace(WorkspaceId(workspace)).await?;
        let model = find(&write.txn, actor, reference).await?;
        Ok((write, model))
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
        let (mut write, model) = self.begin(actor, reference).await?;
        naming::expect_version(expected_version, model.version)?;
        let before = ImpactTracker::capture(&write, LayerScope::Server(ServerId(model.id)))
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
        let page = self.show(&write.txn, Page::whole(vec![after])).await?;
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
        let (mut write, model) = self.begin(actor, reference).await?;
        naming::expect_version(expected_version, model.version)?;
        let mut deleted = Deleted::default();
        delete_all(&mut write, ServerScope::Server(ServerId(model.id)), &mut deleted).await?;
        write.commit().await?;
        Ok(deleted)
    }
}

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

pub(super) fn event(action: AuditAction, model: &server::Model) -> Event {
    Event::new(action, "server", model.id)
        .named(&model.slug)
        .in_workspace(Some(WorkspaceId(model.workspace_id)))
}

pub(super) fn snapshot(model: &server::Model) -> Value {
    serde_json::json!({
        "slug": model.slug, "name": model.name, "description": model.description,
        "configurations": model.configuration,
    })
}
