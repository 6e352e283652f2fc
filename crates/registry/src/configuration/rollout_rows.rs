//! Rows of rollouts: what a save or a deletion of many servers records instead of visiting them.

use crate::Result;
use crate::configuration::costs::Affected;
use crate::configuration::scope::LayerScope;
use crate::storage::columns::{json, set_word};
use crate::storage::entity::rollout;
use crate::storage::write::Write;
use registry_core::id::{IntegrationId, RolloutId, SealedId};
use registry_core::rollout::{RolloutKind, RolloutOptions, RolloutState};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter};

/// A rollout to record.
pub(crate) struct NewRollout<'a> {
    pub(crate) kind: RolloutKind,
    pub(crate) scope: &'a LayerScope,
    /// The revision of the organisation's layer that servers move to.
    pub(crate) revision: Option<i64>,
    pub(crate) because: &'a str,
    pub(crate) holds_replacements: bool,
    pub(crate) options: RolloutOptions,
    /// How many servers it reaches, and whether they were counted to the end.
    pub(crate) total: (u64, bool),
    /// Sealed values that only earlier revisions contain.
    pub(crate) old_secrets: Vec<SealedId>,
}

/// Records a rollout, which a worker carries out. It takes the place of earlier ones of the same layer.
pub(crate) async fn start(write: &mut Write<'_>, new: NewRollout<'_>) -> Result<RolloutId> {
    let is_deletion = new.kind == RolloutKind::Deletion;
    let (mut integration, mut workspace, mut workspaces) = (None, None, None);
    match new.scope {
        LayerScope::Integration(id) => integration = Some(*id),
        LayerScope::Access(id, some) => (integration, workspaces) = (Some(*id), Some(some)),
        LayerScope::Workspace(id) => workspace = Some(*id),
        // The change of one server never becomes a rollout.
        LayerScope::Organisation | LayerScope::Server(_) => {}
    }
    let mut old_secrets: Vec<SealedId> = new.old_secrets;
    // A change of some workspaces' access reaches only these: earlier rollouts of the integration go on beside it. Nothing
    // is deleted twice.
    if workspaces.is_none() && !is_deletion {
        old_secrets.extend(supersede(write, new.kind, integration).await?);
    }
    write.rollout_moves();
    let id = write.registry.new_id();
    let (total, total_is_exact) = new.total;
    rollout::ActiveModel {
        id: Set(id),
        kind: set_word(new.kind),
        integration_id: Set(integration.map(|id| id.0)),
        workspaces: Set(workspaces.map(serde_json::to_string).transpose()?),
        revision: Set(new.revision),
        because: Set(new.because.to_owned()),
        holds_replacements: Set(new.holds_replacements),
        state: set_word(RolloutState::Running),
        total: Set(i64::try_from(total).unwrap_or(i64::MAX)),
        total_is_exact: Set(total_is_exact),
        processed: Set(0),
        affected: Set(serde_json::to_string(&Affected::default())?),
        refused: Set(0),
        max_failures: Set(new.options.max_failures.map(|most| i64::try_from(most).unwrap_or(i64::MAX))),
        canary_size: Set(i64::try_from(new.options.canary_size(total)).unwrap_or(i64::MAX)),
        canary_passed: Set(false),
        position: Set(None),
        old_secrets: Set((!old_secrets.is_empty())
            .then(|| serde_json::to_string(&old_secrets))
            .transpose()?),
        lease_owner: Set(None),
        lease_until: Set(0),
        created_at: Set(write.millis()),
        created_by: Set(write.actor_name()),
        updated_at: Set(write.millis()),
        finished_at: Set(None),
        workspace_id: Set(workspace.map(|id| id.0)),
    }
    .insert(&write.txn)
    .await?;
    // Processes forget what they hold of its servers at once; gateways learn of each server with its batch.
    match (integration, workspace) {
        (Some(integration), _) if is_deletion => write.integration_deleted(integration),
        (Some(integration), _) => write.integration_changed(integration),
        (None, Some(workspace)) => write.workspace_deleted(workspace),
        (None, None) => {}
    }
    Ok(RolloutId(id))
}

/// The words of the states in which a rollout may still reach servers.
pub(crate) fn open_states() -> impl Iterator<Item = &'static str> {
    RolloutState::ALL.iter().filter(|state| state.is_open()).map(|state| state.as_str())
}

/// Ends the open rollouts of a layer: a later change reaches their servers, too. Returns the sealed values that servers which
/// were not reached may still need.
pub(crate) async fn supersede(
    write: &Write<'_>,
    kind: RolloutKind,
    integration: Option<IntegrationId>,
) -> Result<Vec<SealedId>> {
    let mut select = rollout::Entity::find()
        .filter(
            // One that ended but left servers behind has such values, too.
            Condition::any()
                .add(rollout::Column::State.is_in(open_states()))
                .add(rollout::Column::OldSecrets.is_not_null()),
        )
        .filter(rollout::Column::Kind.eq(kind.as_str()));
    if let Some(integration) = integration {
        select = select.filter(rollout::Column::IntegrationId.eq(integration.0));
    }
    let mut old_secrets = Vec::new();
    for earlier in select.all(&write.txn).await? {
        if let Some(text) = &earlier.old_secrets {
            old_secrets.extend(json::<Vec<SealedId>>(text, "rollout", "old_secrets", earlier.id)?);
        }
        let mut changed =
            rollout::ActiveModel { id: Set(earlier.id), old_secrets: Set(None), ..Default::default() };
        if earlier.state()?.is_open() {
            changed.state = set_word(RolloutState::Superseded);
            changed.updated_at = Set(write.millis());
            changed.finished_at = Set(Some(write.millis()));
        }
        changed.update(&write.txn).await?;
    }
    Ok(old_secrets)
}
