//! The state of registrations in brief: for lists of servers and for metrics.

use crate::Result;
use crate::lookup::clients::{active_clients, usable};
use crate::lookup::servers::RegistrationBrief;
use crate::lookup::tally;
use crate::storage::entity::registration;
use registry_core::clock::Timestamp;
use registry_core::id::{RegistrationId, WorkspaceId};
use registry_core::registration::State;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;
use uuid::Uuid;

pub(super) fn by_id<T>(rows: Vec<T>, key: impl Fn(&T) -> Uuid) -> HashMap<Uuid, T> {
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

/// How the registrations of some servers stand.
pub(crate) async fn briefs(
    db: &impl ConnectionTrait,
    servers: impl IntoIterator<Item = Uuid>,
    now: Timestamp,
) -> Result<HashMap<Uuid, RegistrationBrief>> {
    let rows =
        registration::Entity::find().filter(registration::Column::ServerId.is_in(servers)).all(db).await?;
    let clients = by_id(active_clients(db, rows.iter().map(|row| row.id)).await?, |row| row.registration_id);
    rows.into_iter()
        .map(|row| {
            let brief = RegistrationBrief {
                id: RegistrationId(row.id),
                state: row.state()?,
                usable: clients.get(&row.id).is_some_and(|client| usable(client, now)),
            };
            Ok((row.server_id, brief))
        })
        .collect()
}

/// How many registrations there are in each state, for metrics.
pub(crate) async fn count_states(db: &impl ConnectionTrait) -> Result<Vec<(State, u64)>> {
    let kept = tally::one(db, tally::ORGANISATION).await?;
    Ok(State::ALL.iter().map(|state| (*state, kept.all(*state))).collect())
}

/// The workspace of a registration, for events.
pub(crate) fn workspace_of(layers: &crate::configuration::layers::ServerLayers) -> WorkspaceId {
    WorkspaceId(layers.workspace.id)
}
