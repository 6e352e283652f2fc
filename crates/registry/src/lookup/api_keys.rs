//! Turns API keys into the actors they authenticate.
use crate::storage::columns::json;
use crate::storage::columns::millis;
use crate::storage::columns::moment;
use crate::storage::entity::api_key;
use crate::{Actor, Registry, Result};
use registry_core::id::WorkspaceId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;
use uuid::Uuid;

pub(crate) fn actor(model: api_key::Model, origin: crate::RequestContext) -> Result<Actor> {
    Ok(Actor {
        kind: "api_key",
        id: Some(model.id.to_string()),
        role: model.role()?,
        scopes: json(&model.scopes, "api_key", "scopes", model.id)?,
        workspace: model.workspace_id.map(WorkspaceId),
        session: None,
        until: model.expires_at.map(moment),
        name: model.name,
        origin,
    })
}

/// The actors behind those of these keys that are still good, and until when they are.
pub(crate) async fn actors_of(
    registry: &Registry,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, (Actor, Option<i64>)>> {
    let now = millis(registry.now());
    let mut good = HashMap::new();
    // SQLite allows 32,766 parameters in one statement.
    for chunk in ids.chunks(10_000) {
        let rows = api_key::Entity::find()
            .filter(api_key::Column::Id.is_in(chunk.iter().copied()))
            .filter(api_key::Column::RevokedAt.is_null())
            .all(registry.db())
            .await?;
        for model in rows.into_iter().filter(|model| model.expires_at.is_none_or(|until| until > now)) {
            let (id, until) = (model.id, model.expires_at);
            good.insert(id, (actor(model, crate::RequestContext::new(crate::Channel::Api))?, until));
        }
    }
    Ok(good)
}
