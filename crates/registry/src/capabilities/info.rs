//! What upstream servers say about themselves.

use crate::capabilities::Capabilities;
use crate::lookup::integrations;
use crate::lookup::servers::{self, ServerRef};
use crate::storage::columns::{json, moment};
use crate::storage::entity::server_info;
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::permission::Permission;
use registry_core::server_info::{ServerInfo, SyncStatus};
use registry_core::slug::Reference;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;
use uuid::Uuid;

/// How old `synced_at` may be before the same is stored again, in milliseconds.
const CONFIRMED_FOR: i64 = 600_000;

/// What is known of an upstream server.
#[derive(Clone, Debug)]
pub struct KnownServerInfo {
    /// What it says about itself.
    pub info: ServerInfo,
    /// Whether that is of the last try.
    pub status: SyncStatus,
    /// When it was last confirmed, to about ten minutes.
    pub synced_at: Option<Timestamp>,
    /// Why the last try failed.
    pub error: Option<String>,
}

impl KnownServerInfo {
    /// Nobody has connected yet.
    pub(crate) fn pending() -> Self {
        Self { info: ServerInfo::default(), status: SyncStatus::Pending, synced_at: None, error: None }
    }
}

impl TryFrom<server_info::Model> for KnownServerInfo {
    type Error = Error;
    fn try_from(row: server_info::Model) -> Result<Self> {
        Ok(Self {
            info: json(&row.info, "server_info", "info", row.owner_id)?,
            status: SyncStatus::parse(&row.status)
                .ok_or_else(|| Error::corrupt("server_info", "status", row.owner_id))?,
            synced_at: row.synced_at.map(moment),
            error: row.error,
        })
    }
}

impl Capabilities<'_> {
    /// What is known of an integration's upstream.
    pub async fn info_of_integration(self, actor: &Actor, reference: &Reference) -> Result<KnownServerInfo> {
        actor.require(Permission::ReadIntegrations)?;
        let integration = integrations::find(self.registry.db(), actor, reference).await?;
        let found = known(self.registry.db(), [integration.id]).await?.remove(&integration.id);
        Ok(found.unwrap_or_else(KnownServerInfo::pending))
    }

    /// What gateways saw at a server; before they did, what is known of its integration.
    pub async fn info_of_server(self, actor: &Actor, reference: &ServerRef) -> Result<KnownServerInfo> {
        actor.require_unless_gateway(Permission::ReadServers)?;
        let server = servers::find(self.registry.db(), actor, reference).await?;
        let mut found = known(self.registry.db(), [server.id, server.integration_id]).await?;
        let own = found.remove(&server.id);
        Ok(own.or_else(|| found.remove(&server.integration_id)).unwrap_or_else(KnownServerInfo::pending))
    }

    /// What is known of integrations and servers that a caller has listed. Those that nobody connected to are absent.
    pub async fn infos(
        self,
        actor: &Actor,
        owners: impl IntoIterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, KnownServerInfo>> {
        if !actor.can(Permission::ListServers) {
            actor.require(Permission::ListIntegrations)?;
        }
        known(self.registry.db(), owners).await
    }

    /// Takes what a server said about itself, for it and for its integration.
    pub async fn sync_info(self, actor: &Actor, reference: &ServerRef, info: ServerInfo) -> Result<()> {
        actor.require_unless_gateway(Permission::UpdateServers)?;
        let server = servers::find(self.registry.db(), actor, reference).await?;
        self.keep_info(actor, &[server.id, server.integration_id], Ok(info)).await
    }

    /// Takes what the upstream of an integration said about itself.
    pub async fn sync_integration_info(
        self,
        actor: &Actor,
        reference: &Reference,
        info: ServerInfo,
    ) -> Result<()> {
        actor.require_unless_gateway(Permission::UpdateIntegrations)?;
        let integration = integrations::find(self.registry.db(), actor, reference).await?;
        self.keep_info(actor, &[integration.id], Ok(info)).await
    }

    /// Stores what these owners are known by now; an error keeps the values and says why the last try failed.
    pub(crate) async fn keep_info(
        self,
        actor: &Actor,
        owners: &[Uuid],
        info: std::result::Result<ServerInfo, String>,
    ) -> Result<()> {
        let info = info.map(ServerInfo::cleaned);
        let text = match &info {
            Ok(info) => serde_json::to_string(info)?,
            Err(why) => why.clone(),
        };
        let debounce = &self.registry.inner.debounce;
        let said: Vec<_> =
            owners.iter().filter_map(|owner| debounce.report("info", *owner, text.as_bytes())).collect();
        if said.is_empty() {
            return Ok(());
        }
        let stored = server_info::Entity::find()
            .filter(server_info::Column::OwnerId.is_in(owners.iter().copied()))
            .all(self.registry.db())
            .await?;
        let stored: HashMap<Uuid, server_info::Model> =
            stored.into_iter().map(|row| (row.owner_id, row)).collect();
        let now = crate::storage::columns::millis(self.registry.now());
        let rows: Vec<_> = owners
            .iter()
            .filter_map(|owner| next(*owner, stored.get(owner), info.as_ref().map(|_| &text), now))
            .collect();
        if !rows.is_empty() {
            let write = self.registry.begin_record(actor).await?;
            let conflict = OnConflict::column(server_info::Column::OwnerId)
                .update_columns([
                    server_info::Column::Info,
                    server_info::Column::Status,
                    server_info::Column::SyncedAt,
                    server_info::Column::TriedAt,
                    server_info::Column::Error,
                ])
                .to_owned();
            server_info::Entity::insert_many(rows)
                .on_conflict(conflict)
                .exec_without_returning(&write.txn)
                .await?;
            write.commit().await?;
        }
        for one in said {
            debounce.remember(&one);
        }
        Ok(())
    }
}

/// The row to store; `None`: the stored one says the same, and is fresh.
fn next(
    owner: Uuid,
    stored: Option<&server_info::Model>,
    info: std::result::Result<&String, &String>,
    now: i64,
) -> Option<server_info::ActiveModel> {
    let (text, status, synced_at, error) = match info {
        Ok(text) => (text.clone(), SyncStatus::Synced, Some(now), None),
        Err(why) => {
            let text = stored.map_or_else(|| "{}".to_owned(), |row| row.info.clone());
            (text, SyncStatus::Error, stored.and_then(|row| row.synced_at), Some(why.clone()))
        }
    };
    let is_same = stored.is_some_and(|row| {
        row.info == text
            && row.status == status.as_str()
            && row.error == error
            && row.tried_at > now - CONFIRMED_FOR
    });
    (!is_same).then(|| server_info::ActiveModel {
        owner_id: Set(owner),
        info: Set(text),
        status: Set(status.as_str().to_owned()),
        synced_at: Set(synced_at),
        tried_at: Set(now),
        error: Set(error),
    })
}

/// What is known of these integrations and servers.
pub(crate) async fn known(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, KnownServerInfo>> {
    let rows = server_info::Entity::find().filter(server_info::Column::OwnerId.is_in(owners)).all(db).await?;
    rows.into_iter().map(|row| Ok((row.owner_id, row.try_into()?))).collect()
}
