//! Lockout: after too many failed logins in a row, an e-mail address must wait, longer each time. It holds for all
//! processes, and also for addresses without a user.

use crate::storage::entity::sign_in_failure;
use crate::storage::write::Write;
use crate::{Error, Result};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

/// Failures in a row before the first lockout.
const FREE_FAILURES: i32 = 5;
/// The first lockout, in milliseconds; each further failure doubles it.
const MIN_LOCKOUT: i64 = 30_000;
/// The longest lockout: 15 minutes. A longer one would hurt the attacked user, not the attacker.
const MAX_LOCKOUT: i64 = 900_000;
/// After a day without a failure the count is deleted.
const FAILURE_TTL: i64 = 86_400_000;

/// The lockout after so many failures in a row, in milliseconds.
fn wait(failures: i32) -> i64 {
    match u32::try_from(failures - FREE_FAILURES) {
        // Ten doublings are far beyond the longest lockout.
        Ok(beyond) => Ord::min(MIN_LOCKOUT << Ord::min(beyond, 10), MAX_LOCKOUT),
        Err(_) => 0,
    }
}

/// The key of an address: a hash, because the entered text may be a password.
fn hash(email_key: &str) -> Vec<u8> {
    Sha256::digest(email_key.as_bytes()).to_vec()
}

/// Refuses a locked address; counts the attempt as a failure until `forget` is called. Answers until when the address
/// is locked, if this attempt locks it (epoch milliseconds).
pub(crate) async fn admit(write: &mut Write<'_>, email_key: &str) -> Result<Option<i64>> {
    use sign_in_failure::Column as C;
    let now = write.millis();
    let row = sign_in_failure::Entity::find_by_id(hash(email_key)).one(&write.txn).await?;
    // Limited, because the clock may have been set back.
    let left = row.map_or(0, |row| Ord::min(row.locked_until - now, MAX_LOCKOUT));
    if let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) {
        return Err(Error::TooManyTries { seconds: left.div_ceil(1000) });
    }
    sign_in_failure::Entity::delete_many().filter(C::LastAt.lt(now - FAILURE_TTL)).exec(&write.txn).await?;
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

/// Deletes the failures of an address: after a login, or by an administrator.
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
