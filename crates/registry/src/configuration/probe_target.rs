//! Where a test of the connection or a look goes, and the headers that it takes along.

use crate::Result;
use crate::configuration::Configurations;
use crate::configuration::layers::{auth_type, parse_layer};
use crate::configuration::mapped_secrets::members_of;
use crate::lookup::integrations;
use crate::ports::upstream::ProbeTarget;
use crate::secrets::markers::open_markers;
use crate::storage::entity::integration;
use registry_core::metadata::{AdvancedConfiguration, EffectiveMetadata};
use registry_core::registration::AuthType;
use registry_core::secret::Secret;
use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value};

/// Example workspace and server slug, for what does not exist yet.
pub(crate) const EXAMPLE_NAMES: (&str, &str) = ("workspace", "server");

impl Configurations<'_> {
    /// An integration's MCP server, with the headers that the organisation and the integration configure, as they are at the
    /// moment of `read`.
    pub(crate) async fn target_of_integration(
        self,
        read: &DatabaseTransaction,
        model: &integration::Model,
    ) -> Result<ProbeTarget> {
        let organisation = self.organisation_layer(read).await?;
        let layer = parse_layer(model.configuration.as_deref(), "integration", model.id)?;
        let mapped = members_of(read, [model.id]).await?.remove(&model.id).unwrap_or_default();
        let layer = layer.with_members(&mapped);
        let nothing = AdvancedConfiguration::empty();
        let resolution = self.resolve(
            [&organisation, &layer, &nothing, &nothing],
            EXAMPLE_NAMES,
            model.withholds_organisation_secrets(),
            model.auth_type().ok(),
        );
        self.target(read, model, &resolution.effective).await
    }

    /// What is asked, with the secrets it takes as they are at the moment of `read`.
    pub(crate) async fn target(
        self,
        read: &DatabaseTransaction,
        integration: &integration::Model,
        effective: &EffectiveMetadata,
    ) -> Result<ProbeTarget> {
        Ok(ProbeTarget {
            url: integration.url.clone(),
            transport: integrations::transport(integration)?,
            headers: self.headers(read, auth_type(integration)?, &effective.gateway).await?,
        })
    }

    /// The headers that gateways send by themselves (INV-42): `headers` unless a token takes their place, and
    /// over them `passthrough_headers`.
    async fn headers(
        self,
        read: &DatabaseTransaction,
        auth_type: AuthType,
        gateway: &Map<String, Value>,
    ) -> Result<Vec<(String, Secret)>> {
        let own = gateway.get("headers").filter(|_| auth_type != AuthType::OauthAuto);
        let mut headers: Vec<(String, Secret)> = Vec::new();
        for map in [own, gateway.get("passthrough_headers")].into_iter().flatten() {
            let mut map = map.clone();
            open_markers(self.registry, read, &mut map).await?;
            let Value::Object(map) = map else { continue };
            for (name, value) in map {
                let Value::String(value) = value else { continue };
                headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
                headers.push((name, Secret::new(value)));
            }
        }
        Ok(headers)
    }
}
