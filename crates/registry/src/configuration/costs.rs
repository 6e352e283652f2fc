//! The impact of a change on OAuth clients: how many are registered, updated, replaced or withdrawn, and how many wait for
//! approval.

use crate::configuration::layers::ServerLayers;
use crate::configuration::scope::ScopeSample;
use crate::lookup::clients::active_client;
use crate::storage::entity::{oauth_client, registration};
use crate::{Registry, Result};
use registry_core::metadata::EffectiveMetadata;
use registry_core::registration::{ActiveClient, ClientStatus, Cost, Desired, cost};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

/// The impact of a change: how many servers, registrations and clients it affects. Each affected registration counts in at
/// most one of the fields after `registrations`, by its [`Cost`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Servers under the layer: the change reaches them, but need not change them.
    pub reached: u64,
    /// Whether the other fields are estimated from a sample of these servers.
    pub estimated: bool,
    /// Servers whose document changes.
    pub servers: u64,
    /// Registrations of these servers, which are reconciled again.
    pub registrations: u64,
    /// Registrations that get their first client.
    pub registered: u64,
    /// Clients that are updated or adopted: their ids stay, and users notice nothing.
    pub updated: u64,
    /// Clients whose MCP server has a new address: what happens to them depends on the authorization server found there.
    pub rediscovered: u64,
    /// Clients that are replaced without approval: users who signed in through them must sign in again.
    pub replaced: u64,
    /// Clients that stay in use until a user approves their replacement.
    pub asked: u64,
    /// Clients that are withdrawn.
    pub withdrawn: u64,
}

impl Affected {
    /// The impact on `reached` servers of which nothing more is known.
    pub(crate) fn at_most(reached: u64) -> Self {
        Self { reached, estimated: true, servers: reached, registrations: reached, ..Self::default() }
    }

    /// What an impact on sampled servers means for all servers of the scope.
    pub(crate) fn scaled(self, sample: &ScopeSample) -> Self {
        let scale = |count| sample.scale(count);
        Self {
            reached: sample.total,
            estimated: !sample.exact,
            servers: scale(self.servers),
            registrations: scale(self.registrations),
            registered: scale(self.registered),
            updated: scale(self.updated),
            rediscovered: scale(self.rediscovered),
            replaced: scale(self.replaced),
            asked: scale(self.asked),
            withdrawn: scale(self.withdrawn),
        }
    }

    /// Increments the field for `cost`.
    pub(crate) fn add_cost(&mut self, cost: Cost) {
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
        self.reached += other.reached;
        self.estimated |= other.estimated;
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

/// The registrations of some servers, each with its active client if there is one.
#[derive(Default)]
pub(crate) struct KnownClients {
    /// Key: the id of the server.
    by_server: HashMap<Uuid, (registration::Model, Option<ActiveClient>)>,
}

impl KnownClients {
    pub(crate) async fn of(
        db: &impl ConnectionTrait,
        servers: impl IntoIterator<Item = &ServerLayers>,
    ) -> Result<Self> {
        let mut by_server = HashMap::new();
        // SQLite allows 32,766 parameters in one statement.
        let servers: Vec<Uuid> = servers.into_iter().map(|layers| layers.server.id).collect();
        for chunk in servers.chunks(10_000) {
            let ids = chunk.iter().copied();
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

    /// The registration of a server and its active client; `None`: the server has no registration.
    pub(crate) fn registration_and_client(
        &self,
        layers: &ServerLayers,
    ) -> Option<(&registration::Model, Option<&ActiveClient>)> {
        self.by_server.get(&layers.server.id).map(|(row, client)| (row, client.as_ref()))
    }

    /// Whether a gateway has fetched the active client of a server, so that users may have signed in through this client.
    pub(crate) fn is_used(&self, layers: &ServerLayers) -> bool {
        let client = self.registration_and_client(layers).and_then(|(_, client)| client);
        client.is_some_and(|client| client.fetched)
    }

    /// What is wanted for a server when `layers` are resolved to `effective`, and what happens to its client then.
    pub(crate) fn desired_and_cost(
        &self,
        registry: &Registry,
        layers: &ServerLayers,
        effective: EffectiveMetadata,
    ) -> Result<(Desired, Cost)> {
        let (row, client) = self.registration_and_client(layers).unzip();
        let desired = registry.configurations().desired_of(layers, effective, row)?;
        let cost = cost(&desired, client.flatten(), registry.now());
        Ok((desired, cost))
    }
}
