//! What a text would do to the servers under its layer: compared one by one where they are few, in a sample where they are
//! many.

use crate::configuration::Configurations;
use crate::configuration::costs::{Affected, KnownClients};
use crate::configuration::impact::new_findings;
use crate::configuration::layers::{ServerLayers, ServerScope, auth_type};
use crate::configuration::row::ConfigurationRow;
use crate::{Actor, Result};
use registry_core::finding::Findings;
use registry_core::metadata::{AdvancedConfiguration, Resolution};
use registry_core::registration::Cost;
use std::sync::Arc;
use uuid::Uuid;

/// Maximum number of servers whose metadata is shown before and after.
const MAX_COMPARED: usize = 200;

/// What a text would change for one server.
#[derive(Clone, Debug)]
pub struct SentChange {
    /// Workspace slug.
    pub workspace: String,
    /// Server slug.
    pub server: String,
    /// The impact on its client; `None` where none is needed.
    pub cost: Option<Cost>,
    /// Whether a gateway has fetched its client, so that users may have signed in through it.
    pub is_used: bool,
    /// What is sent now and what would be; of the first 200 servers only.
    pub sent: Option<Box<(Resolution, Resolution)>>,
}

/// What a text would do.
#[derive(Default)]
pub(crate) struct Forecast {
    /// What it would add to the findings of servers.
    pub(crate) findings: Findings,
    pub(crate) affected: Affected,
    pub(crate) changes: Vec<SentChange>,
    /// The servers that were looked at, with the new text.
    pub(crate) servers: Vec<ServerLayers>,
}

impl Configurations<'_> {
    /// What `layer` in `layer_row` would do to the servers that `actor` sees; `wanted` is looked at in any case.
    pub(crate) async fn forecast(
        self,
        actor: &Actor,
        layer_row: &ConfigurationRow,
        layer: &Arc<AdvancedConfiguration>,
        wanted: Option<Uuid>,
    ) -> Result<Forecast> {
        let db = self.registry.db();
        let mut sample = layer_row.scope().servers().sample(db, actor.workspace()).await?;
        sample.ids.extend(wanted.filter(|id| !sample.ids.contains(id)));
        let mut servers = self.load(db, ServerScope::Servers(&sample.ids), false).await?;
        let clients = KnownClients::of(db, &servers).await?;
        let mut forecast = Forecast::default();
        for layers in &mut servers {
            let before = layers.resolution();
            match layer_row {
                ConfigurationRow::Organisation(_) => layers.organisation_layer = layer.clone(),
                ConfigurationRow::Integration(_) => layers.integration_layer = layer.clone(),
                ConfigurationRow::Access(_) => layers.workspace_layer = layer.clone(),
                ConfigurationRow::Server(_) => layers.server_layer = layer.clone(),
            }
            let after = layers.resolution();
            for finding in new_findings(layers, &before.findings.0, &after) {
                forecast.findings.push(finding);
            }
            if before.effective == after.effective {
                continue;
            }
            forecast.affected.servers += 1;
            let mut cost = None;
            if auth_type(&layers.integration)?.needs_client() {
                forecast.affected.registrations += 1;
                let (_, one) = clients.desired_and_cost(self.registry, layers, after.effective.clone())?;
                forecast.affected.add_cost(one);
                cost = Some(one);
            }
            forecast.changes.push(SentChange {
                workspace: layers.workspace.slug.clone(),
                server: layers.server.slug.clone(),
                cost,
                is_used: clients.is_used(layers),
                // Of a change that reaches everything, more than these are not read one by one.
                sent: (forecast.changes.len() < MAX_COMPARED).then(|| Box::new((before, after))),
            });
        }
        forecast.affected = forecast.affected.scaled(&sample);
        forecast.servers = servers;
        Ok(forecast)
    }
}
