//! Changes of integrations, what they cost, and their end.

use crate::configuration::deletion::delete_under;
use crate::configuration::impact::{Impact, ImpactTracker};
use crate::configuration::mapped_secrets;
use crate::configuration::mapped_secrets::{MappingOwner, ReadMappings};
use crate::configuration::revision_rows::add_revision;
use crate::configuration::rollout_rows::supersede;
use crate::configuration::save::Saved;
use crate::configuration::scope::LayerScope;
use crate::integrations::Integrations;
use crate::integrations::crud::{event, may_use_organisation_secrets, snapshot};
use crate::lookup::deleted::Deleted;
use crate::lookup::integrations::{find, require_owner};
use crate::lookup::naming;
use crate::lookup::servers::is_live;
use crate::secrets::markers::{sealed_ids, store};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{
    access, capability, integration, sealed_value, secret_mapping, server, server_info, workspace,
};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Actor, Error, Integration, IntegrationChange, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::IntegrationId;
use registry_core::permission::Permission;
use registry_core::rollout::RolloutKind;
use registry_core::slug::Reference;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, QueryTrait,
};

impl Integrations<'_> {
    /// Changes an integration.
    pub async fn update(
        self,
        actor: &Actor,
        reference: &Reference,
        change: IntegrationChange,
        expected_version: Option<i64>,
    ) -> Result<Saved<Integration>> {
        let mut change = change;
        let read = self.registry.configurations().read_changed(change.secret_mappings.take()).await;
        let mut write = self.registry.begin_write(actor).await?;
        let saved =
            self.change_integration(&mut write, actor, reference, change, read, expected_version).await?;
        write.commit().await?;
        Ok(saved)
    }

    /// What changing an integration would do: the same as [`Self::update_integration`], of which nothing is kept.
    pub async fn dry_run_update(
        self,
        actor: &Actor,
        reference: &Reference,
        change: IntegrationChange,
        expected_version: Option<i64>,
    ) -> Result<Saved<Integration>> {
        let mut change = change;
        let read = self.registry.configurations().read_changed(change.secret_mappings.take()).await;
        let mut write = self.registry.begin_write(actor).await?;
        self.change_integration(&mut write, actor, reference, change, read, expected_version).await
    }

    async fn change_integration(
        self,
        write: &mut Write<'_>,
        actor: &Actor,
        reference: &Reference,
        change: IntegrationChange,
        read: Option<ReadMappings>,
        expected_version: Option<i64>,
    ) -> Result<Saved<Integration>> {
        actor.require(Permission::UpdateIntegrations)?;
        let model = find(&write.txn, actor, reference).await?;
        require_owner(actor, &model)?;
        naming::expect_version(expected_version, model.version)?;
        let before = ImpactTracker::capture(write, LayerScope::Integration(IntegrationId(model.id)))
            .await?
            .with_replacements(change.replacements);
        let mut after = model.clone();
        if let Some(name) = change.name {
            after.name = naming::name(&name, "/name")?;
        }
        if let Some(description) = change.description.change() {
            after.description = naming::description(description)?;
        }
        if let Some(auth_type) = change.auth_type {
            auth_type.as_str().clone_into(&mut after.auth_type);
        }
        if let Some(transport) = change.transport {
            transport.as_str().clone_into(&mut after.transport);
        }
        if let Some(url) = change.url {
            let url = self.valid_url(&url)?;
            // An address that is sent again by a user who may write the organisation's layer is trusted with its secrets.
            after.address_by_admin =
                may_use_organisation_secrets(actor) || url == model.url && model.address_by_admin;
            after.url = url;
        }
        if let Some(enabled) = change.enabled {
            after.enabled = enabled;
        }
        let url_changed = after.url != model.url;
        if url_changed {
            // What was found at the old address says nothing of the new one.
            (after.last_test, after.unreachable) = (None, false);
            refuse_inherited_secrets(write, &model).await?;
        }
        let mut findings = Findings::default();
        // A new address is validated against the kept secrets also where the configuration is not sent along.
        let text = change.configuration.change().or_else(|| url_changed.then(|| model.configuration.clone()));
        if let Some(text) = text {
            let stored = store(
                write,
                OwnerKind::Integration.with_id(model.id),
                "/configurations",
                text.as_deref(),
                model.configuration.as_deref(),
                url_changed,
            )
            .await?;
            findings = stored.findings;
            if stored.text != model.configuration {
                after.configuration_revision += 1;
                add_revision(
                    write,
                    OwnerKind::Integration.with_id(model.id),
                    after.configuration_revision,
                    stored.text.clone(),
                    change.note,
                    None,
                )
                .await?;
            }
            after.set_configuration(stored.text);
        }
        if url_changed && read.is_none() && mapped_secrets::has_any(&write.txn, model.id).await? {
            return Err(Error::invalid(Finding::error(
                "/secret_mappings",
                "secret_reentry_required",
                "The address the mapped secrets are sent to changes. Send `secret_mappings` along: those that shall be used there too.",
            )));
        }
        let owner = MappingOwner::integration(&write.txn, &after).await?;
        let remapped = mapped_secrets::apply(write, &owner, read).await?;
        let mut impact = Impact::default();
        if after != model || remapped {
            after.version += 1;
            after.updated_at = write.millis();
            after.updated_by = write.actor_name();
            after.clone().into_active_model().reset_all().update(&write.txn).await?;
            let (action, because) = match (model.enabled, after.enabled) {
                (true, false) => (AuditAction::IntegrationDisabled, "integration disabled"),
                (false, true) => (AuditAction::IntegrationEnabled, "integration enabled"),
                _ => (AuditAction::IntegrationUpdated, "integration saved"),
            };
            write.audit(event(action, &after).before(snapshot(&model)).after(snapshot(&after)));
            impact = before.apply(write, "/configurations", because).await?;
        }
        findings.0.extend(self.withheld(&write.txn, &after).await?);
        let value = self.show(&write.txn, actor, after).await?;
        Ok(Saved { value, findings, affected: impact.affected, rollout: impact.rollout })
    }

    /// Deletes an integration with its servers; their clients are withdrawn upstream. Where there are many servers, a rollout
    /// deletes them afterwards; they count as deleted at once.
    pub async fn delete(
        self,
        actor: &Actor,
        reference: &Reference,
        expected_version: Option<i64>,
    ) -> Result<Deleted> {
        actor.require(Permission::DeleteIntegrations)?;
        let model = find(self.registry.db(), actor, reference).await?;
        require_owner(actor, &model)?;
        let scope = LayerScope::Integration(IntegrationId(model.id));
        let counted = self.registry.configurations().count_if_many(&scope).await?;
        let mut write = self.registry.begin_write(actor).await?;
        let model = find(&write.txn, actor, &Reference::Id(model.id)).await?;
        naming::expect_version(expected_version, model.version)?;
        let deleted = delete_under(&mut write, &scope, counted, "integration deleted").await?;
        mark_deleted(&mut write, model).await?;
        write.commit().await?;
        Ok(deleted)
    }
}

/// How many owners of secrets a refusal names.
const MAX_NAMED: u64 = 20;

/// Whether the row whose id is in `column` owns a sealed value, or has a member that comes from the operator's secrets.
fn holds_secrets(kind: OwnerKind, column: impl ColumnTrait) -> Condition {
    let sealed = sealed_value::Entity::find()
        .select_only()
        .column(sealed_value::Column::OwnerId)
        .filter(sealed_value::Column::OwnerKind.eq(kind.as_str()))
        .into_query();
    let mapped = secret_mapping::Entity::find()
        .select_only()
        .column(secret_mapping::Column::OwnerId)
        .filter(secret_mapping::Column::OwnerKind.eq(kind.as_str()))
        .into_query();
    Condition::any().add(column.in_subquery(sealed)).add(column.in_subquery(mapped))
}

/// Secrets of lower layers go to the integration's address too: they must not follow it to another one.
async fn refuse_inherited_secrets(write: &Write<'_>, model: &integration::Model) -> Result<()> {
    let mut holders = Vec::new();
    let servers = server::Entity::find()
        .filter(server::Column::IntegrationId.eq(model.id))
        .filter(is_live())
        .filter(holds_secrets(OwnerKind::Server, server::Column::Id))
        .find_also_related(workspace::Entity)
        .limit(MAX_NAMED)
        .all(&write.txn)
        .await?;
    for (server, workspace) in servers {
        let workspace = workspace.map(|workspace| workspace.slug).unwrap_or_default();
        holders.push(format!("server {workspace}/{}", server.slug));
    }
    let rows = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .filter(holds_secrets(OwnerKind::Access, access::Column::Id))
        .find_also_related(workspace::Entity)
        .limit(MAX_NAMED)
        .all(&write.txn)
        .await?;
    for (_, workspace) in rows {
        holders.push(format!("workspace {}", workspace.map(|workspace| workspace.slug).unwrap_or_default()));
    }
    if holders.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(Finding::error(
        "/url",
        "secret_reentry_required",
        format!(
            "Secrets stored at {} would be sent to the new address. Remove them there first, then enter them again.",
            holders.join(", ")
        ),
    )))
}

/// Marks an integration deleted, deletes its secrets and ends the rollouts of its layers. Its slug is free immediately.
pub(crate) async fn mark_deleted(write: &mut Write<'_>, model: integration::Model) -> Result<()> {
    supersede(write, RolloutKind::Integration, Some(IntegrationId(model.id))).await?;
    let rows = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .filter(access::Column::Configuration.is_not_null())
        .all(&write.txn)
        .await?;
    let secrets = rows
        .iter()
        .flat_map(|row| sealed_ids(row.configuration.as_deref()))
        .chain(sealed_ids(model.configuration.as_deref()))
        .map(|(_, id)| id);
    write.delete_sealed(secrets).await?;
    mapped_secrets::remove_all(write, &[model.id]).await?;
    let offered = capability::Column::IntegrationId.eq(model.id);
    capability::Entity::delete_many().filter(offered).exec(&write.txn).await?;
    server_info::Entity::delete_by_id(model.id).exec(&write.txn).await?;
    let mut gone = model.clone().into_active_model();
    gone.deleted_at = Set(Some(write.millis()));
    gone.version = Set(model.version + 1);
    gone.update(&write.txn).await?;
    write.audit(event(AuditAction::IntegrationDeleted, &model).before(snapshot(&model)));
    Ok(())
}
