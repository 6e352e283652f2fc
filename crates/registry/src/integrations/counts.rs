//! Usage and registration states of integrations.

use crate::lookup::tally::Tally;
use crate::lookup::workspaces::WorkspaceRef;
use crate::lookup::{tally, workspaces};
use crate::storage::columns::word;
use crate::storage::entity::{integration, oauth_client, registration, server, workspace};
use crate::{Actor, Result};
use registry_core::registration::{ClientStatus, RegistrationMethod, State};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// How an integration is used, as far as the caller may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationCounts {
    /// Workspaces with at least one server of it.
    pub workspaces: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations that are on their way to their first or next client.
    pub registering: u64,
    /// Registrations in state `registered`.
    pub registered: u64,
    /// Registrations that need attention: retrying, unconfirmed, outdated or failed.
    pub attention: u64,
    /// Of these: those that will be tried again.
    pub retrying: u64,
    /// Of the retrying ones: those whose upstream could not be reached.
    pub unreachable: u64,
    /// Of those that need attention: those whose answer was lost.
    pub unconfirmed: u64,
    /// Of those that need attention: those that wait for approval.
    pub outdated: u64,
    /// Of those that need attention: those that will not change by themselves.
    pub failed: u64,
    /// How most of the active clients came to be; `None`: there is none.
    pub method: Option<RegistrationMethod>,
}

/// States that need a user's attention.
pub(crate) const NEEDS_ATTENTION: [State; 4] =
    [State::Retrying, State::Unconfirmed, State::Outdated, State::Failed];

/// Reasons of registrations whose upstream could not be reached.
const UNREACHABLE_REASONS: [&str; 5] =
    ["timeout", "name_not_found", "connection_failed", "connection_lost", "certificate_not_trusted"];

/// Integration, state, reason, method, and how many.
type RegistrationCount = (Uuid, String, Option<String>, Option<String>, i64);

/// How some integrations are used. For the whole organisation the counts are kept (ADR 25); for one workspace its few
/// servers of each are counted.
pub(crate) async fn counts_of(
    db: &impl ConnectionTrait,
    actor: &Actor,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, IntegrationCounts>> {
    match actor.workspace() {
        Some(own) => counts_in(db, own.0, ids.into_iter().collect()).await,
        None => Ok(tally::of(db, ids).await?.iter().map(|(id, kept)| (*id, kept.into())).collect()),
    }
}

/// Whether the server of a registration is not deleted. Looked up for each row: a join of two tables, each narrowed to one
/// workspace, is taken for a join of very few rows, and then compares all of one with all of the other.
pub(super) fn has_live_server() -> Expr {
    let deleted_at = Query::select()
        .column((server::Entity, server::Column::DeletedAt))
        .from(server::Entity)
        .and_where(
            Expr::col((server::Entity, server::Column::Id))
                .equals((registration::Entity, registration::Column::ServerId)),
        )
        .to_owned();
    Expr::SubQuery(None, Box::new(deleted_at.into())).is_null()
}

async fn counts_in(
    db: &impl ConnectionTrait,
    workspace: Uuid,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, IntegrationCounts>> {
    let of_these = |select: Select<server::Entity>| {
        select
            .filter(server::Column::IntegrationId.is_in(ids.iter().copied()))
            .filter(server::Column::WorkspaceId.eq(workspace))
            .filter(server::Column::DeletedAt.is_null())
    };
    let used: Vec<(Uuid, i64, i64)> = of_these(server::Entity::find())
        .select_only()
        .column(server::Column::IntegrationId)
        .column_as(server::Column::Id.count(), "servers")
        .expr_as(Func::count_distinct(Expr::col((server::Entity, server::Column::WorkspaceId))), "workspaces")
        .group_by(server::Column::IntegrationId)
        .into_tuple()
        .all(db)
        .await?;
    let active = Condition::all()
        .add(
            Expr::col((oauth_client::Entity, oauth_client::Column::RegistrationId))
                .equals((registration::Entity, registration::Column::Id)),
        )
        .add(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()));
    let mut registrations = registration::Entity::find()
        .select_only()
        .column(registration::Column::IntegrationId)
        .column(registration::Column::State)
        .column(registration::Column::Reason)
        .column(oauth_client::Column::Method)
        .column_as(registration::Column::Id.count(), "count")
        .filter(registration::Column::WorkspaceId.eq(workspace))
        .filter(registration::Column::IntegrationId.is_in(ids.iter().copied()))
        .filter(has_live_server())
        .group_by(registration::Column::IntegrationId)
        .group_by(registration::Column::State)
        .group_by(registration::Column::Reason)
        .group_by(oauth_client::Column::Method);
    QuerySelect::query(&mut registrations).left_join(oauth_client::Entity, active);
    let registrations: Vec<RegistrationCount> = registrations.into_tuple().all(db).await?;

    let whole = |number: i64| u64::try_from(number).unwrap_or_default();
    let mut counts: HashMap<Uuid, IntegrationCounts> = HashMap::new();
    for (id, servers, workspaces) in used {
        let counted = counts.entry(id).or_default();
        (counted.servers, counted.workspaces) = (whole(servers), whole(workspaces));
    }
    let mut methods: HashMap<Uuid, HashMap<RegistrationMethod, u64>> = HashMap::new();
    for (id, state, reason, method, count) in registrations {
        let state = word(State::parse, &state, "registration", "state", id)?;
        counts.entry(id).or_default().add(state, reason.as_deref(), whole(count));
        if let Some(method) = method {
            let method = word(RegistrationMethod::parse, &method, "oauth_client", "method", id)?;
            *methods.entry(id).or_default().entry(method).or_default() += whole(count);
        }
    }
    for (id, methods) in methods {
        counts.entry(id).or_default().method = most_used(&methods);
    }
    Ok(counts)
}

/// How most clients came to be.
fn most_used(methods: &HashMap<RegistrationMethod, u64>) -> Option<RegistrationMethod> {
    let used = methods.iter().filter(|(_, count)| **count > 0);
    used.max_by_key(|(method, count)| (**count, method.as_str())).map(|(method, _)| *method)
}

impl From<&Tally> for IntegrationCounts {
    fn from(kept: &Tally) -> Self {
        let mut counts = Self {
            workspaces: kept.pairs,
            servers: kept.servers,
            method: most_used(&kept.methods),
            ..Self::default()
        };
        for state in State::ALL {
            counts.add(*state, None, kept.live(*state));
        }
        let reasons = UNREACHABLE_REASONS.iter();
        counts.unreachable = reasons.filter_map(|reason| kept.retrying.get(*reason)).sum();
        counts
    }
}

impl IntegrationCounts {
    fn add(&mut self, state: State, reason: Option<&str>, count: u64) {
        match state {
            State::Registered => self.registered += count,
            State::Retrying => {
                self.retrying += count;
                if reason.is_some_and(|reason| UNREACHABLE_REASONS.contains(&reason)) {
                    self.unreachable += count;
                }
            }
            State::Unconfirmed => self.unconfirmed += count,
            State::Outdated => self.outdated += count,
            State::Failed => self.failed += count,
            State::Queued | State::Registering => self.registering += count,
            State::Withdrawing | State::Withdrawn => {}
        }
        if NEEDS_ATTENTION.contains(&state) {
            self.attention += count;
        }
    }
}

pub(crate) async fn owners_of(
    db: &impl ConnectionTrait,
    models: &[integration::Model],
) -> Result<HashMap<Uuid, WorkspaceRef>> {
    let ids: BTreeSet<_> = models.iter().filter_map(|model| model.workspace_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    workspace::Entity::find()
        .filter(workspace::Column::Id.is_in(ids))
        .all(db)
        .await?
        .iter()
        .map(|model| Ok((model.id, workspaces::as_ref(model)?)))
        .collect()
}
