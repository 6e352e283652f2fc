//! Rows of capabilities as values.

use crate::storage::columns::json;
use crate::storage::entity::{capability, server_capability};
use crate::{Error, Result};
use registry_core::capability::CapabilityKind;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Kind and key of a capability.
pub(super) type Name = (CapabilityKind, String);

/// The rows of one integration, by name.
pub(super) async fn of_integration(
    db: &impl ConnectionTrait,
    integration: Uuid,
) -> Result<BTreeMap<Name, capability::Model>> {
    let rows = capability::Entity::find()
        .filter(capability::Column::IntegrationId.eq(integration))
        .order_by_asc(capability::Column::Kind)
        .all(db)
        .await?;
    rows.into_iter().map(|row| Ok(((kind(&row.kind, integration)?, row.key.clone()), row))).collect()
}

/// The rows of one server, by name.
pub(super) async fn of_server(
    db: &impl ConnectionTrait,
    server: Uuid,
) -> Result<BTreeMap<Name, server_capability::Model>> {
    let rows = server_capability::Entity::find()
        .filter(server_capability::Column::ServerId.eq(server))
        .order_by_asc(server_capability::Column::Kind)
        .all(db)
        .await?;
    rows.into_iter().map(|row| Ok(((kind(&row.kind, server)?, row.key.clone()), row))).collect()
}

pub(super) fn kind(word: &str, owner: Uuid) -> Result<CapabilityKind> {
    CapabilityKind::parse(word).ok_or_else(|| Error::corrupt("capability", "kind", owner))
}

pub(super) fn definition(text: &str, owner: Uuid) -> Result<Map<String, Value>> {
    json(text, "capability", "definition", owner)
}
