//! Which events of the audit log to list.

use crate::Result;
use crate::audit::result::{AuditResult, FAILED, REFUSED};
use crate::storage::columns::{contains, millis};
use crate::storage::entity::audit_event;
use registry_core::clock::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

/// Events that a filter looks at, at most, when no index answers it.
pub const MAX_SCANNED: i64 = 100_000;

/// No write takes as long as this, in milliseconds. The timestamp of an event is when its write began, and its number is given
/// when the write ends.
const MAX_WRITE_TIME: i64 = 600_000;

/// What workers did not do, and what API keys and tokens did not do. Both together are the condition of the index of the
/// events of users, which is used only where the statement has the same words.
const BY_NO_WORKER: &str = "door <> 'worker'";
const BY_NO_PROGRAM: &str = "actor_kind NOT IN ('api_key', 'token')";

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Exactly this action, or all of a kind: `user.`.
    pub action: Option<String>,
    /// Subject kind or id exactly, or part of its name.
    pub subject: Option<String>,
    /// Part of the actor's name.
    pub actor: Option<String>,
    /// Only with this result.
    pub result: Option<AuditResult>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only numbers below this one, for reading on.
    pub before_number: Option<i64>,
    /// Without what API keys and tokens did.
    pub without_programs: bool,
    /// Without what workers did by themselves.
    pub without_worker: bool,
}

impl AuditFilter {
    /// Whether every event is meant.
    pub(super) fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                action: None,
                subject: None,
                actor: None,
                result: None,
                from: None,
                until: None,
                before_number: None,
                without_programs: false,
                without_worker: false,
            }
        )
    }

    /// Whether events must be looked at one after the other, because no index has what is asked for in their order.
    pub(super) fn scans(&self) -> bool {
        self.action.as_deref().is_some_and(|action| action.ends_with('.'))
            || self.subject.as_deref().is_some_and(|subject| Uuid::try_parse(subject).is_err())
            || self.actor.is_some()
            || self.without_programs != self.without_worker
            || self.result == Some(AuditResult::Refused)
    }
}

/// The events that `filter` means, in no order.
pub(super) async fn select(
    db: &impl ConnectionTrait,
    filter: AuditFilter,
) -> Result<Select<audit_event::Entity>> {
    use audit_event::Column as C;
    let mut select = audit_event::Entity::find();
    match filter.action {
        Some(kind) if kind.ends_with('.') => select = select.filter(C::Action.starts_with(kind)),
        Some(action) => select = select.filter(C::Action.eq(action)),
        None => {}
    }
    match filter.subject {
        Some(subject) if Uuid::try_parse(&subject).is_ok() => {
            select = select.filter(C::SubjectId.eq(subject));
        }
        Some(subject) => {
            let any = Condition::any().add(C::SubjectKind.eq(&subject)).add(C::SubjectId.eq(&subject));
            select = select.filter(any.add(contains(C::SubjectName, &subject)));
        }
        None => {}
    }
    if let Some(name) = filter.actor {
        select = select.filter(contains(C::ActorName, &name));
    }
    match filter.result {
        Some(AuditResult::Refused) => select = select.filter(C::Action.is_in(REFUSED)),
        Some(AuditResult::Failed) => select = select.filter(C::Action.is_in(FAILED)),
        Some(AuditResult::Done) => {
            select = select.filter(C::Action.is_not_in(REFUSED.into_iter().chain(FAILED)));
        }
        None => {}
    }
    // The log is read by number, so its index by time only says at which numbers to begin and to end.
    let at = || Expr::col(C::At).add(0);
    let number = || audit_event::Entity::find().select_only().column(C::Number);
    if let Some(from) = filter.from.map(millis) {
        let before = number().filter(C::At.lt(from.saturating_sub(MAX_WRITE_TIME))).order_by_desc(C::At);
        if let Some(number) = before.into_tuple::<i64>().one(db).await? {
            select = select.filter(C::Number.gt(number));
        }
        select = select.filter(at().gte(from));
    }
    if let Some(until) = filter.until.map(millis) {
        let after = number().filter(C::At.gt(until.saturating_add(MAX_WRITE_TIME))).order_by_asc(C::At);
        if let Some(number) = after.into_tuple::<i64>().one(db).await? {
            select = select.filter(C::Number.lt(number));
        }
        select = select.filter(at().lt(until));
    }
    if filter.without_worker {
        select = select.filter(Expr::cust(BY_NO_WORKER));
    }
    if filter.without_programs {
        select = select.filter(Expr::cust(BY_NO_PROGRAM));
    }
    if let Some(number) = filter.before_number {
        select = select.filter(C::Number.lt(number));
    }
    Ok(select)
}
