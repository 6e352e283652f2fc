//! What users do about rollouts: pause and resume.

use crate::rollouts::Rollouts;
use crate::rollouts::advance::store;
use crate::rollouts::list::{Rollout, failed_registrations};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::rollout;
use crate::{Actor, ConflictCode, Error, Result};
use registry_core::id::RolloutId;
use registry_core::permission::Permission;
use registry_core::rollout::{RolloutKind, RolloutState};
use sea_orm::{EntityTrait, QuerySelect};

impl Rollouts<'_> {
    /// Pauses a running rollout after its present batch. Servers that it has not reached keep what they have. A deletion is
    /// not paused: its servers count as deleted, and only their clients and gateways would wait.
    pub async fn pause(self, actor: &Actor, id: RolloutId) -> Result<Rollout> {
        self.change_state(actor, id, &[RolloutState::Running], RolloutState::Paused).await
    }

    /// Goes on with a rollout that was paused or that stopped by itself. Its failures so far are accepted: it stops again
    /// when as many new ones have come. The canary is not waited for any more.
    pub async fn resume(self, actor: &Actor, id: RolloutId) -> Result<Rollout> {
        let from = [RolloutState::Paused, RolloutState::Stopped];
        self.change_state(actor, id, &from, RolloutState::Running).await
    }

    async fn change_state(
        self,
        actor: &Actor,
        id: RolloutId,
        from: &[RolloutState],
        to: RolloutState,
    ) -> Result<Rollout> {
        actor.require_organisation(Permission::WriteOrganisation)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = rollout::Entity::find_by_id(id.0).lock_exclusive().one(&write.txn).await?;
        let row = row.ok_or_else(|| Error::not_found("rollout", id))?;
        let state = row.state()?;
        if row.kind()? == RolloutKind::Deletion && to == RolloutState::Paused && state.is_open() {
            return Err(Error::Conflict {
                code: ConflictCode::RolloutState,
                message: "A deletion cannot be paused: its servers are no longer served, and nothing brings them back. What is left is to delete their clients at the authorization servers and to tell gateways.".to_owned(),
                pointer: None,
            });
        }
        if state != to {
            if !from.contains(&state) {
                return Err(Error::Conflict {
                    code: ConflictCode::RolloutState,
                    message: format!(
                        "The rollout is `{}`, so it cannot become `{}`.",
                        state.as_str(),
                        to.as_str()
                    ),
                    pointer: None,
                });
            }
            let mut changed = row.clone();
            to.as_str().clone_into(&mut changed.state);
            let mut action = AuditAction::RolloutPaused;
            if to == RolloutState::Running {
                write.rollout_moves();
                action = AuditAction::RolloutResumed;
                changed.canary_passed |= state == RolloutState::Stopped;
                if let (RolloutState::Stopped, Some(most)) = (state, row.max_failures) {
                    let failed = failed_registrations(&write.txn, row.id, u64::from(u32::MAX)).await?;
                    let so_far = row.refused + i64::try_from(failed).unwrap_or_default();
                    changed.max_failures = Some(most.max(1) + so_far);
                }
            }
            store(&mut write, changed, Some(action)).await?;
            write.commit().await?;
        }
        self.get(actor, id).await
    }
}
