//! Dry run of an Advanced Configuration: findings, the metadata that would be sent, and the impact on clients.

use crate::configuration::costs::Affected;
use crate::configuration::forecast::{Forecast, SentChange};
use crate::configuration::layers::ServerScope;
use crate::configuration::row::{ConfigurationRow, ConfigurationScope};
use crate::configuration::{Configurations, layers};
use crate::lookup::servers;
use crate::lookup::servers::ServerRef;
use crate::{Actor, Error, Result, WorkspaceRef};
use registry_core::finding::Findings;
use registry_core::id::{SealedId, ServerId};
use registry_core::metadata::{
    AdvancedConfiguration, KnownSecrets, Layer, Level, Resolution, ResolveContext, resolve, verify,
};
use registry_core::permission::Permission;
use registry_core::slug::Slug;
use std::sync::Arc;
use uuid::Uuid;

/// A configuration to check without saving it.
#[derive(Clone, Debug)]
pub struct Check {
    /// Where it would be saved; `None`: on an integration that does not exist yet.
    pub subject: Option<ConfigurationScope>,
    /// The JSON text.
    pub text: String,
    /// The server to show; `None`: the first affected one, or an example.
    pub preview: Option<ServerRef>,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Everything found, with line and column.
    pub findings: Findings,
    /// What would be sent; `None` while the text has errors.
    pub preview: Option<Preview>,
    /// What saving it would reach.
    pub affected: Affected,
    /// The servers for which something else would be sent, by workspace and slug.
    pub changes: Vec<SentChange>,
    /// Workspace and server slug of the servers the level lies under, at most 200, for choosing one to look at; none
    /// while the text has errors.
    pub servers: Vec<(String, String)>,
}

/// Maximum number of servers to choose from.
const MAX_CHOICES: usize = 200;

/// What would be sent for one server.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Workspace slug.
    pub workspace: String,
    /// Server slug.
    pub server: String,
    /// Slug of the server's integration; `None`: the server is an example.
    pub integration: Option<String>,
    /// The resolved metadata with their origins.
    pub resolution: Resolution,
    /// Digest of the effective metadata.
    pub digest: String,
}
impl Configurations<'_> {
    /// Validates a text and shows what it would send. Saves nothing.
    pub async fn check(self, actor: &Actor, check: Check) -> Result<Checked> {
        actor.require(Permission::CheckConfiguration)?;
        let layer_row = match &check.subject {
            Some(scope) => Some(self.row(self.registry.db(), actor, scope, false).await?),
            None => None,
        };
        self.dry_run(actor, layer_row.as_ref(), &check.text, check.preview.as_ref()).await
    }

    /// As [`Self::check`], for a text that would be saved in `layer_row`; `None`: in an integration that does not exist yet.
    pub(crate) async fn dry_run(
        self,
        actor: &Actor,
        layer_row: Option<&ConfigurationRow>,
        text: &str,
        preview: Option<&ServerRef>,
    ) -> Result<Checked> {
        let (mut findings, layer) = self.parse_unsaved(text, layer_row.and_then(ConfigurationRow::text))?;
        let Some(layer) = layer.map(Arc::new) else {
            return Ok(Checked { findings, ..Checked::default() });
        };
        let wanted = match preview {
            Some(reference) => Some(servers::find(self.registry.db(), actor, reference).await?.id),
            None => None,
        };
        let forecast = match layer_row {
            Some(layer_row) => self.forecast(actor, layer_row, &layer, wanted).await?,
            None => Forecast::default(),
        };
        findings.0.extend(forecast.findings.0);
        let preview = self.preview(wanted, &forecast.servers, layer_row, &layer).await?;
        let servers = forecast
            .servers
            .iter()
            .take(MAX_CHOICES)
            .map(|layers| (layers.workspace.slug.clone(), layers.server.slug.clone()))
            .collect();
        Ok(Checked {
            findings,
            preview: Some(preview),
            affected: forecast.affected,
            changes: forecast.changes,
            servers,
        })
    }

    /// What was found in a text, and the layer it would be beside the `stored` one; `None` if it has errors. Nothing is
    /// sealed.
    pub(crate) fn parse_unsaved(
        self,
        text: &str,
        stored: Option<&str>,
    ) -> Result<(Findings, Option<AdvancedConfiguration>)> {
        let verified = verify(text, &stored.map(KnownSecrets::of).unwrap_or_default());
        let findings = verified.findings.clone();
        if verified.has_errors() {
            return Ok((findings, None));
        }
        // Ids of secrets that are not stored yet only need to differ from every stored one.
        let ids: Vec<SealedId> =
            verified.new_secrets().iter().map(|_| SealedId(self.registry.new_id())).collect();
        let text = verified.sealed_text(&ids).unwrap_or_default();
        let layer =
            AdvancedConfiguration::from_stored(&text).map_err(|_| Error::Internal("verified text".into()))?;
        Ok((findings, Some(layer)))
    }

    /// The servers a level lies under, at most 200, for choosing one to look at.
    pub async fn affected_servers(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
    ) -> Result<Vec<(WorkspaceRef, Slug, ServerId)>> {
        let layer_row = self.row(self.registry.db(), actor, scope, false).await?;
        let sample = layer_row.scope().servers().sample(self.registry.db(), actor.workspace()).await?;
        let ids = &sample.ids[..sample.ids.len().min(MAX_CHOICES)];
        let servers = self.load(self.registry.db(), ServerScope::Servers(ids), false).await?;
        servers.iter().map(layers::names_of).collect()
    }

    async fn preview(
        self,
        wanted: Option<Uuid>,
        servers: &[layers::ServerLayers],
        layer_row: Option<&ConfigurationRow>,
        layer: &AdvancedConfiguration,
    ) -> Result<Preview> {
        let chosen = servers.iter().find(|layers| Some(layers.server.id) == wanted).or(servers.first());
        let integration = chosen.map(|layers| layers.integration.slug.clone());
        let (workspace, server, resolution) = if let Some(layers) = chosen {
            (layers.workspace.slug.clone(), layers.server.slug.clone(), layers.resolution())
        } else {
            // No server yet: show an example, so that a first configuration can be validated before anything exists.
            let organisation_layer = self.organisation_layer(self.registry.db()).await?;
            let layers = match layer_row {
                Some(ConfigurationRow::Organisation(_)) => {
                    vec![Layer { level: Level::Organisation, configuration: layer }]
                }
                _ => vec![
                    Layer { level: Level::Organisation, configuration: &organisation_layer },
                    Layer { level: Level::Integration, configuration: layer },
                ],
            };
            let shared = self.registry.shared_settings();
            let callbacks = shared.callbacks();
            let (workspace, server) = ("workspace".to_owned(), "server".to_owned());
            let context = ResolveContext { workspace: &workspace, server: &server, callbacks: &callbacks };
            let resolution = resolve(&shared.branding, &layers, &context);
            (workspace, server, resolution)
        };
        let digest = resolution.effective.digest();
        Ok(Preview { workspace, server, integration, resolution, digest })
    }
}
