//! How often each authorization server is asked: one budget for all processes, kept in the database (`domain.md` §5
//! rule 8).
//!
//! Kept as the generic cell rate algorithm: one moment per origin says when the bucket would be empty of debts. Whoever
//! finds no room reserves the next free moment, so that waiting rows come one after another and in order, instead of all
//! at once when the next token is there.

use crate::entity::{issuer_budget, registration};
use crate::reconciliation::{Claim, claimed};
use crate::stored::{millis, moment};
use crate::write::Write;
use crate::{Actor, Registry, Result};
use registry_core::clock::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QuerySelect};
use url::Url;

/// The most that an authorization server which answers 429 is slowed down by.
const MOST_SLOWDOWN: i64 = 16;
/// How long it stays slowed down after its last 429, in milliseconds.
const SLOWED_FOR: i64 = 3_600_000;
/// How long a reserved moment may be used after it has come, in milliseconds.
const SLOT_KEPT: i64 = 600_000;

/// Whether something may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// Not before this moment.
    At(Timestamp),
}

/// The budget's key: the origin of an issuer.
pub(crate) fn origin_of(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

impl Registry {
    /// Whether the worker that holds `claim` may send something to `issuer` now. If not, it has a moment of its own, which
    /// the registration keeps until it comes. `None` when the claim is lost.
    pub async fn take_turn(&self, claim: &Claim, issuer: &str) -> Result<Option<Turn>> {
        let write = self.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(None) };
        let now = write.millis();
        let origin = origin_of(issuer);
        let budget = locked(&write, &origin).await?;
        // A moment that has passed long ago, or lies before the end of a pause asked for since, is no reservation.
        let reserved = row.slot_at.filter(|slot| *slot > now - SLOT_KEPT && *slot >= budget.paused_until);
        let slot = match reserved {
            Some(slot) => slot,
            None => reserve(&write, budget, true).await?,
        };
        let waiting = slot > now;
        registration::ActiveModel {
            id: Set(row.id),
            slot_at: Set(waiting.then_some(slot)),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        write.commit().await?;
        Ok(Some(if waiting { Turn::At(moment(slot)) } else { Turn::Now }))
    }

    /// As [`Self::take_turn`], for a person who waits for the answer: nothing is reserved when there is no room now.
    pub async fn take_turn_now(&self, actor: &Actor, issuer: &str) -> Result<Turn> {
        let write = self.begin_write(actor).await?;
        let budget = locked(&write, &origin_of(issuer)).await?;
        let slot = reserve(&write, budget, false).await?;
        let waiting = slot > write.millis();
        write.commit().await?;
        Ok(if waiting { Turn::At(moment(slot)) } else { Turn::Now })
    }
}

/// Slows an authorization server down that said it is asked too often: half as often for an hour, and not at all before
/// `until`.
pub(crate) async fn slow_down(write: &Write<'_>, issuer: &str, until: Option<Timestamp>) -> Result<()> {
    let origin = origin_of(issuer);
    let row = locked(write, &origin).await?;
    let now = write.millis();
    let slowdown = if row.slowed_until > now { row.slowdown } else { 1 };
    let pause = until.map_or(now, millis);
    issuer_budget::ActiveModel {
        origin: Set(origin),
        // After a pause there is no burst.
        next_at: Set(row.next_at.max(pause + tolerance(write))),
        slowdown: Set((slowdown * 2).min(MOST_SLOWDOWN)),
        slowed_until: Set(now + SLOWED_FOR),
        paused_until: Set(row.paused_until.max(pause)),
    }
    .update(&write.txn)
    .await?;
    Ok(())
}

/// The next free moment; taken if it is now, or if `ahead`.
async fn reserve(write: &Write<'_>, row: issuer_budget::Model, ahead: bool) -> Result<i64> {
    let now = write.millis();
    let slot = now.max(row.next_at - tolerance(write)).max(row.paused_until);
    if slot <= now || ahead {
        let slowdown = if row.slowed_until > now { row.slowdown } else { 1 };
        issuer_budget::ActiveModel {
            origin: Set(row.origin),
            next_at: Set(row.next_at.max(now) + interval(write) * slowdown),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
    }
    Ok(slot)
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
    row.ok_or_else(|| crate::Error::Internal("a budget vanished".into()))
}

/// Milliseconds between two requests in the long run.
fn interval(write: &Write<'_>) -> i64 {
    60_000 / i64::from(write.registry.settings().issuer_rate.per_minute.max(1))
}

/// How far the debts may run ahead: a burst, but for the request itself.
fn tolerance(write: &Write<'_>) -> i64 {
    interval(write) * (i64::from(write.registry.settings().issuer_rate.burst.max(1)) - 1)
}
