//! Detects a clock that is set back: work that is due at a later time would wait until that time comes again, days or
//! years later. Its times are moved back with the clock.

use crate::audit::chain::PENDING_PRUNE;
use crate::deployment::Deployment;
use crate::storage::audit_action::AuditAction;
use crate::storage::deployment_values::{record, recorded};
use crate::storage::entity::{issuer_budget, oauth_client, registration};
use crate::storage::write::Event;
use crate::{Actor, Result};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::time::Duration;

/// Key in `deployment`: the latest time that was seen, in epoch milliseconds.
const LAST_SEEN: &str = "clock.seen";
/// How often it is recorded, in milliseconds.
const RECORD_INTERVAL: i64 = 60_000;
/// Normal difference of clocks, in milliseconds: clocks of several machines differ, and are adjusted by less than this.
const MAX_SKEW: i64 = 30_000;

impl Deployment<'_> {
    /// Checks whether the clock was set back since the last check, and moves all waiting times back with it. Answers by
    /// how much.
    pub async fn watch_clock(self) -> Result<Option<Duration>> {
        let now = crate::storage::columns::millis(self.registry.now());
        let seen = recorded(self.registry.db()).await?.get(LAST_SEEN).and_then(Value::as_i64);
        if seen.is_some_and(|seen| (seen - MAX_SKEW..seen + RECORD_INTERVAL).contains(&now)) {
            return Ok(None);
        }
        let mut write = self.registry.begin_write(&Actor::worker("clock")).await?;
        write.lock_interactive_writes().await?;
        // Another process may have handled it in the meantime.
        let seen = recorded(&write.txn).await?.get(LAST_SEEN).and_then(Value::as_i64);
        record(&write, LAST_SEEN, json!(now)).await?;
        let back = seen.map_or(0, |seen| seen - now);
        if back <= MAX_SKEW {
            write.commit().await?;
            return Ok(None);
        }
        macro_rules! move_back {
            ($entity:ident: $($column:ident)*) => {$(
                $entity::Entity::update_many()
                    .col_expr($entity::Column::$column, Expr::col($entity::Column::$column).sub(back))
                    .filter($entity::Column::$column.gt(now))
                    .exec(&write.txn)
                    .await?;
            )*};
        }
        move_back!(registration: DueAt NotBefore SlotAt);
        if write.txn.get_database_backend() == DbBackend::Sqlite {
            // On PostgreSQL leases use the clock of the database.
            move_back!(registration: LeaseUntil);
        }
        move_back!(oauth_client: WithdrawNotBefore);
        move_back!(issuer_budget: NextAt SlowedUntil PausedUntil);
        record(&write, PENDING_PRUNE, Value::Null).await?;
        write.audit(Event::new(AuditAction::ClockSetBack, "clock", "system").after(json!({ "by_ms": back })));
        write.commit().await?;
        Ok(u64::try_from(back).ok().map(Duration::from_millis))
    }
}
