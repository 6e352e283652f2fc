//! Loads the configuration layers of servers and resolves them into effective metadata.

use crate::configuration::Configurations;
use crate::configuration::mapped_secrets::members_of;
use crate::configuration::revision_rows::texts_of;
pub(crate) use crate::configuration::scope::ServerScope;
use crate::lookup::integrations::access_enabled;
use crate::lookup::servers::is_live;
use crate::lookup::workspaces;
use crate::storage::columns::moment;
use crate::storage::entity::{access, integration, organisation, registration, server, workspace};
use crate::storage::owner::OwnerKind;
use crate::storage::settings_generations::{InForce, SharedSettings};
use crate::{Error, Result};
use registry_core::finding::Finding;
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::metadata::{
    AdvancedConfiguration, CANONICAL_WRAPPER, EffectiveMetadata, Ignored, Layer, Level, Method, Origin,
    Resolution, ResolveContext, fit_grants, parse_marker, resolve,
};
use registry_core::oauth::{client_id_document, document_url};
use registry_core::registration::{AuthType, Desired, DesiredPresence};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// One server with everything its metadata is resolved from.
#[derive(Clone, Debug)]
pub(crate) struct ServerLayers {
    pub(crate) server: server::Model,
    pub(crate) integration: Arc<integration::Model>,
    pub(crate) workspace: Arc<workspace::Model>,
    /// Whether the workspace may use the integration now, and it is switched on.
    pub(crate) enabled: bool,
    pub(crate) organisation_layer: Arc<AdvancedConfiguration>,
    pub(crate) integration_layer: Arc<AdvancedConfiguration>,
    pub(crate) workspace_layer: Arc<AdvancedConfiguration>,
    /// Number of the revision of `workspace_layer`; 0: none was ever saved.
    pub(crate) workspace_revision: i64,
    pub(crate) server_layer: Arc<AdvancedConfiguration>,
    /// Members of the integration's layer that come from the operator's secrets.
    pub(crate) integration_mapped: Arc<Map<String, Value>>,
    /// The same of the server's layer.
    pub(crate) server_mapped: Arc<Map<String, Value>>,
    /// The shared settings below all layers: one generation of them for everything that is worked out from here.
    pub(crate) in_force: Arc<InForce>,
}

/// What lies above the layer of one server.
pub(crate) struct LayersAbove<'a> {
    pub(crate) integration: Arc<integration::Model>,
    pub(crate) integration_layer: Arc<AdvancedConfiguration>,
    pub(crate) integration_mapped: Arc<Map<String, Value>>,
    pub(crate) workspace: Arc<workspace::Model>,
    /// `None`: the workspace has what the integration says.
    pub(crate) access: Option<&'a access::Model>,
    pub(crate) organisation_layer: Arc<AdvancedConfiguration>,
    pub(crate) in_force: Arc<InForce>,
}

impl ServerLayers {
    /// A server under the layers above it.
    pub(crate) fn of(
        server: server::Model,
        server_mapped: Arc<Map<String, Value>>,
        above: LayersAbove<'_>,
    ) -> Result<Self> {
        let LayersAbove { integration, workspace, access, .. } = above;
        let workspace_layer = parse_layer(
            access.and_then(|row| row.configuration.as_deref()),
            "access",
            access.map_or(server.id, |row| row.id),
        )?;
        let server_layer = parse_layer(server.configuration.as_deref(), "server", server.id)?;
        Ok(Self {
            enabled: integration.enabled && access_enabled(&integration, access, WorkspaceId(workspace.id)),
            server,
            integration,
            workspace,
            organisation_layer: above.organisation_layer,
            integration_layer: above.integration_layer,
            workspace_layer: Arc::new(workspace_layer),
            workspace_revision: access.map_or(0, |row| row.configuration_revision),
            server_layer: Arc::new(server_layer),
            integration_mapped: above.integration_mapped,
            server_mapped,
            in_force: above.in_force,
        })
    }

    /// Whether the server is deleted, or its integration or workspace is: then its own row is marked later.
    pub(crate) fn is_deleted(&self) -> bool {
        self.server.deleted_at.is_some()
            || self.integration.deleted_at.is_some()
            || self.workspace.deleted_at.is_some()
    }

    /// What is sent for one server.
    pub(crate) fn resolution(&self) -> Resolution {
        resolve_with(
            &self.in_force.settings,
            [
                &self.organisation_layer,
                &self.integration_layer.with_members(&self.integration_mapped),
                &self.workspace_layer,
                &self.server_layer.with_members(&self.server_mapped),
            ],
            (&self.workspace.slug, &self.server.slug),
            self.integration.withholds_organisation_secrets(),
            auth_type(&self.integration).ok(),
        )
    }
}

/// A stored configuration text as an object.
pub(crate) fn parse_layer(
    text: Option<&str>,
    what: &'static str,
    row: Uuid,
) -> Result<AdvancedConfiguration> {
    text.map_or_else(
        || Ok(AdvancedConfiguration::empty()),
        |text| {
            AdvancedConfiguration::from_stored(text).map_err(|_| Error::corrupt(what, "configuration", row))
        },
    )
}

impl Configurations<'_> {
    /// The live servers in `scope` with their layers, by workspace and slug; with `deleted` also the deleted ones.
    pub(crate) async fn load(
        self,
        db: &impl ConnectionTrait,
        scope: ServerScope<'_>,
        deleted: bool,
    ) -> Result<Vec<ServerLayers>> {
        let mut select = server::Entity::find();
        if !deleted {
            select = select.filter(is_live());
        }
        let servers = scope
            .filter(select)
            .order_by_asc(server::Column::WorkspaceId)
            .order_by_asc(server::Column::SlugKey)
            .all(db)
            .await?;
        if servers.is_empty() {
            return Ok(Vec::new());
        }
        let in_force = self.registry.in_force();
        let organisation_layers = organisation_layers(db, &servers).await?;
        let integrations = self.integrations_of(db, &servers, scope).await?;
        let workspaces = self.workspaces_of(db, &servers, scope).await?;
        let access = access_of(db, &servers, scope).await?;
        let owners = servers.iter().map(|server| server.id).chain(integrations.keys().copied());
        let mapped = members_of(db, owners).await?;
        let mapped: HashMap<_, _> = mapped.into_iter().map(|(id, members)| (id, Arc::new(members))).collect();
        let mut loaded = Vec::with_capacity(servers.len());
        for server in servers {
            let missing = || Error::corrupt("server", "integration_id", server.id);
            let (integration, integration_layer) =
                integrations.get(&server.integration_id).cloned().ok_or_else(missing)?;
            let workspace = workspaces.get(&server.workspace_id).cloned().ok_or_else(missing)?;
            let organisation_layer =
                organisation_layers.get(&server.organisation_revision).cloned().ok_or_else(missing)?;
            let above = LayersAbove {
                access: access.get(&(server.integration_id, server.workspace_id)),
                integration_mapped: mapped.get(&integration.id).cloned().unwrap_or_default(),
                integration,
                integration_layer,
                workspace,
                organisation_layer,
                in_force: in_force.clone(),
            };
            let server_mapped = mapped.get(&server.id).cloned().unwrap_or_default();
            let layers = ServerLayers::of(server, server_mapped, above)?;
            if deleted || !layers.is_deleted() {
                loaded.push(layers);
            }
        }
        Ok(loaded)
    }

    async fn integrations_of(
        self,
        db: &impl ConnectionTrait,
        servers: &[server::Model],
        scope: ServerScope<'_>,
    ) -> Result<HashMap<Uuid, (Arc<integration::Model>, Arc<AdvancedConfiguration>)>> {
        let mut select = integration::Entity::find();
        if !matches!(scope, ServerScope::All) {
            let ids: BTreeSet<_> = servers.iter().map(|server| server.integration_id).collect();
            select = select.filter(integration::Column::Id.is_in(ids));
        }
        let mut found = HashMap::new();
        for model in select.all(db).await? {
            let layer = parse_layer(model.configuration.as_deref(), "integration", model.id)?;
            found.insert(model.id, (Arc::new(model), Arc::new(layer)));
        }
        Ok(found)
    }

    async fn workspaces_of(
        self,
        db: &impl ConnectionTrait,
        servers: &[server::Model],
        scope: ServerScope<'_>,
    ) -> Result<HashMap<Uuid, Arc<workspace::Model>>> {
        let mut select = workspace::Entity::find();
        if !matches!(scope, ServerScope::All) {
            let ids: BTreeSet<_> = servers.iter().map(|server| server.workspace_id).collect();
            select = select.filter(workspace::Column::Id.is_in(ids));
        }
        Ok(select.all(db).await?.into_iter().map(|model| (model.id, Arc::new(model))).collect())
    }

    /// The newest revision of the organisation's layer. Servers may still have an earlier one.
    pub(crate) async fn organisation_layer(self, db: &impl ConnectionTrait) -> Result<AdvancedConfiguration> {
        let row = organisation::Entity::find().one(db).await?;
        parse_layer(
            row.as_ref().and_then(|row| row.configuration.as_deref()),
            "organisation",
            row.as_ref().map_or(Uuid::nil(), |row| row.id),
        )
    }

    /// What these layers, low to high from the organisation's to the server's, give for `(workspace, server)`;
    /// `withheld`: secrets of the organisation's layer stay away, because others than those who may write it chose the
    /// integration's address; `auth_type`: the integration's, where it is known.
    pub(crate) fn resolve(
        self,
        layers: [&AdvancedConfiguration; 4],
        names: (&str, &str),
        withheld: bool,
        auth_type: Option<AuthType>,
    ) -> Resolution {
        resolve_with(&self.registry.shared_settings(), layers, names, withheld, auth_type)
    }

    /// What is wanted for one server, whose registration is `row`.
    pub(crate) fn desired(self, layers: &ServerLayers, row: Option<&registration::Model>) -> Result<Desired> {
        self.desired_of(layers, layers.resolution().effective, row)
    }

    /// As [`Self::desired`], where `layers` are resolved already.
    pub(crate) fn desired_of(
        self,
        layers: &ServerLayers,
        effective: EffectiveMetadata,
        row: Option<&registration::Model>,
    ) -> Result<Desired> {
        let rules = self.registry.settings().life;
        let stopped = row.is_some_and(|row| row.stopped_at.is_some());
        let standing = if layers.is_deleted() || stopped {
            DesiredPresence::Absent
        } else if layers.enabled {
            DesiredPresence::Present
        } else {
            let since = row.and_then(|row| row.unwanted_since).map_or_else(|| self.registry.now(), moment);
            DesiredPresence::Suspended(since + rules.withdraw_after)
        };
        Ok(Desired {
            digest: effective.digest(),
            effective,
            mcp_url: layers.integration.url.clone(),
            transport: layers.integration.transport()?,
            auth_type: auth_type(&layers.integration)?,
            presence: standing,
            publishes_documents: layers.in_force.settings.cimd_public_url.is_some(),
            rules,
        })
    }
}

/// As [`Configurations::resolve`], with these shared settings.
fn resolve_with(
    shared: &SharedSettings,
    [organisation, integration, workspace, server]: [&AdvancedConfiguration; 4],
    names: (&str, &str),
    withheld: bool,
    auth_type: Option<AuthType>,
) -> Resolution {
    let callbacks = shared.callbacks();
    let mut resolution = resolve(
        &shared.branding,
        &[
            Layer { level: Level::Organisation, configuration: organisation },
            Layer { level: Level::Integration, configuration: integration },
            Layer { level: Level::Workspace, configuration: workspace },
            Layer { level: Level::Server, configuration: server },
        ],
        &ResolveContext { workspace: names.0, server: names.1, callbacks: &callbacks },
    );
    if let Some(auth_type) = auth_type.filter(|auth_type| auth_type.needs_client()) {
        fit_grants(&mut resolution, auth_type == AuthType::OauthClientCredentials);
    }
    if withheld {
        withhold_organisation_secrets(&mut resolution);
    }
    check_document(shared, &mut resolution);
    resolution
}

/// A Client ID Metadata Document that is demanded must be small enough to be read (INV-25).
fn check_document(shared: &SharedSettings, resolution: &mut Resolution) {
    let effective = &resolution.effective;
    let (Some(public), Method::Cimd) = (&shared.cimd_public_url, effective.registration.method) else {
        return;
    };
    let url = document_url(public, &"0".repeat(32));
    let document = client_id_document(&url, &effective.client_metadata, effective.is_admins("scope"));
    if let Err(failure) = document {
        let pointer = format!("/{CANONICAL_WRAPPER}");
        resolution.findings.push(Finding::error(pointer, failure.code, failure.message));
    }
}

/// Where a user who may not write the organisation's layer chose the address (a workspace its own integration's, a
/// manager any integration's), secrets of the organisation must not go there, neither in a registration nor through a
/// gateway nor in a test (INV-20).
fn withhold_organisation_secrets(resolution: &mut Resolution) {
    let from_organisation =
        |resolution: &Resolution, member: &str| resolution.origins.get(member) == Some(&Origin::Organisation);
    let mut withheld: Vec<String> = Vec::new();
    if from_organisation(resolution, "registration.initial_access_token")
        && resolution.effective.registration.initial_access_token.take().is_some()
    {
        withheld.push("registration.initial_access_token".to_owned());
    }
    let entered = resolution.effective.credentials.as_ref();
    if entered.is_some_and(|one| one.level == Level::Organisation && one.client_secret.is_some()) {
        resolution.effective.credentials = None;
        withheld.push("client_id".to_owned());
    }
    let members: Vec<String> = resolution.effective.gateway.keys().cloned().collect();
    for member in members {
        let holds_secret = resolution.effective.gateway.get(&member).is_some_and(holds_marker);
        if holds_secret && from_organisation(resolution, &member) {
            resolution.effective.gateway.shift_remove(&member);
            withheld.push(member);
        }
    }
    for member in withheld {
        resolution.origins.remove(&member);
        resolution.ignored.push(Ignored {
            member,
            level: Level::Organisation,
            value: serde_json::Value::String("secret".to_owned()),
            code: "secret_withheld".to_owned(),
            reason:
                "A secret of the organisation is not used for an integration whose address was chosen by a user who may not change the organisation's configuration. An admin who saves the address of an integration of the organisation again has it used."
                    .to_owned(),
        });
    }
}

fn holds_marker(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => parse_marker(text).is_some(),
        serde_json::Value::Array(items) => items.iter().any(holds_marker),
        serde_json::Value::Object(members) => members.values().any(holds_marker),
        _ => false,
    }
}

/// The revisions of the organisation's layer that these servers are resolved from.
pub(crate) async fn organisation_layers(
    db: &impl ConnectionTrait,
    servers: impl IntoIterator<Item = &server::Model>,
) -> Result<HashMap<i64, Arc<AdvancedConfiguration>>> {
    let row = organisation::Entity::find().one(db).await?;
    let row = row.ok_or_else(|| Error::not_found("organisation", ""))?;
    let mut revisions: BTreeSet<i64> =
        servers.into_iter().map(|server| server.organisation_revision).collect();
    let mut layers = HashMap::new();
    if revisions.remove(&row.configuration_revision) {
        let layer = parse_layer(row.configuration.as_deref(), "organisation", row.id)?;
        layers.insert(row.configuration_revision, Arc::new(layer));
    }
    if revisions.remove(&0) {
        layers.insert(0, Arc::new(AdvancedConfiguration::empty()));
    }
    if !revisions.is_empty() {
        let texts = texts_of(db, OwnerKind::Organisation.with_id(row.id), revisions).await?;
        for (number, text) in texts {
            layers.insert(number, Arc::new(parse_layer(text.as_deref(), "revision", row.id)?));
        }
    }
    Ok(layers)
}

async fn access_of(
    db: &impl ConnectionTrait,
    servers: &[server::Model],
    scope: ServerScope<'_>,
) -> Result<HashMap<(Uuid, Uuid), access::Model>> {
    let select = access::Entity::find();
    let select = match scope {
        ServerScope::All => select,
        ServerScope::Workspace(id) => select.filter(access::Column::WorkspaceId.eq(id.0)),
        ServerScope::Integration(id) => select.filter(access::Column::IntegrationId.eq(id.0)),
        ServerScope::Access(integration, workspaces) => select
            .filter(access::Column::IntegrationId.eq(integration.0))
            .filter(access::Column::WorkspaceId.is_in(workspaces.iter().copied())),
        ServerScope::Server(_) | ServerScope::Servers(_) => {
            let integrations: BTreeSet<_> = servers.iter().map(|server| server.integration_id).collect();
            let workspaces: BTreeSet<_> = servers.iter().map(|server| server.workspace_id).collect();
            select
                .filter(access::Column::IntegrationId.is_in(integrations))
                .filter(access::Column::WorkspaceId.is_in(workspaces))
        }
    };
    Ok(select.all(db).await?.into_iter().map(|row| ((row.integration_id, row.workspace_id), row)).collect())
}

pub(crate) fn auth_type(integration: &integration::Model) -> Result<AuthType> {
    integration.auth_type()
}

/// The one workspace and slug pair of each server, for pickers and messages.
pub(crate) fn names_of(
    layers: &ServerLayers,
) -> Result<(crate::WorkspaceRef, registry_core::slug::Slug, ServerId)> {
    Ok((
        workspaces::as_ref(&layers.workspace)?,
        crate::lookup::slugs::stored_slug(&layers.server.slug, "server", layers.server.id)?,
        ServerId(layers.server.id),
    ))
}
