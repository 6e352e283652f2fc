//! Preflight: everything about a registration but the registration itself. Nothing is saved, no secret is opened.

use crate::configuration::layers::{ServerScope, parse_layer};
use crate::configuration::mapped_secrets::members_of;
use crate::configuration::probe_target::EXAMPLE_NAMES;
use crate::configuration::{access_rows, layers};
use crate::integrations::Preflights;
use crate::integrations::crud::may_use_organisation_secrets;
use crate::lookup::{integrations, naming, slugs, workspaces};
use crate::ports::upstream::{Discovered, UNREACHABLE};
use crate::registration::brief::briefs;
use crate::registration::issuer_rate::reserve_slot_now;
use crate::storage::entity::{integration, sealed_value, workspace};
use crate::{Actor, Error, NewIntegration, RegistrationBrief, Result, SendPermit};
use futures_util::future::BoxFuture;
use registry_core::finding::Findings;
use registry_core::id::{IntegrationId, WorkspaceId};
use registry_core::known_servers::{KnownServer, recognise_found};
use registry_core::metadata::{AdvancedConfiguration, EffectiveMetadata, Resolution};
use registry_core::oauth::{Discovery, Exchange, Failure, FailureClass, document_url};
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::preflight::{Advice, AdviceInputs, Forecast, advise, forecast};
use registry_core::registration::{AuthType, Desired, DesiredPresence, RegistrationMethod, Transport};
use registry_core::slug::{Reference, Slug};
use sea_orm::EntityTrait;
use std::sync::{Arc, Mutex, PoisonError};

/// Values to use instead of the saved ones.
#[derive(Clone, Debug, Default)]
pub struct PreflightOverrides {
    /// The workspace to resolve for; the first that has a server of it when absent.
    pub workspace: Option<Reference>,
    /// Another address.
    pub url: Option<String>,
    /// Another Advanced Configuration, JSON text; cleared: none.
    pub configuration: Patch<String>,
}

/// The forecast of a registration.
#[derive(Debug)]
pub struct Preflight {
    /// Slug of the workspace it was resolved for; an example where there is none yet.
    pub workspace: String,
    /// Slug of the server it was resolved for; an example where there is none yet.
    pub server: String,
    /// The registration that this server has already.
    pub current: Option<RegistrationBrief>,
    /// The MCP address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The callbacks that would be registered.
    pub callbacks: Vec<String>,
    /// Every request that was sent, without secrets.
    pub trace: Vec<Exchange>,
    /// What was found.
    pub discovery: Option<Discovery>,
    /// The row of the table of known servers that the address or the authorization server leads to.
    pub known_server: Option<&'static KnownServer>,
    /// What would be done.
    pub forecast: Forecast,
    /// Whether an initial access token would be sent along.
    pub with_initial_access_token: bool,
    /// What can be foreseen.
    pub advice: Vec<Advice>,
    /// What was found in the configuration; no errors.
    pub findings: Findings,
}

/// What a preflight is run for.
struct PreflightInput {
    names: (String, String),
    /// The server, where there is one.
    server: Option<uuid::Uuid>,
    url: String,
    transport: Transport,
    auth_type: AuthType,
    resolution: Resolution,
    findings: Findings,
}

impl Preflights<'_> {
    /// What a registration of a saved integration would be, perhaps with other values than those saved.
    pub async fn run(
        self,
        actor: &Actor,
        reference: &Reference,
        overrides: PreflightOverrides,
    ) -> Result<Preflight> {
        actor.require(Permission::UpdateIntegrations)?;
        let mut model = integrations::find(self.registry.db(), actor, reference).await?;
        if let Some(url) = overrides.url {
            let url = self.registry.integrations().valid_url(&url)?;
            model.address_by_admin =
                may_use_organisation_secrets(actor) || url == model.url && model.address_by_admin;
            model.url = url;
        }
        let stored = model.configuration.as_deref();
        let (layer, mut findings) = if let Some(text) = overrides.configuration.change() {
            self.parse_overrides(text.as_deref(), stored)?
        } else {
            (parse_layer(stored, "integration", model.id)?, Findings::default())
        };
        let workspace =
            self.workspace_to_show(actor, overrides.workspace.as_ref(), model.workspace_id).await?;
        let (names, server, resolution) = self.resolve_for(actor, &model, layer, workspace.as_ref()).await?;
        findings.extend_below("/configurations", resolution.findings.clone());
        let auth_type = layers::auth_type(&model)?;
        let transport = model.transport()?;
        let url = model.url;
        self.execute(actor, PreflightInput { names, server, url, transport, auth_type, resolution, findings })
            .await
    }

    /// What a registration of an integration that is not saved yet would be.
    pub async fn run_new(self, actor: &Actor, new: NewIntegration) -> Result<Preflight> {
        actor.require(Permission::CreateIntegrations)?;
        let name = naming::name(&new.name, "/name")?;
        let url = self.registry.integrations().valid_url(&new.url)?;
        let (layer, mut findings) = self.parse_overrides(new.configuration.as_deref(), None)?;
        let workspace = self.workspace_to_show(actor, new.workspace.as_ref(), None).await?;
        let server = match new.slug {
            Some(text) => slugs::given_integration_slug(&text)?,
            None => Slug::from_name(&name),
        };
        let server = server.to_string();
        let names = (workspace.as_ref().map_or(EXAMPLE_NAMES.0.to_owned(), |one| one.slug.clone()), server);
        let organisation = self.registry.configurations().organisation_layer(self.registry.db()).await?;
        let nothing = AdvancedConfiguration::empty();
        let resolution = self.registry.configurations().resolve(
            [&organisation, &layer, &nothing, &nothing],
            (&names.0, &names.1),
            workspace.is_some() || !may_use_organisation_secrets(actor),
            Some(new.auth_type),
        );
        findings.extend_below("/configurations", resolution.findings.clone());
        let (transport, auth_type, server) = (new.transport, new.auth_type, None);
        self.execute(actor, PreflightInput { names, server, url, transport, auth_type, resolution, findings })
            .await
    }

    /// Runs discovery and forecasts the registration.
    async fn execute(self, actor: &Actor, input: PreflightInput) -> Result<Preflight> {
        let PreflightInput { names, server, url, transport, auth_type, resolution, findings } = input;
        let effective = resolution.effective.clone();
        let shared = self.registry.shared_settings();
        let desired = Desired {
            digest: effective.digest(),
            effective,
            mcp_url: url.clone(),
            transport,
            auth_type,
            presence: DesiredPresence::Present,
            publishes_documents: shared.cimd_public_url.is_some(),
            rules: self.registry.settings().life,
        };
        let Discovered { result, trace, .. } = if auth_type.needs_client() {
            self.discover(actor, &desired).await?
        } else {
            let nothing = Failure::new(FailureClass::Configuration, "not_needed", "Nothing is looked for.");
            Discovered { result: Err(nothing), trace: Vec::new(), other_resource: None }
        };
        let document = document_url(shared.cimd_public_url.as_deref().unwrap_or_default(), "{id}");
        let forecast = forecast(&desired, &result, &document, self.registry.now());
        let bound_to = self.bound_issuer(&desired.effective, forecast.method).await?;
        let discovery = result.ok();
        let broken_logo = self.registry.logos().broken_logo(&desired.effective.client_metadata).await?;
        let advice = discovery.as_ref().map_or_else(Vec::new, |discovery| {
            advise(&AdviceInputs {
                resolution: &resolution,
                discovery,
                forecast: &forecast,
                secret_bound_to: bound_to.as_deref(),
                broken_logo: broken_logo.as_ref().map(|(url, what)| (url.as_str(), what.as_str())),
            })
        });
        let token = desired.effective.registration.initial_access_token.is_some();
        let current = match server {
            Some(server) => briefs(self.registry.db(), [server], self.registry.now()).await?.remove(&server),
            None => None,
        };
        Ok(Preflight {
            workspace: names.0,
            server: names.1,
            current,
            url,
            auth_type,
            callbacks: shared.callbacks(),
            known_server: recognise_found(&desired.mcp_url, discovery.as_ref(), &trace),
            trace,
            discovery,
            with_initial_access_token: token && forecast.method == Some(RegistrationMethod::Dcr),
            forecast,
            advice,
            findings,
        })
    }

    /// Discovery within the budgets of the authorization servers, which ends in bounded time and says nothing of the
    /// operator's network.
    pub(crate) async fn discover(self, actor: &Actor, desired: &Desired) -> Result<Discovered> {
        let refused: Mutex<Option<Error>> = Mutex::new(None);
        let gate = |issuer: String| -> BoxFuture<'_, std::result::Result<(), Failure>> {
            let refused = &refused;
            Box::pin(async move {
                let error = match reserve_slot_now(self.registry, actor, &issuer).await {
                    Ok(SendPermit::Now) => return Ok(()),
                    Ok(SendPermit::At(moment)) => Error::TooSoon { until: moment, now: self.registry.now() },
                    Err(error) => error,
                };
                refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                Err(Failure::new(FailureClass::Transient, "issuer_busy", "It is not asked now."))
            })
        };
        let limit = self.registry.settings().lease * 2 / 3;
        let found = tokio::time::timeout(limit, self.registry.upstream().discover(desired, &gate)).await;
        if let Some(error) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        let mut found = found.unwrap_or_else(|_| {
            let message = "The upstream answers too slowly to be discovered.";
            let failure = Failure::new(FailureClass::Transient, "upstream_slow", message);
            Discovered { result: Err(failure), trace: Vec::new(), other_resource: None }
        });
        for exchange in &mut found.trace {
            redact_network_errors(exchange);
        }
        found.result = found.result.map_err(|failure| {
            let unanswered = found.trace.last().is_some_and(|last| last.status.is_none());
            if unanswered && failure.class != FailureClass::Protocol {
                Failure::new(FailureClass::Transient, "unreachable", UNREACHABLE)
            } else {
                failure
            }
        });
        Ok(found)
    }

    /// The workspace that was asked for, or the only one that can be meant.
    async fn workspace_to_show(
        self,
        actor: &Actor,
        asked: Option<&Reference>,
        owner: Option<uuid::Uuid>,
    ) -> Result<Option<workspace::Model>> {
        let only = actor.workspace().map(|own| own.0).or(owner).map(Reference::Id);
        match asked.or(only.as_ref()) {
            Some(reference) => workspaces::find(self.registry.db(), actor, reference).await.map(Some),
            None => Ok(None),
        }
    }

    /// Names, server and metadata as they are for a server of `model` with this `layer`: for the one in `workspace`, else
    /// the first there is, else one as it would be made.
    async fn resolve_for(
        self,
        actor: &Actor,
        model: &integration::Model,
        layer: AdvancedConfiguration,
        workspace: Option<&workspace::Model>,
    ) -> Result<((String, String), Option<uuid::Uuid>, Resolution)> {
        let fits = |layers: &layers::ServerLayers| {
            actor.sees(WorkspaceId(layers.workspace.id))
                && workspace.is_none_or(|workspace| workspace.id == layers.workspace.id)
        };
        let scope = ServerScope::Integration(IntegrationId(model.id));
        let servers = self.registry.configurations().load(self.registry.db(), scope, false).await?;
        if let Some(mut layers) = servers.into_iter().find(fits) {
            layers.integration_layer = Arc::new(layer);
            layers.integration = Arc::new(model.clone());
            let resolution = layers.resolution();
            let names = (layers.workspace.slug.clone(), layers.server.slug.clone());
            return Ok((names, Some(layers.server.id), resolution));
        }
        let of_workspace = match workspace {
            Some(workspace) => {
                let (integration, workspace) = (Reference::Id(model.id), Reference::Id(workspace.id));
                let row =
                    access_rows::find(self.registry, self.registry.db(), actor, &integration, &workspace)
                        .await?;
                parse_layer(row.configuration.as_deref(), "access", row.id)?
            }
            None => AdvancedConfiguration::empty(),
        };
        let organisation = self.registry.configurations().organisation_layer(self.registry.db()).await?;
        let mapped = members_of(self.registry.db(), [model.id]).await?.remove(&model.id).unwrap_or_default();
        let layer = layer.with_members(&mapped);
        let name = workspace.map_or(EXAMPLE_NAMES.0, |workspace| &workspace.slug).to_owned();
        let resolution = self.registry.configurations().resolve(
            [&organisation, &layer, &of_workspace, &AdvancedConfiguration::empty()],
            (&name, &model.slug),
            model.withholds_organisation_secrets(),
            model.auth_type().ok(),
        );
        Ok(((name, model.slug.clone()), None, resolution))
    }

    /// A configuration as if it were saved; refused as saving would refuse it.
    fn parse_overrides(
        self,
        text: Option<&str>,
        stored: Option<&str>,
    ) -> Result<(AdvancedConfiguration, Findings)> {
        let Some(text) = text else { return Ok((AdvancedConfiguration::empty(), Findings::default())) };
        let (found, layer) = self.registry.configurations().parse_unsaved(text, stored)?;
        let mut findings = Findings::default();
        findings.extend_below("/configurations", found);
        let findings = findings.into_result().map_err(Error::Invalid)?;
        Ok((layer.unwrap_or_default(), findings))
    }

    /// The issuer that the secret of this method was first used with, if it is stored and was used.
    async fn bound_issuer(
        self,
        effective: &EffectiveMetadata,
        method: Option<RegistrationMethod>,
    ) -> Result<Option<String>> {
        let sealed = match method {
            Some(RegistrationMethod::Dcr) => effective.registration.initial_access_token,
            Some(RegistrationMethod::PreRegistered) => {
                effective.credentials.as_ref().and_then(|credentials| credentials.client_secret)
            }
            Some(RegistrationMethod::Cimd) | None => None,
        };
        let Some(sealed) = sealed else { return Ok(None) };
        let row = sealed_value::Entity::find_by_id(sealed.0).one(self.registry.db()).await?;
        Ok(row.and_then(|row| row.bound_to))
    }
}

/// An exchange without what an unanswered request tells of the network.
pub(crate) fn redact_network_errors(exchange: &mut Exchange) {
    if exchange.status.is_none() {
        tracing::info!(url = %exchange.url, reason = %exchange.note, "an upstream did not answer");
        UNREACHABLE.clone_into(&mut exchange.note);
    }
}
