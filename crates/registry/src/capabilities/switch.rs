//! Users switch capabilities off and on. What nobody has seen yet can be switched too.

use crate::capabilities::Capabilities;
use crate::capabilities::rows::{Name, of_integration, of_server};
use crate::configuration::rollout_rows::{self, NewRollout};
use crate::configuration::scope::LayerScope;
use crate::lookup::integrations;
use crate::lookup::servers::{self, ServerRef};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{capability, server, server_capability};
use crate::storage::write::{Event, MAX_ROWS_PER_STATEMENT, Write};
use crate::{Actor, Error, Result};
use registry_core::capability::{CapabilityKind, MAX_CAPABILITIES, MAX_KEY};
use registry_core::finding::{Finding, Findings, Report};
use registry_core::id::{IntegrationId, ServerId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::rollout::{RolloutKind, RolloutOptions};
use registry_core::slug::Reference;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, Order, QueryFilter, QuerySelect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A capability to switch.
#[derive(Clone, Debug)]
pub struct CapabilitySwitch {
    /// Its kind.
    pub kind: CapabilityKind,
    /// What it is called by, or its `name`.
    pub name: String,
    /// Whether it may be offered.
    pub enabled: bool,
}

impl Capabilities<'_> {
    /// Switches capabilities of an integration, for all its servers. Those that are not named stay as they are.
    pub async fn switch_of_integration(
        self,
        actor: &Actor,
        reference: &Reference,
        switches: Vec<CapabilitySwitch>,
    ) -> Result<Findings> {
        actor.require(Permission::UpdateIntegrations)?;
        check(&switches)?;
        let mut write = self.registry.begin_write(actor).await?;
        let integration = integrations::find(&write.txn, actor, reference).await?;
        integrations::require_owner(actor, &integration)?;
        let known = of_integration(&write.txn, integration.id).await?;
        let names = |name: &Name| known.get(name).map(|row| row.definition.as_str());
        let wanted = resolve(&switches, &known.keys(), names);
        let changed: BTreeMap<Name, bool> = wanted
            .into_iter()
            .filter(|(name, enabled)| known.get(name).map_or(!enabled, |row| row.enabled != *enabled))
            .collect();
        require_room(known.len() + changed.keys().filter(|name| !known.contains_key(name)).count())?;
        if changed.is_empty() {
            return Ok(Findings::default());
        }
        let now = write.millis();
        let rows: Vec<_> = changed
            .iter()
            .map(|((kind, key), enabled)| capability::ActiveModel {
                integration_id: Set(integration.id),
                kind: Set(kind.as_str().to_owned()),
                key: Set(key.clone()),
                definition: Set("{}".to_owned()),
                enabled: Set(*enabled),
                created_at: Set(now),
                updated_at: Set(now),
            })
            .collect();
        let conflict = OnConflict::columns([
            capability::Column::IntegrationId,
            capability::Column::Kind,
            capability::Column::Key,
        ])
        .update_columns([capability::Column::Enabled, capability::Column::UpdatedAt])
        .to_owned();
        for chunk in rows.chunks(MAX_ROWS_PER_STATEMENT) {
            capability::Entity::insert_many(chunk.iter().cloned())
                .on_conflict(conflict.clone())
                .exec_without_returning(&write.txn)
                .await?;
        }
        let event = Event::new(AuditAction::CapabilitiesSwitched, "integration", integration.id);
        let event = event.named(&integration.slug).in_workspace(integration.workspace_id.map(WorkspaceId));
        write.audit(event.after(shown(&changed)));
        tell_servers(&mut write, IntegrationId(integration.id)).await?;
        write.commit().await?;
        Ok(Findings::default())
    }

    /// Narrows what a server offers, or takes that back.
    pub async fn switch_of_server(
        self,
        actor: &Actor,
        reference: &ServerRef,
        switches: Vec<CapabilitySwitch>,
    ) -> Result<Findings> {
        actor.require(Permission::UpdateServers)?;
        check(&switches)?;
        let mut write = self.registry.begin_workspace_write(actor).await?;
        let server = servers::find(&write.txn, actor, reference).await?;
        write.lock_workspace(WorkspaceId(server.workspace_id)).await?;
        let above = of_integration(&write.txn, server.integration_id).await?;
        let known = of_server(&write.txn, server.id).await?;
        let names = |name: &Name| {
            let own = known.get(name).and_then(|row| row.definition.as_deref());
            own.or_else(|| above.get(name).map(|row| row.definition.as_str()))
        };
        let wanted = resolve(&switches, &known.keys().chain(above.keys()), names);
        let mut report = Report::default();
        for (index, switch) in switches.iter().enumerate() {
            let name = (switch.kind, switch.name.clone());
            if switch.enabled && above.get(&name).is_some_and(|row| !row.enabled) {
                let message =
                    format!("The integration switched `{}` off, so it stays off here.", switch.name);
                report.push(Finding::notice(format!("/capabilities/{index}"), "off_above", message));
            }
        }
        let changed: BTreeMap<Name, bool> = wanted
            .into_iter()
            .filter(|(name, enabled)| known.get(name).and_then(|row| row.enabled).unwrap_or(true) != *enabled)
            .collect();
        require_room(known.len() + changed.keys().filter(|name| !known.contains_key(name)).count())?;
        if changed.is_empty() {
            return Ok(report.into_findings());
        }
        let now = write.millis();
        let rows: Vec<_> = changed
            .iter()
            .map(|((kind, key), enabled)| server_capability::ActiveModel {
                server_id: Set(server.id),
                kind: Set(kind.as_str().to_owned()),
                key: Set(key.clone()),
                definition: Set(None),
                enabled: Set(Some(*enabled)),
                created_at: Set(now),
                updated_at: Set(now),
            })
            .collect();
        let conflict = OnConflict::columns([
            server_capability::Column::ServerId,
            server_capability::Column::Kind,
            server_capability::Column::Key,
        ])
        .update_columns([server_capability::Column::Enabled, server_capability::Column::UpdatedAt])
        .to_owned();
        for chunk in rows.chunks(MAX_ROWS_PER_STATEMENT) {
            server_capability::Entity::insert_many(chunk.iter().cloned())
                .on_conflict(conflict.clone())
                .exec_without_returning(&write.txn)
                .await?;
        }
        let workspace = WorkspaceId(server.workspace_id);
        let event = Event::new(AuditAction::CapabilitiesSwitched, "server", server.id);
        write.audit(event.named(&server.slug).in_workspace(Some(workspace)).after(shown(&changed)));
        write.server_changed(workspace, ServerId(server.id));
        write.commit().await?;
        Ok(report.into_findings())
    }
}

fn check(switches: &[CapabilitySwitch]) -> Result<()> {
    let mut report = Report::default();
    if switches.is_empty() {
        let message = "Name at least one capability with `name`, `type` and `enabled`.";
        report.push(Finding::error("/capabilities", "required", message));
    }
    for (index, switch) in switches.iter().enumerate() {
        if switch.name.is_empty() || switch.name.len() > MAX_KEY {
            let message = format!("The name of a capability has 1 to {MAX_KEY} bytes.");
            report.push(Finding::error(format!("/capabilities/{index}/name"), "wrong_length", message));
        }
    }
    if report.has_errors() { Err(Error::Invalid(report.into_findings())) } else { Ok(()) }
}

fn require_room(count: usize) -> Result<()> {
    if count <= MAX_CAPABILITIES {
        return Ok(());
    }
    let message = format!("At most {MAX_CAPABILITIES} capabilities are kept here. Switch fewer.");
    Err(Error::invalid(Finding::error("/capabilities", "too_many", message)))
}

/// Which rows the switches mean: those that are called so, else those whose `name` it is, else new ones.
fn resolve<'a>(
    switches: &[CapabilitySwitch],
    known: &(impl Iterator<Item = &'a Name> + Clone),
    definition: impl Fn(&Name) -> Option<&'a str>,
) -> BTreeMap<Name, bool> {
    let mut wanted = BTreeMap::new();
    let mut by_name: Option<BTreeMap<Name, Vec<&'a str>>> = None;
    for switch in switches {
        let exact = (switch.kind, switch.name.clone());
        if matches!(switch.kind, CapabilityKind::Tool | CapabilityKind::Prompt)
            || known.clone().any(|name| *name == exact)
        {
            wanted.insert(exact, switch.enabled);
            continue;
        }
        // Resources have a URI and a name; clients send either.
        let by_name = by_name.get_or_insert_with(|| {
            let mut found: BTreeMap<Name, Vec<&'a str>> = BTreeMap::new();
            for name in known.clone() {
                let members: Option<Value> =
                    definition(name).and_then(|text| serde_json::from_str(text).ok());
                if let Some(shown) = members.as_ref().and_then(|members| members["name"].as_str()) {
                    found.entry((name.0, shown.to_owned())).or_default().push(&name.1);
                }
            }
            found
        });
        match by_name.get(&exact) {
            Some(keys) => {
                for key in keys {
                    wanted.insert((switch.kind, (*key).to_owned()), switch.enabled);
                }
            }
            None => drop(wanted.insert(exact, switch.enabled)),
        }
    }
    wanted
}

fn shown(changed: &BTreeMap<Name, bool>) -> Value {
    changed
        .iter()
        .map(|((kind, key), enabled)| json!({ "type": kind.as_str(), "name": key, "enabled": enabled }))
        .collect()
}

/// Tells gateways of the servers of an integration whose documents changed but whose registrations did not: at once where they
/// are few, else by a rollout.
async fn tell_servers(write: &mut Write<'_>, integration: IntegrationId) -> Result<()> {
    let scope = LayerScope::Integration(integration);
    let most = write.registry.settings().rollout_sizes.immediate;
    let ids = scope.servers().first_ids(&write.txn, most + 1, Order::Asc).await?;
    if ids.len() as u64 > most {
        let total = scope.servers().bounded_count(&write.txn).await?;
        let new = NewRollout {
            kind: RolloutKind::Capabilities,
            scope: &scope,
            revision: None,
            because: "capabilities switched",
            holds_replacements: false,
            options: RolloutOptions::UNCHECKED,
            total,
            old_secrets: Vec::new(),
        };
        rollout_rows::start(write, new).await?;
        return Ok(());
    }
    let servers: Vec<(Uuid, Uuid)> = server::Entity::find()
        .select_only()
        .column(server::Column::Id)
        .column(server::Column::WorkspaceId)
        .filter(server::Column::Id.is_in(ids))
        .into_tuple()
        .all(&write.txn)
        .await?;
    for (id, workspace) in servers {
        write.server_changed(WorkspaceId(workspace), ServerId(id));
    }
    Ok(())
}
