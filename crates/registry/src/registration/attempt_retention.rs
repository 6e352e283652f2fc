//! Removes old attempts.
//!
//! Attempts are visited once, in the order of their ids, which is that of time. When attempt *n* of a registration is visited,
//! every attempt of this registration that is not among its newest is read from the index of numbers and removed. So the costs
//! depend on how many attempts became old, not on how many there are.

use crate::registration::Registrations;
use crate::storage::columns::millis;
use crate::storage::deployment_values::{of_key, record};
use crate::storage::entity::{attempt, deployment, registration};
use crate::storage::write::MAX_ROWS_PER_STATEMENT;
use crate::{Actor, Result};
use registry_core::registration::AttemptStep;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;
use uuid::Uuid;

/// How many attempts of each registration are kept however old they are: those that a registration is shown with.
pub(crate) const MAX_SHOWN: u32 = 50;
/// Key in `deployment`: the id of the last attempt that was visited.
const POSITION: &str = "attempts.pruned";
/// How many attempts are visited at a time. Each may belong to another registration.
const MAX_VISITED: u64 = 1_000;
/// How many attempts one transaction removes at most.
const MAX_REMOVED: u64 = 2_000;

/// An attempt that is not among the newest of its registration.
struct Old {
    id: Uuid,
    registration: Uuid,
    number: i64,
    is_register: bool,
}

impl Registrations<'_> {
    /// Removes attempts that began before `retention.attempts_days` and of which their registration has 50 newer ones; the
    /// last one that sent a registration request is kept. Returns how many were removed. Where it stands is recorded with
    /// each removal; another process that removes attempts at the same time ends this call.
    pub async fn prune_attempts(self) -> Result<u64> {
        let db = self.registry.db();
        let keep = i64::try_from(self.registry.settings().attempts_keep.as_millis()).unwrap_or(i64::MAX);
        let cutoff = Ord::max(millis(self.registry.now()).saturating_sub(keep), 0);
        let end = first_id_at(cutoff);
        let mut removed = 0;
        let mut recorded = position(&deployment::Entity::find().all(db).await?)?;
        // A later one was recorded while the clock was wrong, or with a shorter retention.
        let mut from = recorded.filter(|from| *from < end).unwrap_or(Uuid::nil());
        loop {
            let began = Instant::now();
            let visited: Vec<(Uuid, Uuid)> = attempt::Entity::find()
                .select_only()
                .columns([attempt::Column::Id, attempt::Column::RegistrationId])
                .filter(attempt::Column::Id.gt(from))
                .filter(attempt::Column::Id.lt(end))
                .order_by_asc(attempt::Column::Id)
                .limit(MAX_VISITED)
                .into_tuple()
                .all(db)
                .await?;
            let Some((last, _)) = visited.last() else { return Ok(removed) };
            let old = old_attempts(db, visited.iter().map(|(_, id)| *id).collect(), cutoff).await?;
            let is_complete = (old.len() as u64) < MAX_REMOVED;
            let kept = last_requests(db, &old).await?;
            let gone: Vec<Uuid> = old
                .iter()
                .filter(|one| kept.get(&one.registration) != Some(&one.number))
                .map(|one| one.id)
                .collect();
            let to = if is_complete { *last } else { from };
            if gone.is_empty() && visited.len() as u64 == MAX_VISITED {
                from = to;
                continue;
            }
            let write = self.registry.begin_write(&Actor::worker("retention")).await?;
            if position(&write.deployment)? != recorded {
                return Ok(removed);
            }
            for ids in gone.chunks(MAX_ROWS_PER_STATEMENT) {
                let ids = attempt::Column::Id.is_in(ids.iter().copied());
                removed += attempt::Entity::delete_many().filter(ids).exec(&write.txn).await?.rows_affected;
            }
            record(&write, POSITION, json!(to)).await?;
            write.commit().await?;
            (from, recorded) = (to, Some(to));
            tokio::time::sleep(began.elapsed()).await;
        }
    }
}

fn position(rows: &[deployment::Model]) -> Result<Option<Uuid>> {
    of_key(rows, POSITION)
}

/// The lowest id that a row of this moment may have (UUIDv7), in epoch milliseconds.
fn first_id_at(millis: i64) -> Uuid {
    Uuid::from_u128(u128::from(millis.unsigned_abs()) << 80)
}

/// Finished attempts of some registrations that are not among their newest and began before `cutoff`, at most
/// [`MAX_REMOVED`].
async fn old_attempts(
    db: &impl ConnectionTrait,
    registrations: BTreeSet<Uuid>,
    cutoff: i64,
) -> Result<Vec<Old>> {
    use attempt::Column as C;
    let column = |column: C| Expr::col((attempt::Entity, column));
    // The end of a range of the index of numbers: one step in it for each registration.
    let newest = of_registration(&Alias::new("newest"), |newest| {
        Query::select().expr(Expr::col((newest.clone(), C::Number)).max()).to_owned()
    });
    let newest = Expr::SubQuery(None, Box::new(newest.into()));
    let columns = [C::Id, C::RegistrationId, C::Number, C::Step];
    let is_old = Condition::all()
        .add(column(C::RegistrationId).equals(registration_id()))
        .add(column(C::Number).lte(newest.sub(i64::from(MAX_SHOWN))))
        .add(column(C::StartedAt).lt(cutoff))
        .add(column(C::FinishedAt).is_not_null());
    let mut select = Query::select().from(registration::Entity).to_owned();
    if db.get_database_backend() == DbBackend::Postgres {
        // A limit of its own for each registration: no statistics lead to another plan than to read one after the other.
        let old = Alias::new("old");
        let of_one = Query::select()
            .columns(columns)
            .from(attempt::Entity)
            .cond_where(is_old)
            .order_by(C::Number, sea_orm::Order::Asc)
            .limit(MAX_REMOVED)
            .to_owned();
        select.columns(columns.map(|column| (old.clone(), column))).join_lateral(
            JoinType::InnerJoin,
            of_one,
            old,
            Expr::cust("TRUE"),
        );
    } else {
        select.columns(columns.map(|column| (attempt::Entity, column))).inner_join(attempt::Entity, is_old);
    }
    select.and_where(registration::Column::Id.is_in(registrations)).limit(MAX_REMOVED);
    let rows = db.query_all(&select).await?;
    rows.iter()
        .map(|row| {
            Ok(Old {
                id: row.try_get_by_index(0)?,
                registration: row.try_get_by_index(1)?,
                number: row.try_get_by_index(2)?,
                is_register: row.try_get_by_index::<String>(3)? == AttemptStep::Register.as_str(),
            })
        })
        .collect()
}

/// The number of the last attempt that sent a registration request, of each registration that has such a one among `old`:
/// users are shown what was sent.
async fn last_requests(db: &impl ConnectionTrait, old: &[Old]) -> Result<HashMap<Uuid, i64>> {
    use attempt::Column as C;
    let registrations: BTreeSet<Uuid> =
        old.iter().filter(|one| one.is_register).map(|one| one.registration).collect();
    if registrations.is_empty() {
        return Ok(HashMap::new());
    }
    let last = of_registration(&Alias::new("sent"), |sent| {
        let column = |column: C| Expr::col((sent.clone(), column));
        Query::select()
            .expr(column(C::Number))
            .and_where(column(C::Step).eq(AttemptStep::Register.as_str()))
            .and_where(column(C::Request).is_not_null())
            .order_by((sent.clone(), C::Number), sea_orm::Order::Desc)
            .limit(1)
            .to_owned()
    });
    let rows: Vec<(Uuid, Option<i64>)> = registration::Entity::find()
        .select_only()
        .column(registration::Column::Id)
        .expr_as(Expr::SubQuery(None, Box::new(last.into())), "last")
        .filter(registration::Column::Id.is_in(registrations))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, number)| Some((id, number?))).collect())
}

fn registration_id() -> (registration::Entity, registration::Column) {
    (registration::Entity, registration::Column::Id)
}

/// A query over the attempts, named `name`, of the registration of the query around it.
fn of_registration(name: &Alias, select: impl FnOnce(&Alias) -> SelectStatement) -> SelectStatement {
    select(name)
        .from_as(attempt::Entity, name.clone())
        .and_where(Expr::col((name.clone(), attempt::Column::RegistrationId)).equals(registration_id()))
        .take()
}
