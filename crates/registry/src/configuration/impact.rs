//! The impact of a change on servers and their registrations. Of a few servers it is compared and enqueued in the
//! transaction of the change; of many the transaction records a rollout, and workers visit the servers afterwards.

use crate::configuration::costs::{Affected, KnownClients};
use crate::configuration::enqueue::{Cause, enqueue, require_approval};
use crate::configuration::layers::{ServerLayers, auth_type};
use crate::configuration::rollout_rows::{self, NewRollout};
use crate::configuration::scope::{LayerScope, MAX_COUNTED};
use crate::storage::entity::server;
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::{RolloutId, SealedId, ServerId, WorkspaceId};
use registry_core::metadata::{EffectiveMetadata, Resolution};
use registry_core::registration::Cost;
use registry_core::rollout::{RolloutKind, RolloutOptions};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
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

/// What a change did to servers and registrations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Impact {
    pub(crate) affected: Affected,
    /// The rollout that visits the servers; `None`: all were visited.
    pub(crate) rollout: Option<RolloutId>,
}

/// The state of servers before a change; compared with the state after it, it gives the impact.
pub(crate) struct ImpactTracker {
    scope: LayerScope,
    /// `None`: there are too many for the transaction of the change.
    servers: Option<HashMap<Uuid, (ServerLayers, Resolution)>>,
    replacements: ReplacementMode,
    options: RolloutOptions,
    /// What was worked out before the transaction, where there are many servers.
    forecast: Option<Affected>,
    revision: Option<i64>,
    old_secrets: Vec<SealedId>,
}

impl ImpactTracker {
    /// Reads the servers of `scope` as they are before the change.
    pub(crate) async fn capture(write: &Write<'_>, scope: LayerScope) -> Result<Self> {
        let under = scope.servers();
        let most = write.registry.settings().rollout_sizes.immediate;
        let many = !matches!(scope, LayerScope::Server(_)) && under.has_more_than(&write.txn, most).await?;
        let servers = if many {
            None
        } else {
            let loaded = write.registry.configurations().load(&write.txn, under, false).await?;
            let with_resolution = loaded.into_iter().map(|layers| {
                let resolution = layers.resolution();
                (layers.server.id, (layers, resolution))
            });
            Some(with_resolution.collect())
        };
        Ok(Self {
            scope,
            servers,
            replacements: ReplacementMode::Policy,
            options: RolloutOptions::UNCHECKED,
            forecast: None,
            revision: None,
            old_secrets: Vec::new(),
        })
    }

    /// Sets when clients are replaced.
    pub(crate) fn with_replacements(self, replacements: ReplacementMode) -> Self {
        Self { replacements, ..self }
    }

    /// Sets what was worked out before the transaction.
    pub(crate) fn with_forecast(self, forecast: Option<Affected>) -> Self {
        Self { forecast, ..self }
    }

    /// The change is revision `revision` of the organisation's layer: servers move to it, batch by batch where they are
    /// many.
    pub(crate) fn moves_to(self, revision: i64, options: RolloutOptions) -> Self {
        Self { revision: Some(revision), options, ..self }
    }

    /// Sealed values that servers need until they have moved to the new revision.
    pub(crate) fn with_old_secrets(self, old_secrets: Vec<SealedId>) -> Self {
        Self { old_secrets, ..self }
    }

    /// Whether a rollout will visit the servers.
    pub(crate) fn is_deferred(&self) -> bool {
        self.servers.is_none()
    }

    /// Compares each server with its captured state and enqueues its registration where something changed; or records a
    /// rollout that will. Refuses a change that leaves a server with contradictory metadata; `pointer` is where the change
    /// was made.
    pub(crate) async fn apply(self, write: &mut Write<'_>, pointer: &str, because: &str) -> Result<Impact> {
        let Some(before) = &self.servers else { return self.start_rollout(write, because).await };
        if let Some(revision) = self.revision {
            move_servers(write, &before.keys().copied().collect::<Vec<_>>(), revision).await?;
            // Every server has the newest revision now: what earlier rollouts kept for them is needed no more.
            let old = rollout_rows::supersede(write, RolloutKind::Organisation, None).await?;
            write.delete_sealed(old).await?;
        }
        let mut affected = Affected::default();
        let mut broken = Findings::default();
        let servers = write.registry.configurations().load(&write.txn, self.scope.servers(), false).await?;
        let mut changed = Vec::new();
        for layers in &servers {
            let resolution = layers.resolution();
            let old = before.get(&layers.server.id);
            let known: &[Finding] = old.map_or(&[], |(_, old)| &old.findings.0);
            for finding in new_findings(layers, known, &resolution) {
                broken.push(finding.below(pointer));
            }
            let unchanged = old.is_some_and(|(old_layers, old)| {
                old.effective == resolution.effective
                    && old_layers.integration.url == layers.integration.url
                    && old_layers.integration.auth_type == layers.integration.auth_type
                    && old_layers.integration.transport == layers.integration.transport
                    && old_layers.enabled == layers.enabled
            });
            if !unchanged {
                changed.push((layers, resolution.effective));
            }
        }
        if broken.has_errors() {
            return Err(Error::Invalid(broken));
        }
        let holds = self.replacements == ReplacementMode::Defer;
        affected.reached = servers.len() as u64;
        let reach = Reach::plan(write.registry, &write.txn, changed, holds).await?;
        reach.carry_out(write, because.into()).await?;
        affected.add(reach.affected);
        Ok(Impact { affected, rollout: None })
    }

    async fn start_rollout(self, write: &mut Write<'_>, because: &str) -> Result<Impact> {
        let total = match self.forecast {
            Some(forecast) => (forecast.reached, forecast.reached < MAX_COUNTED),
            None => self.scope.servers().bounded_count(&write.txn).await?,
        };
        let rollout = rollout_rows::start(
            write,
            NewRollout {
                kind: match self.scope {
                    LayerScope::Organisation => RolloutKind::Organisation,
                    _ => RolloutKind::Integration,
                },
                scope: &self.scope,
                revision: self.revision,
                because,
                holds_replacements: self.replacements == ReplacementMode::Defer,
                options: self.options,
                total,
                old_secrets: self.old_secrets,
            },
        )
        .await?;
        let affected = self.forecast.unwrap_or_else(|| Affected::at_most(total.0));
        Ok(Impact { affected, rollout: Some(rollout) })
    }
}

/// Servers that changed, with what is done about it. Worked out outside of a write where they are many.
pub(crate) struct Reach<'a> {
    changed: Vec<&'a ServerLayers>,
    known: KnownClients,
    /// Registrations whose client is replaced only after approval, with the inputs that this holds for.
    held: Vec<(Uuid, String)>,
    /// Whether registrations are enqueued.
    enqueues: bool,
    pub(crate) affected: Affected,
}

impl<'a> Reach<'a> {
    /// Works out what the change costs: the servers, each with what its layers are resolved to now.
    pub(crate) async fn plan(
        registry: &Registry,
        db: &impl ConnectionTrait,
        changed: Vec<(&'a ServerLayers, EffectiveMetadata)>,
        holds_replacements: bool,
    ) -> Result<Self> {
        let (changed, effective): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
        let known = KnownClients::of(db, changed.iter().copied()).await?;
        let (mut affected, mut held) = (Affected::default(), Vec::new());
        for (layers, effective) in changed.iter().zip(effective) {
            affected.servers += 1;
            let row = known.registration_and_client(layers).map(|(row, _)| row);
            if row.is_none() && !auth_type(&layers.integration)?.needs_client() {
                continue;
            }
            affected.registrations += 1;
            let (desired, mut cost) = known.desired_and_cost(registry, layers, effective)?;
            if let (true, Some(row)) = (holds_replacements, row) {
                held.push((row.id, desired.inputs()));
                if cost == Cost::Replaced {
                    cost = Cost::Asked;
                }
            }
            affected.add_cost(cost);
        }
        Ok(Self { changed, known, held, enqueues: true, affected })
    }

    /// Servers whose documents changed, but not their registrations.
    pub(crate) fn documents_only(changed: Vec<&'a ServerLayers>) -> Self {
        let affected = Affected { servers: changed.len() as u64, ..Affected::default() };
        Self { changed, known: KnownClients::default(), held: Vec::new(), enqueues: false, affected }
    }

    /// Tells gateways of the servers, and enqueues their registrations.
    pub(crate) async fn carry_out(&self, write: &mut Write<'_>, cause: Cause<'_>) -> Result<()> {
        if self.enqueues {
            enqueue(write, &self.changed, &self.known, cause).await?;
        }
        for (registration, inputs) in &self.held {
            require_approval(write, *registration, inputs).await?;
        }
        for layers in &self.changed {
            write.server_changed(WorkspaceId(layers.workspace.id), ServerId(layers.server.id));
        }
        Ok(())
    }
}

/// Moves servers to a revision of the organisation's layer.
pub(crate) async fn move_servers(write: &Write<'_>, servers: &[Uuid], revision: i64) -> Result<()> {
    if servers.is_empty() {
        return Ok(());
    }
    server::Entity::update_many()
        .col_expr(server::Column::OrganisationRevision, Expr::value(revision))
        .filter(server::Column::Id.is_in(servers.iter().copied()))
        .exec(&write.txn)
        .await?;
    Ok(())
}

/// What `resolution` says of a server beside what was `known` of it, as findings that name the server.
pub(crate) fn new_findings(
    layers: &ServerLayers,
    known: &[Finding],
    resolution: &Resolution,
) -> Vec<Finding> {
    let new = resolution.findings.iter().filter(|finding| !known.contains(finding));
    new.cloned()
        .map(|mut finding| {
            finding.message = format!(
                "For the server {}/{}: {}",
                layers.workspace.slug, layers.server.slug, finding.message
            );
            finding
        })
        .collect()
}
