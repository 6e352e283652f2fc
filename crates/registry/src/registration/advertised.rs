//! What an authorization server advertises, as far as it matters for the author of client metadata.

use crate::lookup::servers;
use crate::lookup::servers::ServerRef;
use crate::registration::Registrations;
use crate::storage::entity::registration;
use crate::{Actor, Error, Result};
use registry_core::oauth::{AuthorizationServerMetadata, Discovery};
use registry_core::permission::Permission;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// What the authorization server of one server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Its issuer.
    pub issuer: String,
    /// `token_endpoint_auth_methods_supported`; `None` where it lists none.
    pub auth_methods: Option<Vec<String>>,
    /// Scopes worth asking for: of the challenge, else those the resource or the authorization server lists.
    pub scopes: Vec<String>,
}

impl Registrations<'_> {
    /// What was found when the server's authorization server was last looked for; `None` if it never was.
    pub async fn advertised(self, actor: &Actor, server: &ServerRef) -> Result<Option<Advertised>> {
        actor.require(Permission::ReadServers)?;
        let server = servers::find(self.registry.db(), actor, server).await?;
        let row = registration::Entity::find()
            .filter(registration::Column::ServerId.eq(server.id))
            .one(self.registry.db())
            .await?;
        let Some((id, text)) = row.and_then(|row| row.discovery.map(|text| (row.id, text))) else {
            return Ok(None);
        };
        let found: Discovery =
            serde_json::from_str(&text).map_err(|_| Error::corrupt("registration", "discovery", id))?;
        let metadata = AuthorizationServerMetadata(&found.metadata);
        let auth_methods = metadata.token_endpoint_auth_methods_supported();
        let listed = metadata.scopes_supported().unwrap_or_default();
        let scopes = if found.scopes.is_empty() { listed } else { found.scopes };
        Ok(Some(Advertised { issuer: found.issuer, auth_methods, scopes }))
    }
}
