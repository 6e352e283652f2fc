//! Updates and deletes servers.

use crate::configuration::costs::Affected;
use crate::configuration::deletion::{delete_all, event, snapshot};
use crate::configuration::impact::ImpactTracker;
use crate::configuration::layers::ServerScope;
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
use crate::secrets::markers::store;
use crate::servers::Servers;
use crate::servers::crud::{Server, ServerChange};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, server};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::finding::Findings;
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::permission::Permission;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

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
        let deleted = delete_all(&mut write, ServerScope::Server(ServerId(model.id))).await?;
        write.commit().await?;
        Ok(deleted)
    }
}
