//! Rollouts as users see them.

use crate::lookup::integrations::{IntegrationRef, integration_ref};
use crate::lookup::workspaces::{WorkspaceRef, as_ref};
use crate::pagination::count_up_to;
use crate::rollouts::Rollouts;
use crate::storage::columns::{json, moment};
use crate::storage::entity::{integration, registration, rollout, rollout_failure, server, workspace};
use crate::{Actor, Affected, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::{RolloutId, ServerId};
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::rollout::{RolloutKind, RolloutState};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// A change on its way to the servers under its layer, or a deletion on its way to the servers that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// What changed.
    pub kind: RolloutKind,
    /// The integration whose servers it reaches; `None`: all servers, or those of `workspace`.
    pub integration: Option<IntegrationRef>,
    /// The deleted workspace whose servers it deletes.
    pub workspace: Option<WorkspaceRef>,
    /// The revision of the organisation's layer that servers move to.
    pub revision: Option<i64>,
    /// Why registrations are enqueued, a few words.
    pub because: String,
    /// Its state.
    pub state: RolloutState,
    /// How many servers it reaches in all.
    pub total: u64,
    /// Whether `total` was counted to the end.
    pub total_is_exact: bool,
    /// How many servers it has reached.
    pub processed: u64,
    /// The impact on the servers that it has reached.
    pub affected: Affected,
    /// Servers that could not take the change.
    pub refused: u64,
    /// Registrations that it enqueued and that are not settled yet.
    pub pending_registrations: u64,
    /// Registrations that it enqueued and that failed.
    pub failed_registrations: u64,
    /// It stops when refused servers and failed registrations are more than this; `None`: never.
    pub max_failures: Option<u64>,
    /// How many servers are reached before the rest waits for their registrations; 0: no canary.
    pub canary_size: u64,
    /// Whether the rest may follow.
    pub canary_passed: bool,
    /// Who saved the change.
    pub created_by: String,
    /// When it was saved.
    pub created_at: Timestamp,
    /// When the rollout last moved.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// A server that could not take a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedServer {
    /// The server.
    pub server: ServerId,
    /// `workspace/server`, by slug.
    pub name: String,
    /// Why.
    pub findings: Vec<Finding>,
    /// When it was found.
    pub at: Timestamp,
}

/// Some of the rollouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutPage {
    /// Newest first.
    pub rollouts: Vec<Rollout>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<RolloutId>,
}

/// How many registrations of a rollout are counted in each state.
const MAX_COUNTED: u64 = 100_000;

impl Rollouts<'_> {
    /// One rollout.
    pub async fn get(self, actor: &Actor, id: RolloutId) -> Result<Rollout> {
        actor.require_organisation(Permission::ReadOrganisation)?;
        let row = rollout::Entity::find_by_id(id.0).one(self.registry.db()).await?;
        let row = row.ok_or_else(|| Error::not_found("rollout", id))?;
        let mut shown = self.show(vec![row]).await?;
        shown.pop().ok_or_else(|| Error::not_found("rollout", id))
    }

    /// Rollouts, newest first; only open ones where `open` says so. `before`: where the page begins.
    pub async fn list(
        self,
        actor: &Actor,
        open: bool,
        before: Option<RolloutId>,
        most: u64,
    ) -> Result<RolloutPage> {
        actor.require_organisation(Permission::ReadOrganisation)?;
        let most = most.clamp(1, 100);
        let mut select = rollout::Entity::find().order_by_desc(rollout::Column::Id).limit(most + 1);
        if open {
            let states = crate::configuration::rollout_rows::open_states();
            select = select.filter(rollout::Column::State.is_in(states));
        }
        if let Some(before) = before {
            select = select.filter(rollout::Column::Id.lt(before.0));
        }
        let mut rows = select.all(self.registry.db()).await?;
        let more = rows.len() as u64 > most;
        rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| more).map(|row| RolloutId(row.id));
        Ok(RolloutPage { rollouts: self.show(rows).await?, next })
    }

    /// Servers that could not take the change, at most `most`, after the server `after`.
    pub async fn refused(
        self,
        actor: &Actor,
        id: RolloutId,
        after: Option<ServerId>,
        most: u64,
    ) -> Result<Vec<RefusedServer>> {
        self.get(actor, id).await?;
        let mut select = rollout_failure::Entity::find()
            .filter(rollout_failure::Column::RolloutId.eq(id.0))
            .order_by_asc(rollout_failure::Column::ServerId)
            .limit(most.clamp(1, 1_000));
        if let Some(after) = after {
            select = select.filter(rollout_failure::Column::ServerId.gt(after.0));
        }
        let rows = select.all(self.registry.db()).await?;
        let servers = server::Entity::find()
            .filter(server::Column::Id.is_in(rows.iter().map(|row| row.server_id)))
            .find_also_related(workspace::Entity)
            .all(self.registry.db())
            .await?;
        let names: HashMap<Uuid, String> = servers
            .into_iter()
            .filter_map(|(server, workspace)| {
                Some((server.id, format!("{}/{}", workspace?.slug, server.slug)))
            })
            .collect();
        rows.into_iter()
            .map(|row| {
                Ok(RefusedServer {
                    server: ServerId(row.server_id),
                    name: names.get(&row.server_id).cloned().unwrap_or_default(),
                    findings: json(&row.findings, "rollout_failure", "findings", row.server_id)?,
                    at: moment(row.at),
                })
            })
            .collect()
    }

    async fn show(self, rows: Vec<rollout::Model>) -> Result<Vec<Rollout>> {
        let db = self.registry.db();
        let ids: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.integration_id).collect();
        let mut integrations = HashMap::new();
        if !ids.is_empty() {
            for model in
                integration::Entity::find().filter(integration::Column::Id.is_in(ids)).all(db).await?
            {
                integrations.insert(model.id, integration_ref(&model)?);
            }
        }
        let ids: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.workspace_id).collect();
        let mut workspaces = HashMap::new();
        if !ids.is_empty() {
            for model in workspace::Entity::find().filter(workspace::Column::Id.is_in(ids)).all(db).await? {
                workspaces.insert(model.id, as_ref(&model)?);
            }
        }
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
            shown.push(Rollout {
                id: RolloutId(row.id),
                kind: row.kind()?,
                integration: row.integration_id.and_then(|id| integrations.get(&id).cloned()),
                workspace: row.workspace_id.and_then(|id| workspaces.get(&id).cloned()),
                revision: row.revision,
                state: row.state()?,
                total: unsigned(row.total),
                total_is_exact: row.total_is_exact,
                processed: unsigned(row.processed),
                affected: json(&row.affected, "rollout", "affected", row.id)?,
                refused: unsigned(row.refused),
                pending_registrations: count(db, row.id, is_unsettled(), MAX_COUNTED).await?,
                failed_registrations: failed_registrations(db, row.id, MAX_COUNTED).await?,
                max_failures: row.max_failures.map(unsigned),
                canary_size: unsigned(row.canary_size),
                canary_passed: row.canary_passed,
                because: row.because,
                created_by: row.created_by,
                created_at: moment(row.created_at),
                updated_at: moment(row.updated_at),
                finished_at: row.finished_at.map(moment),
            });
        }
        Ok(shown)
    }
}

/// How many registrations that the rollout enqueued have failed, counted up to `most`.
pub(super) async fn failed_registrations(db: &impl ConnectionTrait, rollout: Uuid, most: u64) -> Result<u64> {
    count(db, rollout, registration::Column::State.eq(State::Failed.as_str()), most).await
}

/// Whether a worker has not finished with all registrations that the rollout enqueued.
pub(super) async fn has_unsettled_registrations(db: &impl ConnectionTrait, rollout: Uuid) -> Result<bool> {
    Ok(count(db, rollout, is_unsettled(), 1).await? > 0)
}

/// Whether a worker has not finished with a registration since it was last enqueued.
fn is_unsettled() -> SimpleExpr {
    Expr::col(registration::Column::Settled).lt(Expr::col(registration::Column::Wanted))
}

/// How many registrations of the rollout fit, counted up to `most`.
async fn count(db: &impl ConnectionTrait, rollout: Uuid, fits: SimpleExpr, most: u64) -> Result<u64> {
    let select =
        registration::Entity::find().filter(registration::Column::RolloutId.eq(rollout)).filter(fits);
    count_up_to(db, select, most).await
}
