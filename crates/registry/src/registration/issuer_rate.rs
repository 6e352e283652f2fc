//! How often each authorization server is asked: one budget for all processes, kept in the database
//! (INV-8).
//!
//! The key is the origin that is contacted, never the issuer that somebody's configuration or metadata only names. A
//! 429 pauses three things for three times: the registration that was answered so, for as long as the server asks
//! (`not_before`, at most a day); its workspace at that origin, for minutes; everybody else at that origin, for
//! [`MAX_PAUSE_FOR_OTHERS`]. So one workspace, or one hostile path on a shared origin, cannot stop the others (ADR 20).
//!
//! Kept as the generic cell rate algorithm: one time per origin says when its bucket would be empty of debts. A registration that
//! finds no room reserves the next free slot, so that waiting registrations are sent one after another, instead of all
//! at the same time when the next token is there.

use crate::ports::registration_queue::SendPermit;
use crate::storage::columns::moment;
use crate::storage::entity::issuer_budget;
use crate::storage::write::Write;
use crate::{Actor, Registry, Result};
use registry_core::origin::origin_of;
use sea_orm::sea_query::{Expr, OnConflict, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult,
    QueryFilter, QuerySelect, QueryTrait, Statement,
};
use uuid::Uuid;

/// The most that an authorization server which answers 429 is slowed down by. All workspaces share it, so it is small.
const MAX_SLOWDOWN: i64 = 2;
/// How long a 429 holds the other registrations of the same workspace at that origin at most, in milliseconds.
const MAX_PAUSE_FOR_WORKSPACE: i64 = 15 * 60_000;
/// How long it holds the registrations of other workspaces at that origin at most, in milliseconds.
const MAX_PAUSE_FOR_OTHERS: i64 = 2 * 60_000;
/// How long it stays slowed down after its last 429, in milliseconds.
const SLOWED_FOR: i64 = 3_600_000;
/// How long a reserved slot may be used after it has come, in milliseconds.
const SLOT_KEPT: i64 = 600_000;

/// The key of what one workspace is held up at an origin. No origin holds a space, so it is no origin's key.
fn workspace_key(origin: &str, workspace: Uuid) -> String {
    format!("{origin} {workspace}")
}

/// What a registration that wants to send something to an origin got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// It may be sent now.
    Now,
    /// Not before this time, which is reserved for the registration.
    Reserved(i64),
    /// Not before this time. Nothing is reserved for then: a workspace that is held up takes no room from the others.
    Paused(i64),
}

/// The slot of a registration of `workspace` at the origin of `url`. `held` is the slot that it has already.
pub(crate) async fn reserve_slot(
    write: &Write<'_>,
    url: &str,
    workspace: Uuid,
    held: Option<i64>,
) -> Result<Slot> {
    let now = write.millis();
    let origin = origin_of(url);
    if held.is_none() && take_slot_now(write, &origin, workspace).await? {
        return Ok(Slot::Now);
    }
    let (budget, paused_until) = locked_for(write, &origin, workspace).await?;
    if paused_until > now {
        return Ok(Slot::Paused(paused_until));
    }
    // A slot that passed long ago, or lies before the end of a pause asked for since, is no reservation.
    let reserved = held.filter(|slot| *slot > now - SLOT_KEPT && *slot >= budget.paused_until);
    let slot = match reserved {
        Some(slot) => slot,
        None => reserve(write, budget, true).await?,
    };
    Ok(if slot > now { Slot::Reserved(slot) } else { Slot::Now })
}

/// Takes a slot if the origin may be asked now and `workspace` is not held up there: in one statement what [`reserve`] does,
/// because most requests find room.
pub(crate) async fn take_slot_now(write: &Write<'_>, origin: &str, workspace: Uuid) -> Result<bool> {
    let sql = "UPDATE issuer_budget
         SET next_at = CASE WHEN next_at > $1 THEN next_at ELSE $1 END
             + $2 * CASE WHEN slowed_until <= $1 THEN 1 WHEN slowdown < $3 THEN slowdown ELSE $3 END
         WHERE origin = $4 AND paused_until <= $1 AND next_at - $5 <= $1
             AND NOT EXISTS (SELECT 1 FROM issuer_budget AS pause WHERE pause.origin = $6 AND pause.paused_until > $1)";
    let values = [
        write.millis().into(),
        interval(write).into(),
        MAX_SLOWDOWN.into(),
        origin.into(),
        tolerance(write).into(),
        workspace_key(origin, workspace).into(),
    ];
    let statement = Statement::from_sql_and_values(write.txn.get_database_backend(), sql, values);
    Ok(write.txn.execute_raw(statement).await?.rows_affected() > 0)
}

/// Whether a user who waits for the answer may have something sent to `url` now; nothing is reserved when there is no room now.
pub(crate) async fn reserve_slot_now(registry: &Registry, actor: &Actor, url: &str) -> Result<SendPermit> {
    let write = registry.begin_write(actor).await?;
    let origin = origin_of(url);
    let paused_until = match actor.workspace() {
        Some(workspace) => workspace_pause(&write, &origin, workspace.0).await?,
        None => 0,
    };
    let budget = locked(&write, &origin).await?;
    let slot =
        if paused_until > write.millis() { paused_until } else { reserve(&write, budget, false).await? };
    let waiting = slot > write.millis();
    write.commit().await?;
    Ok(if waiting { SendPermit::At(moment(slot)) } else { SendPermit::Now })
}

/// Slows down what is sent to the origin of `url`, which answered that it is asked too often: half as often for an hour,
/// and not at all for a while that depends on whose traffic it is (see the head of this file). `asked` is the pause that
/// the answer asked for, in seconds.
pub(crate) async fn slow_down(
    write: &Write<'_>,
    url: &str,
    workspace: Uuid,
    asked: Option<u64>,
) -> Result<()> {
    let origin = origin_of(url);
    let now = write.millis();
    let asked = asked.map_or(MAX_PAUSE_FOR_OTHERS, |seconds| {
        i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
    });
    let own = locked(write, &workspace_key(&origin, workspace)).await?;
    issuer_budget::ActiveModel {
        origin: Set(own.origin),
        paused_until: Set(own.paused_until.max(now + asked.min(MAX_PAUSE_FOR_WORKSPACE))),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    let row = locked(write, &origin).await?;
    let slowdown = if row.slowed_until > now { row.slowdown } else { 1 };
    let pause = now + asked.min(MAX_PAUSE_FOR_OTHERS);
    issuer_budget::ActiveModel {
        origin: Set(origin),
        // After a pause there is no burst.
        next_at: Set(row.next_at.max(pause + tolerance(write))),
        slowdown: Set((slowdown * 2).min(MAX_SLOWDOWN)),
        slowed_until: Set(now + SLOWED_FOR),
        paused_until: Set(row.paused_until.max(pause)),
    }
    .update(&write.txn)
    .await?;
    Ok(())
}

/// Until when one workspace is held up at an origin.
async fn workspace_pause(write: &Write<'_>, origin: &str, workspace: Uuid) -> Result<i64> {
    let row = issuer_budget::Entity::find_by_id(workspace_key(origin, workspace)).one(&write.txn).await?;
    let latest = write.millis() + MAX_PAUSE_FOR_WORKSPACE;
    Ok(row.map_or(0, |row| row.paused_until.min(latest)))
}

/// The next free slot, epoch milliseconds; taken if it is now, or if `ahead`.
async fn reserve(write: &Write<'_>, row: issuer_budget::Model, ahead: bool) -> Result<i64> {
    let now = write.millis();
    let slot = now.max(row.next_at - tolerance(write)).max(row.paused_until);
    if slot <= now || ahead {
        let slowdown = if row.slowed_until > now { row.slowdown.min(MAX_SLOWDOWN) } else { 1 };
        issuer_budget::Entity::update_many()
            .col_expr(
                issuer_budget::Column::NextAt,
                Expr::value(row.next_at.max(now) + interval(write) * slowdown),
            )
            .filter(issuer_budget::Column::Origin.eq(row.origin))
            .exec(&write.txn)
            .await?;
    }
    Ok(slot)
}

/// The budget of an origin, locked, and until when `workspace` is held up there.
async fn locked_for(write: &Write<'_>, origin: &str, workspace: Uuid) -> Result<(issuer_budget::Model, i64)> {
    let own = issuer_budget::Entity::find_by_id(workspace_key(origin, workspace))
        .select_only()
        .column(issuer_budget::Column::PausedUntil)
        .into_query();
    let both = issuer_budget::Entity::find_by_id(origin)
        .expr_as(SimpleExpr::SubQuery(None, Box::new(own.into())), "workspace_pause")
        .lock_exclusive()
        .build(write.txn.get_database_backend());
    let Some(row) = write.txn.query_one_raw(both).await? else {
        let pause = workspace_pause(write, origin, workspace).await?;
        return Ok((locked(write, origin).await?, pause));
    };
    let pause: Option<i64> = row.try_get("", "workspace_pause")?;
    let budget = issuer_budget::Model::from_query_result(&row, "")?;
    let latest = write.millis() + MAX_PAUSE_FOR_WORKSPACE;
    Ok((shortened(write, budget).await?, pause.unwrap_or(0).min(latest)))
}

async fn locked(write: &Write<'_>, origin: &str) -> Result<issuer_budget::Model> {
    let fresh = issuer_budget::ActiveModel {
        origin: Set(origin.to_owned()),
        next_at: Set(0),
        slowdown: Set(1),
        slowed_until: Set(0),
        paused_until: Set(0),
    };
    issuer_budget::Entity::insert(fresh)
        .on_conflict(OnConflict::column(issuer_budget::Column::Origin).do_nothing().to_owned())
        .exec_without_returning(&write.txn)
        .await?;
    let row = issuer_budget::Entity::find_by_id(origin).lock_exclusive().one(&write.txn).await?;
    shortened(write, row.ok_or_else(|| crate::Error::Internal("a budget vanished".into()))?).await
}

/// An earlier release kept pauses of up to a day for everybody, and a clock may have been ahead: no pause is longer than
/// one that is made now.
async fn shortened(write: &Write<'_>, mut row: issuer_budget::Model) -> Result<issuer_budget::Model> {
    let too_long = row.paused_until - (write.millis() + MAX_PAUSE_FOR_WORKSPACE);
    if too_long > 0 {
        row.paused_until -= too_long;
        row.next_at -= too_long;
        issuer_budget::ActiveModel {
            origin: Set(row.origin.clone()),
            next_at: Set(row.next_at),
            paused_until: Set(row.paused_until),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
    }
    Ok(row)
}

/// Milliseconds between two requests in the long run.
fn interval(write: &Write<'_>) -> i64 {
    60_000 / i64::from(write.registry.settings().issuer_rate.per_minute.max(1))
}

/// How far the debts may run ahead: a burst, but for the request itself.
fn tolerance(write: &Write<'_>) -> i64 {
    interval(write) * (i64::from(write.registry.settings().issuer_rate.burst.max(1)) - 1)
}
