//! Integrations: an upstream MCP server's address, its auth type, its Advanced Configuration.

use crate::configuration::costs::Affected;
use crate::configuration::impact::ReplacementMode;
use crate::configuration::mapped_secrets;
use crate::configuration::mapped_secrets::{MappedSecret, MappingOwner, SecretMapping, mappings_of};
use crate::configuration::revision_rows::add_revision;
use crate::configuration::save::Saved;
use crate::integrations::Integrations;
use crate::integrations::counts::{IntegrationCounts, counts_of, owners_of};
use crate::lookup::free_slug::SlugSpace;
use crate::lookup::integrations::{find, transport};
use crate::lookup::slugs::{insert_unique, stored_slug};
use crate::lookup::workspaces::WorkspaceRef;
use crate::lookup::{free_slug, naming, workspaces};
use crate::secrets::markers::store;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json as read_json, moment};
use crate::storage::entity::integration;
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, LastTest, Result};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings};
use registry_core::id::{IntegrationId, WorkspaceId};
use registry_core::metadata::{AdvancedConfiguration, CANONICAL_WRAPPER, pasted_address};
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::{Reference, Slug};
use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel};
use serde_json::json;
use uuid::Uuid;

/// An integration.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent property")]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Its name in URLs, unique in the organisation; never changes.
    pub slug: Slug,
    /// Display name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The upstream MCP server's address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The MCP transport.
    pub transport: Transport,
    /// The workspace it belongs to; `None`: the organisation.
    pub workspace: Option<WorkspaceRef>,
    /// Whether workspaces without an access row of their own may use it.
    pub global_access: bool,
    /// The Advanced Configuration as the user wrote it, secrets replaced by markers.
    pub configuration: Option<String>,
    /// Members that come from the operator's secrets.
    pub secret_mappings: Vec<MappedSecret>,
    /// Counts its writes, for `If-Match`.
    pub version: i64,
    /// Who created it.
    pub created_by: String,
    /// Who last changed it.
    pub updated_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it is switched on; a disabled one has no clients for gateways, and nothing is registered for it.
    pub enabled: bool,
    /// Whether its own layer sets the id of a client that was registered by hand.
    pub pre_registered: bool,
    /// Whether nobody answered at its address when that was last tested.
    pub unreachable: bool,
    /// What the last test of its connection showed; `None`: it was not tested since it has its present address.
    pub last_test: Option<LastTest>,
    /// How it is used.
    pub counts: IntegrationCounts,
}

/// Values of a new integration.
#[derive(Clone, Debug)]
pub struct NewIntegration {
    /// 1 to 255 characters.
    pub name: String,
    /// Derived from the name when absent.
    pub slug: Option<String>,
    /// At most 500 characters.
    pub description: Option<String>,
    /// https (http for loopback where the operator allows it), without user, fragment or private literal address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The MCP transport.
    pub transport: Transport,
    /// The workspace it belongs to; `None`: the organisation.
    pub workspace: Option<Reference>,
    /// The Advanced Configuration, JSON text.
    pub configuration: Option<String>,
    /// Members that come from the operator's secrets.
    pub secret_mappings: Vec<SecretMapping>,
}

/// A change; `None` leaves a member unchanged.
#[derive(Clone, Debug, Default)]
pub struct IntegrationChange {
    /// 1 to 255 characters.
    pub name: Option<String>,
    /// At most 500 characters.
    pub description: Patch<String>,
    /// A new address: stored secrets must then be entered again.
    pub url: Option<String>,
    /// How gateways authenticate there.
    pub auth_type: Option<AuthType>,
    /// The MCP transport.
    pub transport: Option<Transport>,
    /// The whole Advanced Configuration, JSON text.
    pub configuration: Patch<String>,
    /// What the author says of this version of the configuration.
    pub note: Option<String>,
    /// Switches it on or off. Switched off it has no clients for gateways; they are withdrawn after
    /// `worker.withdraw_after`.
    pub enabled: Option<bool>,
    /// Members that come from the operator's secrets, all of them.
    pub secret_mappings: Option<Vec<SecretMapping>>,
    /// Whether clients that cannot be updated in place are replaced without approval.
    pub replacements: ReplacementMode,
}

impl Integrations<'_> {
    /// Creates an integration.
    pub async fn create(self, actor: &Actor, new: NewIntegration) -> Result<Saved<Integration>> {
        actor.require(Permission::CreateIntegrations)?;
        let mut new = new;
        let read =
            self.registry.configurations().read_mappings(std::mem::take(&mut new.secret_mappings)).await;
        let mut write = self.registry.begin_write(actor).await?;
        let (model, findings) = self.create_in(&mut write, actor, new, None).await?;
        let owner = MappingOwner::integration(&write.txn, &model).await?;
        mapped_secrets::apply(&mut write, &owner, Some(read)).await?;
        let value = self.show(&write.txn, actor, model).await?;
        write.commit().await?;
        Ok(Saved { value, findings, affected: Affected::default(), rollout: None })
    }

    /// The same inside a write that does more, whose actor may. `sealed` is the configuration as a draft holds it: its id,
    /// which owns the sealed values, and its text, whose markers then stay good.
    pub(crate) async fn create_in(
        self,
        write: &mut Write<'_>,
        actor: &Actor,
        new: NewIntegration,
        sealed: Option<(Uuid, &str)>,
    ) -> Result<(integration::Model, Findings)> {
        let name = naming::name(&new.name, "/name")?;
        let description = naming::description(new.description)?;
        let workspace_id = match (&new.workspace, actor.workspace()) {
            (Some(reference), _) => Some(workspaces::find(&write.txn, actor, reference).await?.id),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Error::Forbidden {
                    needed: Permission::CreateIntegrations,
                    message: "Your access is bound to one workspace: name it in `workspace_id` to make an integration of that workspace.".to_owned(),
                });
            }
        };
        let url = self.valid_url(&new.url)?;
        let slug = self.free_slug(&write.txn, actor, new.slug.as_deref(), &name).await?;
        let id = self.registry.new_id();
        if let Some((draft, _)) = sealed {
            write
                .change_sealed_owner(OwnerKind::Draft.with_id(draft), OwnerKind::Integration.with_id(id))
                .await?;
        }
        let stored = store(
            write,
            OwnerKind::Integration.with_id(id),
            "/configurations",
            new.configuration.as_deref(),
            sealed.map(|(_, text)| text),
            false,
        )
        .await?;
        let mut model = integration::Model {
            id,
            workspace_id,
            slug: slug.to_string(),
            slug_key: slug.key(),
            name,
            description,
            url,
            auth_type: new.auth_type.as_str().to_owned(),
            transport: new.transport.as_str().to_owned(),
            global_access: false,
            configuration_revision: i64::from(stored.text.is_some()),
            configuration: None,
            version: 1,
            created_at: write.millis(),
            updated_at: write.millis(),
            created_by: write.actor_name(),
            updated_by: write.actor_name(),
            deleted_at: None,
            enabled: true,
            custom_metadata: false,
            pre_registered: false,
            unreachable: false,
            last_test: None,
            address_by_admin: may_use_organisation_secrets(actor),
        };
        model.set_configuration(stored.text.clone());
        insert_unique(model.clone().into_active_model().reset_all().insert(&write.txn).await, &slug)?;
        if stored.text.is_some() {
            add_revision(write, OwnerKind::Integration.with_id(id), 1, stored.text, None, None).await?;
        }
        write.audit(event(AuditAction::IntegrationCreated, &model).after(snapshot(&model)));
        let mut findings = stored.findings;
        findings.0.extend(self.withheld(&write.txn, &model).await?);
        Ok((model, findings))
    }

    /// What is said where secrets of the organisation's layer are not sent to the address of an integration.
    pub(crate) async fn withheld(
        self,
        db: &impl ConnectionTrait,
        model: &integration::Model,
    ) -> Result<Option<Finding>> {
        let withheld = model.workspace_id.is_none()
            && model.withholds_organisation_secrets()
            && !self.registry.configurations().organisation_layer(db).await?.sealed_ids().is_empty();
        Ok(withheld.then(secret_withheld))
    }

    /// The slug for a new integration: the given one, or one made from its name. Slugs are unique in the organisation, so
    /// that a user bound to a workspace could probe for the slugs of others: rate-limited (`docs/threat-model.md`).
    pub(crate) async fn free_slug(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        given: Option<&str>,
        name: &str,
    ) -> Result<Slug> {
        let slug = free_slug::slug(db, SlugSpace::Integrations, given, name).await;
        let is_taken = match (&slug, given) {
            (Ok(slug), None) => *slug != Slug::from_name(name),
            (Err(Error::Conflict { .. }), _) => true,
            _ => false,
        };
        if is_taken {
            self.registry.limits().count_taken_slug(actor)?;
        }
        slug
    }

    /// One integration.
    pub async fn get(self, actor: &Actor, reference: &Reference) -> Result<Integration> {
        actor.require(Permission::ReadIntegrations)?;
        let model = find(self.registry.db(), actor, reference).await?;
        self.show(self.registry.db(), actor, model).await
    }

    /// Validates an integration's address by its text.
    /// The address as it is stored: without what was pasted around it.
    pub(crate) fn valid_url(self, url: &str) -> Result<String> {
        let url = pasted_address(url);
        self.registry
            .settings()
            .egress
            .check_url(url)
            .map(|_| url.to_owned())
            .map_err(|problem| Error::invalid(Finding::error("/url", problem.code(), problem.to_string())))
    }

    pub(crate) async fn show(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        model: integration::Model,
    ) -> Result<Integration> {
        let counts = counts_of(db, actor, [model.id]).await?;
        let owners = owners_of(db, std::slice::from_ref(&model)).await?;
        let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
        let counts = counts.get(&model.id).copied().unwrap_or_default();
        let mapped = mappings_of(db, [model.id]).await?.remove(&model.id).unwrap_or_default();
        into_integration(model, owner, counts, mapped)
    }
}

/// Says that secrets of the organisation's layer are not sent to an integration's address.
pub(crate) fn secret_withheld() -> Finding {
    Finding::warning(
        "/url",
        "secret_withheld",
        "Secrets of the organisation's configuration are not sent to this address, because it was chosen by a user who may not change that configuration. An admin who saves the address again has them sent there.",
    )
}

/// Whether addresses that this caller chooses may be sent the secrets of the organisation's layer: a user who may write that
/// layer could enter them there anyway.
pub(crate) fn may_use_organisation_secrets(actor: &Actor) -> bool {
    actor.workspace().is_none() && actor.can(Permission::WriteOrganisation)
}

pub(crate) fn into_integration(
    model: integration::Model,
    workspace: Option<WorkspaceRef>,
    counts: IntegrationCounts,
    secret_mappings: Vec<MappedSecret>,
) -> Result<Integration> {
    Ok(Integration {
        id: IntegrationId(model.id),
        slug: stored_slug(&model.slug, "integration", model.id)?,
        auth_type: crate::configuration::layers::auth_type(&model)?,
        transport: transport(&model)?,
        name: model.name,
        description: model.description,
        url: model.url,
        workspace,
        global_access: model.global_access,
        configuration: model.configuration,
        secret_mappings,
        version: model.version,
        created_by: model.created_by,
        updated_by: model.updated_by,
        created_at: moment(model.created_at),
        updated_at: moment(model.updated_at),
        enabled: model.enabled,
        pre_registered: model.pre_registered,
        unreachable: model.unreachable,
        last_test: model
            .last_test
            .map(|text| read_json(&text, "integration", "last_test", model.id))
            .transpose()?,
        counts,
    })
}

impl integration::Model {
    /// Whether secrets of the organisation's layer stay away from its address (`docs/client-metadata.md`): a workspace
    /// chose it, or a user who may not write that layer.
    pub(crate) fn withholds_organisation_secrets(&self) -> bool {
        self.workspace_id.is_some() || !self.address_by_admin
    }

    /// Sets the configuration, and what lists must know of it.
    pub(crate) fn set_configuration(&mut self, text: Option<String>) {
        let layer = text.as_deref().and_then(|text| AdvancedConfiguration::from_stored(text).ok());
        self.custom_metadata = layer.as_ref().is_some_and(|layer| layer.client_metadata_field_count() > 0);
        self.pre_registered = layer.as_ref().is_some_and(|layer| {
            let metadata = layer.value().get(CANONICAL_WRAPPER);
            metadata.and_then(|metadata| metadata.get("client_id")).is_some_and(serde_json::Value::is_string)
        });
        self.configuration = text;
    }
}

pub(crate) fn event(action: AuditAction, model: &integration::Model) -> Event {
    Event::new(action, "integration", model.id)
        .named(&model.slug)
        .in_workspace(model.workspace_id.map(WorkspaceId))
}

pub(crate) fn snapshot(model: &integration::Model) -> serde_json::Value {
    json!({
        "slug": model.slug, "name": model.name, "description": model.description, "url": model.url,
        "auth_type": model.auth_type, "transport": model.transport, "enabled": model.enabled,
        "configurations": model.configuration,
    })
}
