//! The five layers of servers as they stand in the database, and what follows from a change to one of them.

use crate::budget::origin_of;
use crate::costs::{Affected, KnownClients};
use crate::entity::{access, integration, organisation, registration, server, workspace};
use crate::generations::{InForce, SharedSettings};
use crate::secret_mappings::members_of;
use crate::stored::moment;
use crate::write::Write;
use crate::{Error, Registry, Result, workspaces};
use registry_core::finding::{Finding, Findings};
use registry_core::id::{IntegrationId, ServerId, WorkspaceId};
use registry_core::metadata::{
    AdvancedConfiguration, CANONICAL_WRAPPER, Ignored, Layer, Level, Method, Origin, Resolution,
    ResolveContext, parse_marker, resolve,
};
use registry_core::oauth::{client_id_document, document_url};
use registry_core::registration::{AuthType, Cost, Desired, DesiredPresence, State};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Which servers are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    All,
    Workspace(WorkspaceId),
    Integration(IntegrationId),
    Access(IntegrationId, WorkspaceId),
    Server(ServerId),
    Servers(&'a [Uuid]),
}

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
    pub(crate) server_layer: Arc<AdvancedConfiguration>,
    /// Members of the integration's layer that come from the operator's secrets.
    pub(crate) integration_mapped: Arc<Map<String, Value>>,
    /// The same of the server's layer.
    pub(crate) server_mapped: Arc<Map<String, Value>>,
    /// The shared settings below all layers: one generation of them for everything that is worked out from here.
    pub(crate) in_force: Arc<InForce>,
}

impl ServerLayers {
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
        )
    }
}

/// Whether a workspace may use an integration: its own always; another's never; an organisation-wide one by its
/// access row, or for all.
pub(crate) fn access_enabled(
    integration: &integration::Model,
    row: Option<&access::Model>,
    workspace: WorkspaceId,
) -> bool {
    match integration.workspace_id {
        Some(owner) => owner == workspace.0,
        None => row.and_then(|row| row.enabled).unwrap_or(integration.global_access),
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

impl Registry {
    /// The live servers in `scope` with their layers, by workspace and slug; with `deleted` also the deleted ones.
    pub(crate) async fn load_layers(
        &self,
        db: &impl ConnectionTrait,
        scope: Scope<'_>,
        deleted: bool,
    ) -> Result<Vec<ServerLayers>> {
        let mut select = server::Entity::find();
        if !deleted {
            select = select.filter(server::Column::DeletedAt.is_null());
        }
        select = match scope {
            Scope::All => select,
            Scope::Workspace(id) => select.filter(server::Column::WorkspaceId.eq(id.0)),
            Scope::Integration(id) => select.filter(server::Column::IntegrationId.eq(id.0)),
            Scope::Access(integration, workspace) => select
                .filter(server::Column::IntegrationId.eq(integration.0))
                .filter(server::Column::WorkspaceId.eq(workspace.0)),
            Scope::Server(id) => select.filter(server::Column::Id.eq(id.0)),
            Scope::Servers(ids) => select.filter(server::Column::Id.is_in(ids.iter().copied())),
        };
        let servers = select
            .order_by_asc(server::Column::WorkspaceId)
            .order_by_asc(server::Column::SlugKey)
            .all(db)
            .await?;
        if servers.is_empty() {
            return Ok(Vec::new());
        }
        let in_force = self.in_force();
        let organisation_layer = Arc::new(self.organisation_layer(db).await?);
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
            let row = access.get(&(server.integration_id, server.workspace_id));
            let workspace_layer = parse_layer(
                row.and_then(|row| row.configuration.as_deref()),
                "access",
                row.map_or(server.id, |row| row.id),
            )?;
            let server_layer = parse_layer(server.configuration.as_deref(), "server", server.id)?;
            loaded.push(ServerLayers {
                integration_mapped: mapped.get(&integration.id).cloned().unwrap_or_default(),
                server_mapped: mapped.get(&server.id).cloned().unwrap_or_default(),
                enabled: integration.enabled && access_enabled(&integration, row, WorkspaceId(workspace.id)),
                server,
                integration,
                workspace,
                organisation_layer: organisation_layer.clone(),
                integration_layer,
                workspace_layer: Arc::new(workspace_layer),
                server_layer: Arc::new(server_layer),
                in_force: in_force.clone(),
            });
        }
        Ok(loaded)
    }

    async fn integrations_of(
        &self,
        db: &impl ConnectionTrait,
        servers: &[server::Model],
        scope: Scope<'_>,
    ) -> Result<HashMap<Uuid, (Arc<integration::Model>, Arc<AdvancedConfiguration>)>> {
        let mut select = integration::Entity::find();
        if !matches!(scope, Scope::All) {
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
        &self,
        db: &impl ConnectionTrait,
        servers: &[server::Model],
        scope: Scope<'_>,
    ) -> Result<HashMap<Uuid, Arc<workspace::Model>>> {
        let mut select = workspace::Entity::find();
        if !matches!(scope, Scope::All) {
            let ids: BTreeSet<_> = servers.iter().map(|server| server.workspace_id).collect();
            select = select.filter(workspace::Column::Id.is_in(ids));
        }
        Ok(select.all(db).await?.into_iter().map(|model| (model.id, Arc::new(model))).collect())
    }

    /// The organisation's layer.
    pub(crate) async fn organisation_layer(
        &self,
        db: &impl ConnectionTrait,
    ) -> Result<AdvancedConfiguration> {
        let row = organisation::Entity::find().one(db).await?;
        parse_layer(
            row.as_ref().and_then(|row| row.configuration.as_deref()),
            "organisation",
            row.as_ref().map_or(Uuid::nil(), |row| row.id),
        )
    }

    /// What these layers, low to high from the organisation's to the server's, give for `(workspace, server)`;
    /// `withheld`: secrets of the organisation's layer stay away, because others than those who may write it chose the
    /// integration's address.
    pub(crate) fn resolve_layers(
        &self,
        layers: [&AdvancedConfiguration; 4],
        names: (&str, &str),
        withheld: bool,
    ) -> Resolution {
        resolve_with(&self.shared_settings(), layers, names, withheld)
    }

    /// What is wanted for one server, whose registration is `row`.
    pub(crate) fn desired(
        &self,
        layers: &ServerLayers,
        row: Option<&registration::Model>,
    ) -> Result<Desired> {
        let effective = layers.resolution().effective;
        let rules = self.settings().life;
        let stopped = row.is_some_and(|row| row.stopped_at.is_some());
        let standing = if layers.server.deleted_at.is_some() || stopped {
            DesiredPresence::Absent
        } else if layers.enabled {
            DesiredPresence::Present
        } else {
            let since = row.and_then(|row| row.unwanted_since).map_or_else(|| self.now(), moment);
            DesiredPresence::Suspended(since + rules.withdraw_after)
        };
        Ok(Desired {
            digest: effective.digest(),
            effective,
            mcp_url: layers.integration.url.clone(),
            auth_type: auth_type(&layers.integration)?,
            presence: standing,
            publishes_documents: layers.in_force.settings.cimd_public_url.is_some(),
            rules,
        })
    }
}

/// As [`Registry::resolve_layers`], above these shared settings.
fn resolve_with(
    shared: &SharedSettings,
    [organisation, integration, workspace, server]: [&AdvancedConfiguration; 4],
    names: (&str, &str),
    withheld: bool,
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
    if withheld {
        withhold_organisation_secrets(&mut resolution);
    }
    check_document(shared, &mut resolution);
    resolution
}

/// A Client ID Metadata Document that is demanded must be small enough to be read (`standards.md` §5.3).
fn check_document(shared: &SharedSettings, resolution: &mut Resolution) {
    let effective = &resolution.effective;
    let (Some(public), Method::Cimd) = (&shared.cimd_public_url, effective.registration.method) else {
        return;
    };
    let url = document_url(public, &"0".repeat(32));
    let document = client_id_document(&url, &effective.client_metadata, effective.scope_is_admins);
    if let Err(failure) = document {
        let pointer = format!("/{CANONICAL_WRAPPER}");
        resolution.findings.push(Finding::error(pointer, failure.code, failure.message));
    }
}

/// Where somebody who may not write the organisation's layer chose the address (a workspace its own integration's, a
/// manager any integration's), secrets of the organisation must not go there, neither in a registration nor through a
/// gateway nor in a test (`domain.md` §4).
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
                "A secret of the organisation is not used for an integration whose address was chosen by somebody who may not change the organisation's configuration. An admin who saves the address of an integration of the organisation again has it used."
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

async fn access_of(
    db: &impl ConnectionTrait,
    servers: &[server::Model],
    scope: Scope<'_>,
) -> Result<HashMap<(Uuid, Uuid), access::Model>> {
    let select = access::Entity::find();
    let select = match scope {
        Scope::All => select,
        Scope::Workspace(id) => select.filter(access::Column::WorkspaceId.eq(id.0)),
        Scope::Integration(id) => select.filter(access::Column::IntegrationId.eq(id.0)),
        Scope::Access(integration, workspace) => select
            .filter(access::Column::IntegrationId.eq(integration.0))
            .filter(access::Column::WorkspaceId.eq(workspace.0)),
        Scope::Server(_) | Scope::Servers(_) => {
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
    crate::stored::word(AuthType::parse, &integration.auth_type, "integration", "auth_type", integration.id)
}

/// What becomes of clients that are not as wanted after a change, where only a new one would be: people who signed in
/// through the old one must then sign in again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacements {
    /// As `registration.replace` and the rules say (`domain.md` §5 rule 6).
    #[default]
    ByRule,
    /// None is replaced because of this change: they serve on as `outdated` until somebody approves. The next change that
    /// reaches them is decided anew.
    Held,
}

/// The state of some servers before a change, to see afterwards what the change did to each.
pub(crate) struct Before {
    scope: Scope<'static>,
    servers: HashMap<Uuid, (ServerLayers, Resolution)>,
    replacements: Replacements,
}

impl Before {
    pub(crate) async fn take(write: &Write<'_>, scope: Scope<'static>) -> Result<Self> {
        let loaded = write.registry.load_layers(&write.txn, scope, false).await?;
        let servers = loaded
            .into_iter()
            .map(|layers| {
                let resolution = layers.resolution();
                (layers.server.id, (layers, resolution))
            })
            .collect();
        Ok(Self { scope, servers, replacements: Replacements::ByRule })
    }

    /// The same with a say in when clients are replaced.
    pub(crate) fn with(self, replacements: Replacements) -> Self {
        Self { replacements, ..self }
    }

    /// Judges each server after the change and wakes its registration where something changed. Refuses a change that
    /// would leave a server with metadata that contradict each other; `pointer` is where the change was made.
    pub(crate) async fn settle(
        self,
        write: &mut Write<'_>,
        pointer: &str,
        because: &str,
    ) -> Result<Affected> {
        let mut affected = Affected::default();
        let mut broken = Findings::default();
        let servers = write.registry.load_layers(&write.txn, self.scope, false).await?;
        let clients = KnownClients::of(&write.txn, &servers).await?;
        for layers in servers {
            let resolution = layers.resolution();
            let name = format!("{}/{}", layers.workspace.slug, layers.server.slug);
            let old = self.servers.get(&layers.server.id);
            let known: &[Finding] = old.map_or(&[], |(_, old)| &old.findings.0);
            for finding in resolution.findings.iter().filter(|finding| !known.contains(finding)) {
                let mut finding = finding.clone().below(pointer);
                finding.message = format!("For the server {name}: {}", finding.message);
                broken.push(finding);
            }
            let unchanged = old.is_some_and(|(old_layers, old)| {
                old.effective == resolution.effective
                    && old_layers.integration.url == layers.integration.url
                    && old_layers.integration.auth_type == layers.integration.auth_type
                    && old_layers.integration.transport == layers.integration.transport
                    && old_layers.enabled == layers.enabled
            });
            if unchanged {
                continue;
            }
            affected.servers += 1;
            let workspace = WorkspaceId(layers.workspace.id);
            write.server_changed(workspace, ServerId(layers.server.id));
            if wake(write, &layers, because).await? {
                affected.registrations += 1;
                let cost = clients.cost(write.registry, &layers)?;
                affected.count(match self.replacements {
                    Replacements::Held if hold(write, &layers).await? && cost == Cost::Replaced => {
                        Cost::Asked
                    }
                    _ => cost,
                });
            }
        }
        if broken.has_errors() {
            return Err(Error::Invalid(broken));
        }
        Ok(affected)
    }
}

/// Makes the registration of a server due now, creating it where one is needed. True if there is one.
pub(crate) async fn wake(write: &mut Write<'_>, layers: &ServerLayers, because: &str) -> Result<bool> {
    let now = write.millis();
    let row = registration::Entity::find()
        .filter(registration::Column::ServerId.eq(layers.server.id))
        .lock_exclusive()
        .one(&write.txn)
        .await?;
    let Some(row) = row else {
        if !auth_type(&layers.integration)?.needs_client() {
            return Ok(false);
        }
        registration::ActiveModel {
            id: Set(write.registry.new_id()),
            server_id: Set(layers.server.id),
            state: Set(State::Queued.as_str().to_owned()),
            due_at: Set(now),
            wanted: Set(1),
            wanted_because: Set(Some(because.to_owned())),
            unwanted_since: Set((!layers.enabled).then_some(now)),
            upstream: Set(Some(origin_of(&layers.integration.url))),
            failures: Set(0),
            lost_answers: Set(0),
            lease_until: Set(0),
            fence: Set(0),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        }
        .insert(&write.txn)
        .await?;
        return Ok(true);
    };
    let mut changed = registration::ActiveModel {
        id: Set(row.id),
        wanted: Set(row.wanted + 1),
        wanted_because: Set(Some(because.to_owned())),
        due_at: Set(now),
        updated_at: Set(now),
        unwanted_since: Set(if layers.enabled { None } else { row.unwanted_since.or(Some(now)) }),
        ..Default::default()
    };
    // What a person had to mend may be mended now: say so at once instead of showing the old failure.
    if row.state == State::Failed.as_str() || row.state == State::Withdrawn.as_str() {
        changed.state = Set(State::Queued.as_str().to_owned());
        changed.reason = Set(None);
        changed.detail = Set(None);
        changed.error = Set(None);
        changed.error_description = Set(None);
    }
    changed.update(&write.txn).await?;
    Ok(true)
}

/// Notes that the client of a server is not replaced for what is wanted now unless a person approves. True if it holds.
async fn hold(write: &Write<'_>, layers: &ServerLayers) -> Result<bool> {
    let row = registration::Entity::find()
        .filter(registration::Column::ServerId.eq(layers.server.id))
        .one(&write.txn)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let held = write.registry.desired(layers, Some(&row))?.inputs();
    registration::ActiveModel { id: Set(row.id), held: Set(Some(held)), ..Default::default() }
        .update(&write.txn)
        .await?;
    Ok(true)
}

/// The one workspace and slug pair of each server, for pickers and messages.
pub(crate) fn names_of(
    layers: &ServerLayers,
) -> Result<(crate::WorkspaceRef, registry_core::slug::Slug, ServerId)> {
    Ok((
        workspaces::as_ref(&layers.workspace)?,
        workspaces::stored_slug(&layers.server.slug, "server", layers.server.id)?,
        ServerId(layers.server.id),
    ))
}
