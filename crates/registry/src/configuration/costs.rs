//! The impact of a change on clients: how many are updated, replaced, or wait for approval.

use crate::configuration::layers::ServerLayers;
use crate::lookup::clients::active_client;
use crate::storage::entity::{oauth_client, registration};
use crate::{Registry, Result};
use registry_core::registration::{ActiveClient, ClientStatus, Cost, cost};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;
use uuid::Uuid;

/// The impact of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Servers whose document changes.
    pub servers: u64,
    /// Registrations that are looked at again.
    pub registrations: u64,
    /// Of these: servers that get their first client.
    pub registered: u64,
    /// Clients that are updated or taken over; their ids stay, users do not notice.
    pub updated: u64,
    /// Clients whose authorization server is looked for at another address first.
    pub rediscovered: u64,
    /// Clients that are replaced without asking; users who signed in through them must sign in again.
    pub replaced: u64,
    /// Clients that stay in use until a user approves their replacement.
    pub asked: u64,
    /// Clients that are withdrawn.
    pub withdrawn: u64,
}

impl Affected {
    pub(crate) fn count(&mut self, cost: Cost) {
        let counter = match cost {
            Cost::Nothing => return,
            Cost::Registered => &mut self.registered,
            Cost::Updated => &mut self.updated,
            Cost::Rediscovered => &mut self.rediscovered,
            Cost::Replaced => &mut self.replaced,
            Cost::Asked => &mut self.asked,
            Cost::Withdrawn => &mut self.withdrawn,
        };
        *counter += 1;
    }

    /// Adds the impact of another change.
    pub(crate) fn add(&mut self, other: Self) {
        self.servers += other.servers;
        self.registrations += other.registrations;
        self.registered += other.registered;
        self.updated += other.updated;
        self.rediscovered += other.rediscovered;
        self.replaced += other.replaced;
        self.asked += other.asked;
        self.withdrawn += other.withdrawn;
    }
}

/// The registrations of some servers and their active clients.
pub(crate) struct KnownClients {
    by_server: HashMap<Uuid, (registration::Model, Option<ActiveClient>)>,
}

impl KnownClients {
    pub(crate) async fn of(db: &impl ConnectionTrait, servers: &[ServerLayers]) -> Result<Self> {
        let mut by_server = HashMap::new();
        // SQLite allows 32,766 parameters in one statement.
        for some in servers.chunks(10_000) {
            let ids = some.iter().map(|layers| layers.server.id);
            let rows = registration::Entity::find()
                .filter(registration::Column::ServerId.is_in(ids))
                .all(db)
                .await?;
            let clients = oauth_client::Entity::find()
                .filter(oauth_client::Column::RegistrationId.is_in(rows.iter().map(|row| row.id)))
                .filter(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
                .all(db)
                .await?;
            let mut clients: HashMap<Uuid, oauth_client::Model> =
                clients.into_iter().map(|client| (client.registration_id, client)).collect();
            for row in rows {
                let client = clients.remove(&row.id).map(|client| active_client(&client)).transpose()?;
                by_server.insert(row.server_id, (row, client));
            }
        }
        Ok(Self { by_server })
    }

    /// A server's registration and its active client.
    pub(crate) fn registration(
        &self,
        layers: &ServerLayers,
    ) -> Option<(&registration::Model, Option<&ActiveClient>)> {
        self.by_server.get(&layers.server.id).map(|(row, client)| (row, client.as_ref()))
    }

    /// Whether a gateway has fetched a server's client, so that users may have signed in through it.
    pub(crate) fn is_used(&self, layers: &ServerLayers) -> bool {
        let known = self.by_server.get(&layers.server.id);
        known.and_then(|(_, client)| client.as_ref()).is_some_and(|client| client.fetched)
    }

    /// The impact of changing the client to what `layers` resolve to.
    pub(crate) fn cost(&self, registry: &Registry, layers: &ServerLayers) -> Result<Cost> {
        let known = self.by_server.get(&layers.server.id);
        let desired = registry.configurations().desired(layers, known.map(|(row, _)| row))?;
        let client = known.and_then(|(_, client)| client.as_ref());
        Ok(cost(&desired, client, registry.now()))
    }
}
