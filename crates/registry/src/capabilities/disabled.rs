//! What servers may not offer, for documents of gateways.

use crate::Result;
use crate::capabilities::list::forbidden;
use crate::storage::entity::{capability, server_capability};
use registry_core::capability::CapabilityKind;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The capabilities that each of these servers (id, id of its integration) may not offer; servers that may offer everything are
/// absent.
pub(crate) async fn disabled(
    db: &impl ConnectionTrait,
    servers: &[(Uuid, Uuid)],
) -> Result<HashMap<Uuid, Vec<(CapabilityKind, String)>>> {
    let integrations: BTreeSet<Uuid> = servers.iter().map(|(_, integration)| *integration).collect();
    let above = capability::Entity::find()
        .filter(capability::Column::IntegrationId.is_in(integrations))
        .filter(capability::Column::Enabled.eq(false))
        .all(db)
        .await?;
    let own = server_capability::Entity::find()
        .filter(server_capability::Column::ServerId.is_in(servers.iter().map(|(server, _)| *server)))
        .filter(server_capability::Column::Enabled.eq(false))
        .all(db)
        .await?;
    let mut by_integration: HashMap<Uuid, Vec<capability::Model>> = HashMap::new();
    for row in above {
        by_integration.entry(row.integration_id).or_default().push(row);
    }
    let mut by_server: HashMap<Uuid, Vec<server_capability::Model>> = HashMap::new();
    for row in own {
        by_server.entry(row.server_id).or_default().push(row);
    }
    let mut disabled = HashMap::new();
    for (server, integration) in servers {
        let above = by_integration.get(integration).map_or(&[][..], Vec::as_slice);
        let own = by_server.get(server).map_or(&[][..], Vec::as_slice);
        if !above.is_empty() || !own.is_empty() {
            disabled.insert(*server, forbidden(above, own, *server)?);
        }
    }
    Ok(disabled)
}
