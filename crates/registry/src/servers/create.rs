//! Creates servers.

use crate::configuration::costs::Affected;
use crate::configuration::deletion::{event, free_slug_of_deleted, snapshot};
use crate::configuration::enqueue::enqueue_first;
use crate::configuration::impact::new_findings;
use crate::configuration::layers::{LayersAbove, ServerLayers, ServerScope, auth_type, parse_layer};
use crate::configuration::mapped_secrets;
use crate::configuration::mapped_secrets::{
    MappedSecret, MappingOwner, ReadMappings, mappings_of, members_of,
};
use crate::configuration::revision_rows::add_revision;
use crate::configuration::save::Saved;
use crate::lookup::free_slug::{self, SlugSpace};
use crate::lookup::naming;
use crate::lookup::servers::RegistrationBrief;
use crate::lookup::slugs::insert_unique;
use crate::secrets::markers::store;
use crate::servers::Servers;
use crate::servers::crud::{NewServer, Server, into_server};
use crate::servers::place::Place;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, server, workspace};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::finding::Findings;
use registry_core::id::{RegistrationId, ServerId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::registration::{State, cost};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde_json::Map;
use std::sync::Arc;

impl Servers<'_> {
    /// Creates a server. Its registration is due immediately.
    pub async fn create(self, actor: &Actor, new: NewServer) -> Result<Saved<Server>> {
        actor.require(Permission::CreateServers)?;
        let mut new = new;
        let read =
            self.registry.configurations().read_mappings(std::mem::take(&mut new.secret_mappings)).await;
        let mut write = self.registry.begin_workspace_write(actor).await?;
        let made = self.create_in(&mut write, actor, new, Some(read)).await?;
        write.commit().await?;
        let value = into_server(
            made.model,
            &made.integration,
            &made.workspace,
            made.registration,
            made.secret_mappings,
        )?;
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
        let description = naming::description(new.description.clone())?;
        let place = Place::find(write, actor, &new).await?;
        let workspace = WorkspaceId(place.workspace.id);
        write.lock_workspace(workspace).await?;
        let space = SlugSpace::ServersOf(workspace);
        let slug = free_slug::slug(&write.txn, space, new.slug.as_deref(), &name).await?;
        if place.has_open_deletions {
            free_slug_of_deleted(write, workspace, &slug).await?;
        }
        let id = self.registry.new_id();
        let owner = OwnerKind::Server.with_id(id);
        let text = new.configuration.as_deref();
        let stored = store(write, owner, "/configurations", text, None, false).await?;
        let model = server::Model {
            id,
            integration_id: place.integration.id,
            workspace_id: place.workspace.id,
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
            organisation_revision: place.organisation.configuration_revision,
            allows_users: true,
        };
        insert_unique(model.clone().into_active_model().reset_all().insert(&write.txn).await, &slug)?;
        if stored.text.is_some() {
            add_revision(write, owner, 1, stored.text, None, None).await?;
        }
        write.audit(event(AuditAction::ServerCreated, &model).after(snapshot(&model)));
        let mut secret_mappings = Vec::new();
        let layers = match read.filter(|read| !read.is_empty()) {
            None => self.layers(write, model, place).await?,
            Some(read) => {
                let owner = MappingOwner::server(&write.txn, &model, &place.integration).await?;
                mapped_secrets::apply(write, &owner, Some(read)).await?;
                secret_mappings = mappings_of(&write.txn, [id]).await?.remove(&id).unwrap_or_default();
                let scope = ServerScope::Server(ServerId(id));
                let loaded = self.registry.configurations().load(&write.txn, scope, false).await?.pop();
                loaded.ok_or_else(|| Error::corrupt("server", "id", id))?
            }
        };
        let (affected, registration) = first_registration(write, &layers).await?;
        Ok(CreatedServer {
            registration,
            secret_mappings,
            findings: stored.findings,
            affected,
            integration: Arc::unwrap_or_clone(layers.integration),
            workspace: Arc::unwrap_or_clone(layers.workspace),
            model: layers.server,
        })
    }

    /// What a new server without mapped secrets of its own is resolved from.
    async fn layers(self, write: &Write<'_>, server: server::Model, place: Place) -> Result<ServerLayers> {
        let Place { integration, workspace, organisation, access, is_mapped, .. } = place;
        let mut mapped = Map::default();
        if is_mapped {
            mapped =
                members_of(&write.txn, [integration.id]).await?.remove(&integration.id).unwrap_or_default();
        }
        let parsed = |text: Option<&str>, what, row| Ok::<_, Error>(Arc::new(parse_layer(text, what, row)?));
        let above = LayersAbove {
            organisation_layer: parsed(
                organisation.configuration.as_deref(),
                "organisation",
                organisation.id,
            )?,
            integration_layer: parsed(integration.configuration.as_deref(), "integration", integration.id)?,
            integration_mapped: Arc::new(mapped),
            integration: Arc::new(integration),
            workspace: Arc::new(workspace),
            access: access.as_ref(),
            in_force: self.registry.in_force(),
        };
        ServerLayers::of(server, Arc::default(), above)
    }
}

/// A server that was just created.
pub(crate) struct CreatedServer {
    model: server::Model,
    integration: integration::Model,
    workspace: workspace::Model,
    registration: Option<RegistrationBrief>,
    secret_mappings: Vec<MappedSecret>,
    findings: Findings,
    pub(crate) affected: Affected,
}

/// Enqueues the registration of a new server, if it needs a client. Refuses metadata that contradict each other.
async fn first_registration(
    write: &mut Write<'_>,
    layers: &ServerLayers,
) -> Result<(Affected, Option<RegistrationBrief>)> {
    let mut broken = Findings::default();
    let resolution = layers.resolution();
    for finding in new_findings(layers, &[], &resolution) {
        broken.push(finding.below("/configurations"));
    }
    if broken.has_errors() {
        return Err(Error::Invalid(broken));
    }
    write.server_changed(WorkspaceId(layers.workspace.id), ServerId(layers.server.id));
    let mut affected = Affected { reached: 1, servers: 1, ..Affected::default() };
    if !auth_type(&layers.integration)?.needs_client() {
        return Ok((affected, None));
    }
    affected.registrations = 1;
    let desired = write.registry.configurations().desired_of(layers, resolution.effective, None)?;
    affected.add_cost(cost(&desired, None, write.registry.now()));
    let id = enqueue_first(write, layers, "server created".into()).await?;
    Ok((affected, Some(RegistrationBrief { id: RegistrationId(id), state: State::Queued, usable: false })))
}
