//! Who was refused too often in a row has to wait, longer each time: whatever process they ask, and whether or not there
//! is anybody of that e-mail address.

use crate::storage::entity::sign_in_failure;
use crate::storage::write::Write;
use crate::{Error, Result};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

/// Refusals in a row that cost nothing.
const FREE: i32 = 5;
/// The first wait, in milliseconds; doubled by each refusal after it.
const FIRST: i64 = 30_000;
/// The longest wait: 15 minutes. Longer ones would keep people out who are attacked, not who attack.
const LONGEST: i64 = 900_000;
/// After a day without a refusal everything is forgotten.
const MEMORY: i64 = 86_400_000;

/// How long to wait after so many refusals in a row.
fn wait(failures: i32) -> i64 {
    match u32::try_from(failures - FREE) {
        // Ten doublings are far beyond the longest wait.
        Ok(beyond) => Ord::min(FIRST << Ord::min(beyond, 10), LONGEST),
        Err(_) => 0,
    }
}

/// What an address is remembered by: what people type there may be a password.
fn hash(email_key: &str) -> Vec<u8> {
    Sha256::digest(email_key.as_bytes()).to_vec()
}

/// Refuses whoever has to wait; counts a try as refused until it is known to be good (`forget`). Answers until when the
/// address is locked, if this one locks it (milliseconds since 1970).
pub(crate) async fn admit(write: &mut Write<'_>, email_key: &str) -> Result<Option<i64>> {
    use sign_in_failure::Column as C;
    let now = write.millis();
    let row = sign_in_failure::Entity::find_by_id(hash(email_key)).one(&write.txn).await?;
    // However the clock was set meanwhile.
    let left = row.map_or(0, |row| Ord::min(row.locked_until - now, LONGEST));
    if let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) {
        return Err(Error::TooManyTries { seconds: left.div_ceil(1000) });
    }
    sign_in_failure::Entity::delete_many().filter(C::LastAt.lt(now - MEMORY)).exec(&write.txn).await?;
    let row = sign_in_failure::ActiveModel {
        email_hash: Set(hash(email_key)),
        failures: Set(1),
        last_at: Set(now),
        locked_until: Set(0),
    };
    let again = OnConflict::column(C::EmailHash)
        .value(C::Failures, Expr::col((sign_in_failure::Entity, C::Failures)).add(1))
        .value(C::LastAt, now)
        .to_owned();
    sign_in_failure::Entity::insert(row).on_conflict(again).exec_without_returning(&write.txn).await?;
    let row = sign_in_failure::Entity::find_by_id(hash(email_key)).one(&write.txn).await?;
    let wait = row.map_or(0, |row| wait(row.failures));
    if wait == 0 {
        return Ok(None);
    }
    let locked = sign_in_failure::Entity::update_many().col_expr(C::LockedUntil, Expr::value(now + wait));
    locked.filter(C::EmailHash.eq(hash(email_key))).exec(&write.txn).await?;
    Ok(Some(now + wait))
}

/// Somebody came in, or was let in by an administrator: the address starts anew.
pub(crate) async fn forget(write: &Write<'_>, email_key: &str) -> Result<()> {
    sign_in_failure::Entity::delete_by_id(hash(email_key)).exec(&write.txn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::wait;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<i64> =
            [1, 4, 5, 6, 7, 9, 10, 11, 60, i32::MAX].map(|failures| wait(failures) / 1000).to_vec();
        assert_eq!(waits, [0, 0, 30, 60, 120, 480, 900, 900, 900, 900]);
    }
}
