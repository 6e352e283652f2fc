//! Servers: integrations made available in one workspace.

use crate::configuration::impact::ReplacementMode;
use crate::configuration::layers::ServerScope;
use crate::configuration::mapped_secrets::{MappedSecret, SecretMapping, mappings_of};
use crate::lookup::integrations::{IntegrationRef, integration_ref};
use crate::lookup::servers::{RegistrationBrief, ServerRef, find};
use crate::lookup::slugs::{show, stored_slug};
use crate::lookup::workspaces;
use crate::lookup::workspaces::WorkspaceRef;
use crate::pagination::Page;
use crate::registration::brief;
use crate::servers::Servers;
use crate::storage::columns::{json, moment};
use crate::storage::entity::{attempt, integration, registration, server, workspace};
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::ServerId;
use registry_core::metadata::Resolution;
use registry_core::oauth::Adjustment;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::registration::AttemptStep;
use registry_core::slug::{Reference, Slug};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name in URLs, unique in the workspace; never changes.
    pub slug: Slug,
    /// Display name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The integration it is an instance of.
    pub integration: IntegrationRef,
    /// The workspace it is in.
    pub workspace: WorkspaceRef,
    /// The server layer, as the user wrote it, secrets replaced by markers.
    pub configuration: Option<String>,
    /// Members that come from the operator's secrets.
    pub secret_mappings: Vec<MappedSecret>,
    /// Its registration; `None` where no client is needed.
    pub registration: Option<RegistrationBrief>,
    /// Counts its writes, for `If-Match`.
    pub version: i64,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Values of a new server.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// The integration.
    pub integration: Reference,
    /// The workspace; may be absent for a caller bound to one.
    pub workspace: Option<Reference>,
    /// 1 to 255 characters.
    pub name: String,
    /// Derived from the name when absent.
    pub slug: Option<String>,
    /// At most 500 characters.
    pub description: Option<String>,
    /// The server layer, JSON text.
    pub configuration: Option<String>,
    /// Members that come from the operator's secrets.
    pub secret_mappings: Vec<SecretMapping>,
}

/// A change; `None` leaves a member unchanged.
#[derive(Clone, Debug, Default)]
pub struct ServerChange {
    /// 1 to 255 characters.
    pub name: Option<String>,
    /// At most 500 characters.
    pub description: Patch<String>,
    /// The whole server layer, JSON text.
    pub configuration: Patch<String>,
    /// Members that come from the operator's secrets, all of them.
    pub secret_mappings: Option<Vec<SecretMapping>>,
    /// What the author says of this version of the configuration.
    pub note: Option<String>,
    /// Whether clients that cannot be updated in place are replaced without approval.
    pub replacements: ReplacementMode,
}

/// What is sent for one server.
#[derive(Clone, Debug)]
pub struct ClientMetadata {
    /// Its workspace.
    pub workspace: WorkspaceRef,
    /// Its slug.
    pub server_slug: Slug,
    /// The resolved metadata with their origins, and what was overridden or ignored.
    pub resolution: Resolution,
    /// Digest of the effective metadata.
    pub digest: String,
    /// The body of the last registration request, if one was sent.
    pub request: Option<Map<String, Value>>,
    /// How that body differs from the effective metadata, and why.
    pub adjustments: Vec<Adjustment>,
}

impl Servers<'_> {
    /// Refuses a server that the caller may not know of. Gateways may know of those of their workspace.
    pub async fn require_known(self, actor: &Actor, reference: &ServerRef) -> Result<()> {
        actor.require_unless_gateway(Permission::ReadServers)?;
        find(self.registry.db(), actor, reference).await.map(drop)
    }

    /// One server.
    pub async fn get(self, actor: &Actor, reference: &ServerRef) -> Result<Server> {
        actor.require(Permission::ReadServers)?;
        let model = find(self.registry.db(), actor, reference).await?;
        let mut page = self.show(self.registry.db(), Page::whole(vec![model])).await?;
        page.items.pop().ok_or_else(|| Error::not_found("server", show(&reference.server)))
    }

    /// What is sent for a server, where each value comes from, and what was really sent last.
    pub async fn client_metadata(self, actor: &Actor, reference: &ServerRef) -> Result<ClientMetadata> {
        actor.require(Permission::ReadServers)?;
        let model = find(self.registry.db(), actor, reference).await?;
        let layers = self
            .registry
            .configurations()
            .load(self.registry.db(), ServerScope::Server(ServerId(model.id)), false)
            .await?
            .pop()
            .ok_or_else(|| Error::not_found("server", show(&reference.server)))?;
        let resolution = layers.resolution();
        let last = attempt::Entity::find()
            .inner_join_registration(model.id)
            .filter(attempt::Column::Step.eq(AttemptStep::Register.as_str()))
            .filter(attempt::Column::Request.is_not_null())
            .order_by_desc(attempt::Column::Number)
            .one(self.registry.db())
            .await?;
        let (mut request, mut adjustments) = (None, Vec::new());
        if let Some(last) = last {
            if let Some(text) = &last.request {
                request = Some(json(text, "attempt", "request", last.id)?);
            }
            adjustments = json(&last.adjustments, "attempt", "adjustments", last.id)?;
        }
        Ok(ClientMetadata {
            workspace: workspaces::as_ref(&layers.workspace)?,
            server_slug: stored_slug(&layers.server.slug, "server", layers.server.id)?,
            digest: resolution.effective.digest(),
            resolution,
            request,
            adjustments,
        })
    }

    pub(crate) async fn show(
        self,
        db: &impl ConnectionTrait,
        page: Page<server::Model>,
    ) -> Result<Page<Server>> {
        let integrations: BTreeSet<_> = page.items.iter().map(|model| model.integration_id).collect();
        let integrations: HashMap<_, _> = integration::Entity::find()
            .filter(integration::Column::Id.is_in(integrations))
            .all(db)
            .await?
            .into_iter()
            .map(|model| (model.id, model))
            .collect();
        let workspaces: BTreeSet<_> = page.items.iter().map(|model| model.workspace_id).collect();
        let workspaces: HashMap<_, _> = workspace::Entity::find()
            .filter(workspace::Column::Id.is_in(workspaces))
            .all(db)
            .await?
            .into_iter()
            .map(|model| (model.id, model))
            .collect();
        let mut mapped = mappings_of(db, page.items.iter().map(|model| model.id)).await?;
        let briefs = brief::briefs(db, page.items.iter().map(|model| model.id), self.registry.now()).await?;
        page.try_map(|model| {
            let missing = || Error::corrupt("server", "integration_id", model.id);
            let integration = integrations.get(&model.integration_id).ok_or_else(missing)?;
            let workspace = workspaces.get(&model.workspace_id).ok_or_else(missing)?;
            let brief = briefs.get(&model.id).copied();
            let mapped = mapped.remove(&model.id).unwrap_or_default();
            into_server(model, integration, workspace, brief, mapped)
        })
    }
}

pub(crate) fn into_server(
    model: server::Model,
    integration: &integration::Model,
    workspace: &workspace::Model,
    registration: Option<RegistrationBrief>,
    secret_mappings: Vec<MappedSecret>,
) -> Result<Server> {
    Ok(Server {
        id: ServerId(model.id),
        slug: stored_slug(&model.slug, "server", model.id)?,
        name: model.name,
        description: model.description,
        integration: integration_ref(integration)?,
        workspace: workspaces::as_ref(workspace)?,
        configuration: model.configuration,
        secret_mappings,
        registration,
        version: model.version,
        created_by: model.created_by,
        created_at: moment(model.created_at),
        updated_at: moment(model.updated_at),
    })
}

/// Attempts of one server's registration.
trait OfServer {
    fn inner_join_registration(self, server: uuid::Uuid) -> Self;
}

impl OfServer for sea_orm::Select<attempt::Entity> {
    fn inner_join_registration(self, server: uuid::Uuid) -> Self {
        let registrations = sea_orm::sea_query::Query::select()
            .column(registration::Column::Id)
            .from(registration::Entity)
            .and_where(registration::Column::ServerId.eq(server))
            .to_owned();
        self.filter(attempt::Column::RegistrationId.in_subquery(registrations))
    }
}
