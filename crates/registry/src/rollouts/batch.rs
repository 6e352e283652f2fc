//! One batch of a rollout: the next servers in the order of their ids. It is worked out on a snapshot and written in a short
//! transaction, which is given up when a configuration changed in between.

use crate::configuration::impact::{Reach, move_servers, new_findings};
use crate::configuration::layers::{ServerLayers, ServerScope, parse_layer};
use crate::configuration::revision_rows::texts_of;
use crate::configuration::scope::LayerScope;
use crate::lookup::servers::is_live;
use crate::storage::columns::json;
use crate::storage::entity::{audit_event, organisation, rollout, rollout_failure, sequence, server};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::finding::{Finding, Severity};
use registry_core::id::{IntegrationId, WorkspaceId};
use registry_core::metadata::{AdvancedConfiguration, EffectiveMetadata};
use registry_core::rollout::RolloutKind;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use std::sync::Arc;
use uuid::Uuid;

/// Subjects of audit events that say nothing of configurations: a batch stays good beside them.
const UNRELATED_SUBJECTS: [&str; 6] =
    ["registration", "client_secret", "session", "user", "api_key", "orphan"];

/// The servers that a batch reaches.
pub(super) struct Batch {
    /// The servers, as they are after the change.
    servers: Vec<ServerLayers>,
    /// Indices of those whose metadata or address changes, with their metadata after it.
    changed: Vec<(usize, EffectiveMetadata)>,
    /// Servers that cannot take the change, and why.
    refused: Vec<(Uuid, Vec<Finding>)>,
    /// All of them as they were read.
    read: Vec<ServerLayers>,
    /// The last audit event of the snapshot.
    audit: i64,
    /// The last server in the order of ids; `None`: the batch is empty.
    pub(super) last: Option<Uuid>,
}

impl Batch {
    pub(super) fn reached(&self) -> usize {
        self.servers.len() + self.refused.len()
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// Works out the next batch of at most `most` servers.
    pub(super) async fn read(
        registry: &Registry,
        read: &DatabaseTransaction,
        rollout: &rollout::Model,
        most: u64,
    ) -> Result<Self> {
        let sequence = sequence::Entity::find_by_id(1).one(read).await?;
        let audit = sequence.map_or(0, |row| row.audit);
        let ids = next_servers(read, rollout, most).await?;
        let last = ids.last().copied();
        let loaded = registry.configurations().load(read, ServerScope::Servers(&ids), false).await?;
        let Some(revision) = rollout.revision else {
            let effective = loaded.iter().map(|layers| layers.resolution().effective);
            let changed = effective.enumerate().collect();
            return Ok(Self {
                servers: loaded.clone(),
                read: loaded,
                changed,
                refused: Vec::new(),
                audit,
                last,
            });
        };
        let layer = Arc::new(organisation_layer(read, revision).await?);
        let (mut servers, mut changed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for mut layers in loaded.iter().cloned() {
            let before = layers.resolution();
            layers.organisation_layer = layer.clone();
            layers.server.organisation_revision = revision;
            let after = layers.resolution();
            let mut errors = new_findings(&layers, &before.findings.0, &after);
            errors.retain(|finding| finding.severity == Severity::Error);
            if !errors.is_empty() {
                refused.push((layers.server.id, errors));
                continue;
            }
            if before.effective != after.effective {
                changed.push((servers.len(), after.effective));
            }
            servers.push(layers);
        }
        Ok(Self { servers, changed, refused, read: loaded, audit, last })
    }

    /// What the batch does to registrations.
    pub(super) async fn plan<'a>(
        &'a self,
        registry: &Registry,
        read: &DatabaseTransaction,
        rollout: &rollout::Model,
    ) -> Result<Reach<'a>> {
        if rollout.kind()? == RolloutKind::Capabilities {
            return Ok(Reach::documents_only(self.servers.iter().collect()));
        }
        let changed = self.changed.iter();
        let changed = changed.map(|(index, effective)| (&self.servers[*index], effective.clone())).collect();
        Reach::plan(registry, read, changed, rollout.holds_replacements).await
    }

    /// Whether what it was worked out from still holds: no configuration changed, or none of these servers.
    pub(super) async fn is_current(&self, write: &Write<'_>) -> Result<bool> {
        let later = audit_event::Entity::find()
            .select_only()
            .column(audit_event::Column::Number)
            .filter(audit_event::Column::Number.gt(self.audit))
            .filter(audit_event::Column::SubjectKind.is_not_in(UNRELATED_SUBJECTS))
            .limit(1)
            .into_tuple::<i64>();
        if later.one(&write.txn).await?.is_none() {
            return Ok(true);
        }
        let ids: Vec<Uuid> = self.read.iter().map(|layers| layers.server.id).collect();
        let now = write.registry.configurations().load(&write.txn, ServerScope::Servers(&ids), false).await?;
        Ok(now.len() == self.read.len()
            && now.iter().zip(&self.read).all(|(now, then)| has_same_inputs(now, then)))
    }

    /// Moves the servers to the revision of the rollout, and records those that cannot take it.
    pub(super) async fn store(&self, write: &Write<'_>, rollout: &rollout::Model) -> Result<()> {
        if let Some(revision) = rollout.revision {
            let ids: Vec<Uuid> = self.servers.iter().map(|layers| layers.server.id).collect();
            move_servers(write, &ids, revision).await?;
        }
        let rows: Vec<_> = self
            .refused
            .iter()
            .map(|(server, findings)| {
                Ok(rollout_failure::ActiveModel {
                    rollout_id: Set(rollout.id),
                    server_id: Set(*server),
                    findings: Set(serde_json::to_string(findings)?),
                    at: Set(write.millis()),
                })
            })
            .collect::<Result<_>>()?;
        if !rows.is_empty() {
            rollout_failure::Entity::insert_many(rows).exec_without_returning(&write.txn).await?;
        }
        Ok(())
    }
}

/// Whether both are resolved from the same.
fn has_same_inputs(one: &ServerLayers, other: &ServerLayers) -> bool {
    one.server == other.server
        && one.integration == other.integration
        && one.workspace.slug == other.workspace.slug
        && one.workspace_revision == other.workspace_revision
        && one.enabled == other.enabled
        && one.integration_mapped == other.integration_mapped
        && one.server_mapped == other.server_mapped
        && one.in_force.generation == other.in_force.generation
}

/// The next servers of a rollout, in the order of their ids: live ones, or for a deletion those that are not marked yet.
pub(super) async fn next_servers(
    db: &impl ConnectionTrait,
    rollout: &rollout::Model,
    most: u64,
) -> Result<Vec<Uuid>> {
    let scope = match (rollout.integration_id, &rollout.workspaces, rollout.workspace_id) {
        (None, _, None) => LayerScope::Organisation,
        (None, _, Some(id)) => LayerScope::Workspace(WorkspaceId(id)),
        (Some(id), Some(text), _) => {
            LayerScope::Access(IntegrationId(id), json(text, "rollout", "workspaces", rollout.id)?)
        }
        (Some(id), None, _) => LayerScope::Integration(IntegrationId(id)),
    };
    let reached = match rollout.kind()? {
        RolloutKind::Deletion => Condition::all().add(server::Column::DeletedAt.is_null()),
        RolloutKind::Organisation
        | RolloutKind::Integration
        | RolloutKind::Settings
        | RolloutKind::Capabilities => is_live(),
    };
    let select = scope.servers().filter(server::Entity::find()).filter(reached);
    let mut select = select.select_only().column(server::Column::Id);
    if let Some(position) = rollout.position {
        select = select.filter(server::Column::Id.gt(position));
    }
    if let Some(revision) = rollout.revision {
        select = select.filter(server::Column::OrganisationRevision.lt(revision));
    }
    Ok(select.order_by_asc(server::Column::Id).limit(most).into_tuple().all(db).await?)
}

async fn organisation_layer(db: &impl ConnectionTrait, revision: i64) -> Result<AdvancedConfiguration> {
    let row = organisation::Entity::find().one(db).await?;
    let row = row.ok_or_else(|| Error::not_found("organisation", ""))?;
    let texts = texts_of(db, OwnerKind::Organisation.with_id(row.id), [revision]).await?;
    let text = texts.get(&revision).ok_or_else(|| Error::corrupt("rollout", "revision", row.id))?;
    parse_layer(text.as_deref(), "revision", row.id)
}
