//! Servers: integrations made available in one workspace.

mod changing;

pub(crate) use changing::delete_all;

use crate::entity::{attempt, integration, registration, server, workspace};
use crate::integrations;
use crate::layers::{Replacements, Scope};
use crate::page::{self, Page, PageRequest};
use crate::secret_mappings::{MappedSecret, SecretMapping, mappings_of};
use crate::stored::{contains, json, moment, word};
use crate::workspaces::{WorkspaceRef, show, stored_slug};
use crate::{Actor, Error, Registry, Result, registrations, workspaces};
use registry_core::clock::Timestamp;
use registry_core::id::{IntegrationId, RegistrationId, ServerId};
use registry_core::metadata::Resolution;
use registry_core::oauth::Adjustment;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, State, Transport};
use registry_core::slug::{Reference, Slug};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// An integration as servers name it.
#[derive(Clone, Debug)]
pub struct IntegrationRef {
    /// Its id.
    pub id: IntegrationId,
    /// Its slug.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// The upstream MCP server's address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The MCP transport.
    pub transport: Transport,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name in URLs, unique in the workspace; never changes.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The integration it is made of.
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
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How a server's registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationBrief {
    /// Its id.
    pub id: RegistrationId,
    /// Where the effort stands.
    pub state: State,
    /// Whether there is an active, unexpired client.
    pub usable: bool,
}

/// What is needed to make a server.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// The integration.
    pub integration: Reference,
    /// The workspace; may be absent for a caller bound to one.
    pub workspace: Option<Reference>,
    /// 1 to 255 characters.
    pub name: String,
    /// Made from the name when absent.
    pub slug: Option<String>,
    /// At most 500 characters.
    pub description: Option<String>,
    /// The server layer, JSON text.
    pub configuration: Option<String>,
    /// Members that come from the operator's secrets.
    pub secret_mappings: Vec<SecretMapping>,
}

/// What to change; `None` leaves a member as it is.
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
    /// What becomes of a client that only a new one can take the place of.
    pub replacements: Replacements,
}

/// Which servers to list.
#[derive(Clone, Debug, Default)]
pub struct ServerFilter {
    /// Of this workspace.
    pub workspace: Option<Reference>,
    /// Of this integration.
    pub integration: Option<Reference>,
    /// Part of name or slug, ignoring case.
    pub search: Option<String>,
    /// Only these; empty: all.
    pub ids: Vec<Reference>,
}

/// How a caller names a server: a bare slug needs the workspace where several have it.
#[derive(Clone, Debug)]
pub struct ServerRef {
    /// Id or slug.
    pub server: Reference,
    /// Id or slug of the workspace.
    pub workspace: Option<Reference>,
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

impl Registry {
    /// One server.
    pub async fn server(&self, actor: &Actor, reference: &ServerRef) -> Result<Server> {
        actor.require(Permission::ReadServers)?;
        let model = find(self.db(), actor, reference).await?;
        let mut page = self.show_servers(self.db(), Page { items: vec![model], total: 1 }).await?;
        page.items.pop().ok_or_else(|| Error::not_found("server", show(&reference.server)))
    }

    /// Servers by workspace and slug.
    pub async fn servers(
        &self,
        actor: &Actor,
        filter: ServerFilter,
        request: PageRequest,
    ) -> Result<Page<Server>> {
        actor.require(Permission::ListServers)?;
        let mut select = server::Entity::find().filter(server::Column::DeletedAt.is_null());
        if let Some(own) = actor.workspace() {
            select = select.filter(server::Column::WorkspaceId.eq(own.0));
        }
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(self.db(), actor, reference).await?;
            select = select.filter(server::Column::WorkspaceId.eq(workspace.id));
        }
        if let Some(reference) = &filter.integration {
            let integration = integrations::find(self.db(), actor, reference).await?;
            select = select.filter(server::Column::IntegrationId.eq(integration.id));
        }
        if let Some(text) = filter.search.filter(|text| !text.is_empty()) {
            select = select.filter(
                Condition::any()
                    .add(contains(server::Column::Name, &text))
                    .add(contains(server::Column::Slug, &text)),
            );
        }
        if !filter.ids.is_empty() {
            // Two lists, not a term for each: expressions are walked and dropped recursively.
            let (mut ids, mut keys) = (Vec::new(), Vec::new());
            for reference in filter.ids {
                match reference {
                    Reference::Id(id) => ids.push(id),
                    Reference::Slug(key) => keys.push(key),
                }
            }
            let any = Condition::any().add(server::Column::Id.is_in(ids));
            select = select.filter(any.add(server::Column::SlugKey.is_in(keys)));
        }
        let select = select.order_by_asc(server::Column::SlugKey).order_by_asc(server::Column::Id);
        let found = page::fetch(self.db(), select, request).await?;
        self.show_servers(self.db(), found).await
    }

    /// What is sent for a server, where each value comes from, and what was really sent last.
    pub async fn client_metadata(&self, actor: &Actor, reference: &ServerRef) -> Result<ClientMetadata> {
        actor.require(Permission::ReadServers)?;
        let model = find(self.db(), actor, reference).await?;
        let layers = self
            .load_layers(self.db(), Scope::Server(ServerId(model.id)), false)
            .await?
            .pop()
            .ok_or_else(|| Error::not_found("server", show(&reference.server)))?;
        let resolution = layers.resolution();
        let last = attempt::Entity::find()
            .inner_join_registration(model.id)
            .filter(attempt::Column::Step.eq("register"))
            .filter(attempt::Column::Request.is_not_null())
            .order_by_desc(attempt::Column::Number)
            .one(self.db())
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

    async fn brief(
        &self,
        db: &impl ConnectionTrait,
        server: uuid::Uuid,
    ) -> Result<Option<RegistrationBrief>> {
        Ok(registrations::briefs(db, [server], self.now()).await?.remove(&server))
    }

    async fn show_servers(
        &self,
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
        let briefs = registrations::briefs(db, page.items.iter().map(|model| model.id), self.now()).await?;
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

/// The live server of this name, if `actor` may know of it.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    actor: &Actor,
    reference: &ServerRef,
) -> Result<server::Model> {
    let missing = || Error::not_found("server", show(&reference.server));
    let mut select = server::Entity::find().filter(server::Column::DeletedAt.is_null());
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
            code: "ambiguous_slug",
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

pub(crate) fn integration_ref(model: &integration::Model) -> Result<IntegrationRef> {
    Ok(IntegrationRef {
        id: IntegrationId(model.id),
        slug: stored_slug(&model.slug, "integration", model.id)?,
        name: model.name.clone(),
        url: model.url.clone(),
        auth_type: word(AuthType::parse, &model.auth_type, "integration", "auth_type", model.id)?,
        transport: integrations::transport(model)?,
    })
}

fn into_server(
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
