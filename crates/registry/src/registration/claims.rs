//! Claiming due registrations: many in one transaction, which loads them and records the attempts that begin with the claim.

use crate::actor::Actor;
use crate::ports::registration_queue::{Claim, Claimed, Claims};
use crate::registration::attempts::{NewAttempt, insert_attempts, state_during};
use crate::registration::context::{Context, LoadedRow, lease_millis};
use crate::registration::fairness::{Found, Look, candidates};
use crate::registration::observed::context_of;
use crate::registration::situation::{LoadedRegistration, load_situations};
use crate::storage::columns::{millis, moment};
use crate::storage::entity::registration;
use crate::storage::write::Write;
use crate::{Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, RegistrationId};
use registry_core::registration::AttemptStep;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use std::collections::HashSet;
use std::sync::PoisonError;
use uuid::Uuid;

/// A registration that was read and may be claimed.
struct Candidate {
    id: Uuid,
    fence: i64,
    wanted: i64,
    /// `None`: it cannot be worked on as it was read, and is loaded by itself.
    context: Option<Context>,
    /// The step that begins with the claim.
    step: Option<AttemptStep>,
}

/// Claims at most `limit` due registrations for `worker`, those due longest first, but of no upstream more than
/// `max_per_upstream` at once: one that is dead or slow must not hold up the rest. `first` names the step that begins with
/// the claim, if one does.
pub(crate) async fn claim(
    registry: &Registry,
    worker: &str,
    limit: u64,
    max_per_upstream: u64,
    first: impl Fn(&Context) -> Option<AttemptStep> + Send + Sync,
) -> Result<Claims<LoadedRow>> {
    if limit == 0 {
        return Ok(Claims { claimed: Vec::new(), next_at: None });
    }
    let now = millis(registry.now());
    let look = Look { worker, due: now, now, limit, max_per_upstream };
    let mut cursor = registry.inner.claim_cursor.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // Nothing is written, and no write waits, when nothing is due.
    let Found { ids, next_at } = candidates(registry.db(), &look, &mut cursor).await?;
    let next_at = next_at.map(moment);
    *registry.inner.claim_cursor.lock().unwrap_or_else(PoisonError::into_inner) = cursor;
    if ids.is_empty() {
        return Ok(Claims { claimed: Vec::new(), next_at });
    }
    let mut write = registry.begin_unchecked_write(&Actor::worker(worker)).await?;
    let loaded = load_situations(registry, &write.txn, &ids).await?;
    write.check_deployment(loaded.deployment)?;
    // A worker that may not seal what a step brings sends nothing: its attempt is refused when it begins.
    let may_begin = write.permit().is_ok();
    let first = |context: &Context| first(context).filter(|_| may_begin);
    let mut read: Vec<_> = loaded
        .situations
        .into_iter()
        .map(|situation| candidate(registry, write.now, situation, &first))
        .collect();
    read.sort_by_key(|one| ids.iter().position(|id| *id == one.id));
    let taken = take(registry, &write, worker, &read).await?;
    read.retain(|one| taken.contains(&one.id));
    if read.is_empty() {
        // Somebody changes them, or was faster.
        return Ok(Claims { claimed: Vec::new(), next_at: Some(write.now) });
    }
    let mut claims = Vec::with_capacity(read.len());
    let mut attempts = Vec::new();
    for candidate in read {
        let claim = Claim {
            registration: RegistrationId(candidate.id),
            fence: candidate.fence + 1,
            worker: worker.to_owned(),
        };
        let attempt = candidate.step.map(|step| (step, registry.new_id()));
        attempts.extend(attempt.map(|(step, id)| NewAttempt {
            id,
            registration: candidate.id,
            fence: claim.fence,
            step,
            request: None,
            adjustments: "[]".to_owned(),
        }));
        let loaded =
            candidate.context.map(|context| (Box::new(context), attempt.map(|(_, id)| AttemptId(id))));
        claims.push(Claimed { claim, loaded });
    }
    if !attempts.is_empty() {
        insert_attempts(&write, attempts).await?;
    }
    write.commit().await?;
    Ok(Claims { claimed: claims, next_at })
}

/// What a situation is claimed with.
fn candidate(
    registry: &Registry,
    now: Timestamp,
    situation: LoadedRegistration,
    first: &impl Fn(&Context) -> Option<AttemptStep>,
) -> Candidate {
    let LoadedRegistration { row: registration::Model { id, fence, wanted, .. }, is_open, .. } = situation;
    // An attempt without an outcome is closed, and an error said, when the registration is loaded by itself.
    let mut context = if is_open { None } else { context_of(registry, situation).ok() };
    let step = context.as_ref().and_then(first);
    if let (Some(context), Some(step)) = (&mut context, step) {
        state_during(context, step, now).as_str().clone_into(&mut context.row.row.state);
    }
    Candidate { id, fence, wanted, context, step }
}

/// Claims those of `read` that are still as they were read, and that nobody holds. Returns their ids.
async fn take(
    registry: &Registry,
    write: &Write<'_>,
    worker: &str,
    read: &[Candidate],
) -> Result<HashSet<Uuid>> {
    let picked: Vec<_> = read
        .iter()
        .map(|one| Picked {
            id: one.id,
            fence: one.fence,
            wanted: one.wanted,
            state: one.step.and(one.context.as_ref()).map(|context| context.row.row.state.clone()),
        })
        .collect();
    let backend = write.txn.get_database_backend();
    let statement = take_statement(backend, write.millis(), lease_millis(registry), worker, picked);
    let taken = write.txn.query_all_raw(statement).await?;
    let id = |row: &QueryResult| Ok(row.try_get::<Uuid>("", "id")?);
    taken.iter().map(id).collect()
}

/// A registration to claim, as it was read.
pub(crate) struct Picked {
    pub(crate) id: Uuid,
    pub(crate) fence: i64,
    pub(crate) wanted: i64,
    /// The state that it gets; `None`: as it is.
    pub(crate) state: Option<String>,
}

/// Claims those of `picked` that are as they were read: what is wanted is compared too, because it was read before the row
/// was locked.
pub(crate) fn take_statement(
    backend: DbBackend,
    now: i64,
    lease: i64,
    worker: &str,
    picked: Vec<Picked>,
) -> Statement {
    let mut values: Vec<Value> = vec![now.into(), lease.into(), worker.into()];
    let mut ids = Vec::with_capacity(picked.len());
    let mut rows = Vec::with_capacity(picked.len());
    for one in picked {
        let first = values.len() + 1;
        values.extend([one.id.into(), one.fence.into(), one.wanted.into(), one.state.into()]);
        ids.push(format!("${first}"));
        rows.push(format!("(${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3));
    }
    let (clock, unlocked) = match backend {
        // A row that somebody changes now is claimed later: no claim waits for a person's write.
        DbBackend::Postgres => (
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            format!(
                "AND id IN (SELECT id FROM registration WHERE id IN ({}) FOR UPDATE SKIP LOCKED)",
                ids.join(", ")
            ),
        ),
        _ => ("$1", String::new()),
    };
    let sql = format!(
        "WITH picked (picked_id, picked_fence, picked_wanted, picked_state) AS (VALUES {})
         UPDATE registration SET fence = fence + 1, lease_owner = $3, lease_until = {clock} + $2,
             state = COALESCE(picked_state, state),
             updated_at = CASE WHEN picked_state IS NULL THEN updated_at ELSE $1 END
         FROM picked
         WHERE id = picked_id AND fence = picked_fence AND wanted = picked_wanted
             AND due_at <= $1 AND lease_until <= {clock} {unlocked}
         RETURNING id",
        rows.join(", ")
    );
    Statement::from_sql_and_values(backend, sql, values)
}
