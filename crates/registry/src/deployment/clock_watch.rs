//! A machine's clock that is set back: what was put off until a moment would wait until that moment comes again, days or
//! years later. It is moved along with the clock.

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

/// Key of the latest moment that was seen, in `deployment`.
const SEEN: &str = "clock.seen";
/// How old that may grow, in milliseconds: then it is written anew.
const STALE: i64 = 60_000;
/// Clocks of several machines differ, and are set by less than this all the time, in milliseconds.
const LITTLE: i64 = 30_000;

impl Deployment<'_> {
    /// Sees whether the clock was set back since somebody last looked, and moves everything that waits back with it.
    /// Answers by how much.
    pub async fn watch_clock(self) -> Result<Option<Duration>> {
        let now = crate::storage::columns::millis(self.registry.now());
        let seen = recorded(self.registry.db()).await?.get(SEEN).and_then(Value::as_i64);
        if seen.is_some_and(|seen| (seen - LITTLE..seen + STALE).contains(&now)) {
            return Ok(None);
        }
        let mut write = self.registry.begin_write(&Actor::worker("clock")).await?;
        write.as_people().await?;
        // Another process may have seen it in the meantime.
        let seen = recorded(&write.txn).await?.get(SEEN).and_then(Value::as_i64);
        record(&write, SEEN, json!(now)).await?;
        let back = seen.map_or(0, |seen| seen - now);
        if back <= LITTLE {
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
            // PostgreSQL tells the time of leases itself.
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
