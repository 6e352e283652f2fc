//! Gateways tell what they see at a server. What they do not name stays: a user may see less than another.

use crate::capabilities::Capabilities;
use crate::capabilities::rows::{of_integration, of_server};
use crate::lookup::integrations;
use crate::lookup::servers::{self, ServerRef};
use crate::storage::entity::{capability, server_capability};
use crate::storage::write::MAX_ROWS_PER_STATEMENT;
use crate::{Actor, Result};
use registry_core::capability::{Capability, MAX_CAPABILITIES, ReadCapabilities, read_capabilities};
use registry_core::finding::Findings;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::Value;
use uuid::Uuid;

/// What came of it.
#[derive(Debug, Default)]
pub struct SyncedCapabilities {
    /// Capabilities that are new or described differently.
    pub changed: u64,
    /// What was left out, and why.
    pub findings: Findings,
}

impl Capabilities<'_> {
    /// Takes what was seen at a server, and keeps it for its integration too.
    pub async fn sync_server(
        self,
        actor: &Actor,
        reference: &ServerRef,
        items: Vec<Value>,
    ) -> Result<SyncedCapabilities> {
        actor.require_unless_gateway(Permission::UpdateServers)?;
        let server = servers::find(self.registry.db(), actor, reference).await?;
        let text = serde_json::to_vec(&items)?;
        let Some(said) = self.registry.inner.debounce.report("capabilities", server.id, &text) else {
            return Ok(SyncedCapabilities::default());
        };
        let ReadCapabilities { capabilities, findings } = read_capabilities(items, "/capabilities");
        let known = of_server(self.registry.db(), server.id).await?;
        let room = MAX_CAPABILITIES.saturating_sub(known.len());
        let changed = changed(capabilities, room, |one| {
            let row = known.get(&(one.kind, one.key.clone()));
            (row.is_some(), row.and_then(|row| row.definition.clone()))
        })?;
        if !changed.is_empty() {
            let write = self.registry.begin_record(actor).await?;
            let now = write.millis();
            for chunk in changed.chunks(MAX_ROWS_PER_STATEMENT) {
                let rows = chunk.iter().map(|(one, text)| server_capability::ActiveModel {
                    server_id: Set(server.id),
                    kind: Set(one.kind.as_str().to_owned()),
                    key: Set(one.key.clone()),
                    definition: Set(Some(text.clone())),
                    enabled: Set(None),
                    created_at: Set(now),
                    updated_at: Set(now),
                });
                let conflict = OnConflict::columns([
                    server_capability::Column::ServerId,
                    server_capability::Column::Kind,
                    server_capability::Column::Key,
                ])
                .update_columns([server_capability::Column::Definition, server_capability::Column::UpdatedAt])
                .to_owned();
                server_capability::Entity::insert_many(rows)
                    .on_conflict(conflict)
                    .exec_without_returning(&write.txn)
                    .await?;
            }
            write.commit().await?;
        }
        let seen = changed.iter().map(|(one, _)| one.clone()).collect();
        self.keep_for_integration(actor, server.integration_id, seen).await?;
        self.registry.inner.debounce.remember(&said);
        Ok(SyncedCapabilities { changed: changed.len() as u64, findings: Findings(findings) })
    }

    /// Takes what was seen at the upstream of an integration.
    pub async fn sync_integration(
        self,
        actor: &Actor,
        reference: &Reference,
        items: Vec<Value>,
    ) -> Result<SyncedCapabilities> {
        actor.require_unless_gateway(Permission::UpdateIntegrations)?;
        let integration = integrations::find(self.registry.db(), actor, reference).await?;
        if !actor.can(Permission::FetchGatewayDocument) {
            integrations::require_owner(actor, &integration)?;
        }
        let text = serde_json::to_vec(&items)?;
        let Some(said) = self.registry.inner.debounce.report("capabilities", integration.id, &text) else {
            return Ok(SyncedCapabilities::default());
        };
        let ReadCapabilities { capabilities, findings } = read_capabilities(items, "/capabilities");
        let changed = self.keep_for_integration(actor, integration.id, capabilities).await?;
        self.registry.inner.debounce.remember(&said);
        Ok(SyncedCapabilities { changed, findings: Findings(findings) })
    }

    /// Stores what is new or described differently; returns how many that were.
    pub(crate) async fn keep_for_integration(
        self,
        actor: &Actor,
        integration: Uuid,
        seen: Vec<Capability>,
    ) -> Result<u64> {
        if seen.is_empty() {
            return Ok(0);
        }
        let known = of_integration(self.registry.db(), integration).await?;
        let room = MAX_CAPABILITIES.saturating_sub(known.len());
        let changed = changed(seen, room, |one| {
            let row = known.get(&(one.kind, one.key.clone()));
            (row.is_some(), row.map(|row| row.definition.clone()))
        })?;
        if changed.is_empty() {
            return Ok(0);
        }
        let write = self.registry.begin_record(actor).await?;
        let now = write.millis();
        for chunk in changed.chunks(MAX_ROWS_PER_STATEMENT) {
            let rows = chunk.iter().map(|(one, text)| capability::ActiveModel {
                integration_id: Set(integration),
                kind: Set(one.kind.as_str().to_owned()),
                key: Set(one.key.clone()),
                definition: Set(text.clone()),
                enabled: Set(true),
                created_at: Set(now),
                updated_at: Set(now),
            });
            let conflict = OnConflict::columns([
                capability::Column::IntegrationId,
                capability::Column::Kind,
                capability::Column::Key,
            ])
            .update_columns([capability::Column::Definition, capability::Column::UpdatedAt])
            .to_owned();
            capability::Entity::insert_many(rows)
                .on_conflict(conflict)
                .exec_without_returning(&write.txn)
                .await?;
        }
        write.commit().await?;
        Ok(changed.len() as u64)
    }
}

/// Those of `seen` whose description differs from the stored one, with their description as text; of the unknown ones at most
/// `room`. `known` says whether there is a row, and its description.
fn changed(
    seen: Vec<Capability>,
    mut room: usize,
    known: impl Fn(&Capability) -> (bool, Option<String>),
) -> Result<Vec<(Capability, String)>> {
    let mut changed = Vec::new();
    for one in seen {
        let text = serde_json::to_string(&one.definition)?;
        let (is_known, stored) = known(&one);
        if stored.as_ref() == Some(&text) {
            continue;
        }
        if !is_known {
            if room == 0 {
                continue;
            }
            room -= 1;
        }
        changed.push((one, text));
    }
    Ok(changed)
}
