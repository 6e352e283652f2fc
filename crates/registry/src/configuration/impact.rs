//! The impact of a change on servers and their registrations: compared before and after, then enqueued.

use crate::configuration::costs::{Affected, KnownClients};
use crate::configuration::layers::{ServerLayers, ServerScope, auth_type};
use crate::storage::columns::set_word;
use crate::storage::entity::registration;
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::metadata::Resolution;
use registry_core::origin::origin_of;
use registry_core::registration::{Cost, State};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// Whether clients that cannot be updated in place are replaced without approval. Users who signed in through a replaced
/// client must sign in again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplacementMode {
    /// As `registration.replace` and the rules say (INV-6).
    #[default]
    Policy,
    /// No client is replaced because of this change: each stays in use in state `outdated` until a user approves. The next
    /// change decides again.
    Defer,
}

/// The state of servers before a change; compared with the state after it, it gives the impact.
pub(crate) struct ImpactTracker {
    scope: ServerScope<'static>,
    servers: HashMap<Uuid, (ServerLayers, Resolution)>,
    replacements: ReplacementMode,
}

impl ImpactTracker {
    pub(crate) async fn capture(write: &Write<'_>, scope: ServerScope<'static>) -> Result<Self> {
        let loaded = write.registry.configurations().load(&write.txn, scope, false).await?;
        let servers = loaded
            .into_iter()
            .map(|layers| {
                let resolution = layers.resolution();
                (layers.server.id, (layers, resolution))
            })
            .collect();
        Ok(Self { scope, servers, replacements: ReplacementMode::Policy })
    }

    /// Sets when clients are replaced.
    pub(crate) fn with_replacements(self, replacements: ReplacementMode) -> Self {
        Self { replacements, ..self }
    }

    /// Compares each server with its captured state and enqueues its registration where something changed. Refuses a
    /// change that leaves a server with contradictory metadata; `pointer` is where the change was made.
    pub(crate) async fn apply(self, write: &mut Write<'_>, pointer: &str, because: &str) -> Result<Affected> {
        let mut affected = Affected::default();
        let mut broken = Findings::default();
        let servers = write.registry.configurations().load(&write.txn, self.scope, false).await?;
        let clients = KnownClients::of(&write.txn, &servers).await?;
        for layers in servers {
            let resolution = layers.resolution();
            let name = format!("{}/{}", layers.workspace.slug, layers.server.slug);
            let old = self.servers.get(&layers.server.id);
            let known: &[Finding] = old.map_or(&[], |(_, old)| &old.findings.0);
            for finding in resolution.findings.iter().filter(|finding| !known.contains(finding)) {
                let mut finding = finding.clone().below(pointer);
                finding.message = format!("For the server {name}: {}", finding.message);
                broken.push(finding);
            }
            let unchanged = old.is_some_and(|(old_layers, old)| {
                old.effective == resolution.effective
                    && old_layers.integration.url == layers.integration.url
                    && old_layers.integration.auth_type == layers.integration.auth_type
                    && old_layers.integration.transport == layers.integration.transport
                    && old_layers.enabled == layers.enabled
            });
            if unchanged {
                continue;
            }
            affected.servers += 1;
            let workspace = WorkspaceId(layers.workspace.id);
            write.server_changed(workspace, ServerId(layers.server.id));
            if enqueue(write, &layers, because).await? {
                affected.registrations += 1;
                let cost = clients.cost(write.registry, &layers)?;
                affected.add_cost(match self.replacements {
                    ReplacementMode::Defer
                        if require_approval(write, &layers).await? && cost == Cost::Replaced =>
                    {
                        Cost::Asked
                    }
                    _ => cost,
                });
            }
        }
        if broken.has_errors() {
            return Err(Error::Invalid(broken));
        }
        Ok(affected)
    }
}

/// Creates the registration of a server due now; creates it where the server needs one. `true` if there is one.
pub(crate) async fn enqueue(write: &mut Write<'_>, layers: &ServerLayers, because: &str) -> Result<bool> {
    let now = write.millis();
    let row = registration::Entity::find()
        .filter(registration::Column::ServerId.eq(layers.server.id))
        .lock_exclusive()
        .one(&write.txn)
        .await?;
    let Some(row) = row else {
        if !auth_type(&layers.integration)?.needs_client() {
            return Ok(false);
        }
        registration::ActiveModel {
            id: Set(write.registry.new_id()),
            server_id: Set(layers.server.id),
            state: set_word(State::Queued),
            due_at: Set(now),
            wanted: Set(1),
            wanted_because: Set(Some(because.to_owned())),
            unwanted_since: Set((!layers.enabled).then_some(now)),
            upstream: Set(Some(origin_of(&layers.integration.url))),
            failures: Set(0),
            lost_answers: Set(0),
            lease_until: Set(0),
            fence: Set(0),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        }
        .insert(&write.txn)
        .await?;
        return Ok(true);
    };
    let mut changed = registration::ActiveModel {
        id: Set(row.id),
        wanted: Set(row.wanted + 1),
        wanted_because: Set(Some(because.to_owned())),
        due_at: Set(now),
        updated_at: Set(now),
        unwanted_since: Set(if layers.enabled { None } else { row.unwanted_since.or(Some(now)) }),
        ..Default::default()
    };
    // The change may have fixed the failure: show `queued` instead of the old failure.
    if row.state == State::Failed.as_str() || row.state == State::Withdrawn.as_str() {
        changed.state = set_word(State::Queued);
        changed.reason = Set(None);
        changed.detail = Set(None);
        changed.error = Set(None);
        changed.error_description = Set(None);
    }
    changed.update(&write.txn).await?;
    Ok(true)
}

/// Records that the client of a server is replaced for the present inputs only after approval. `true` if there is a
/// registration.
pub(crate) async fn require_approval(write: &Write<'_>, layers: &ServerLayers) -> Result<bool> {
    let row = registration::Entity::find()
        .filter(registration::Column::ServerId.eq(layers.server.id))
        .one(&write.txn)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let approval_required_for = write.registry.configurations().desired(layers, Some(&row))?.inputs();
    registration::ActiveModel {
        id: Set(row.id),
        held: Set(Some(approval_required_for)),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    Ok(true)
}
