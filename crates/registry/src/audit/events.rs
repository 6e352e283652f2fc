//! The audit log: reading it page by page.

use crate::audit::Audit;
use crate::pagination::{Page, PageRequest};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{contains, json, millis, moment};
use crate::storage::entity::audit_event;
use crate::{Actor, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::id::{AuditEventId, WorkspaceId};
use registry_core::permission::Permission;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::Value;

/// The result of an audited action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditResult {
    /// It was done.
    Done,
    /// A caller was refused.
    Refused,
    /// It was tried and failed.
    Failed,
}

/// Actions with the result `refused`, and those with the result `failed`; every other one is `done`.
const REFUSED: [&str; 2] = [AuditAction::UserSignInRefused.as_str(), AuditAction::UserLocked.as_str()];
const FAILED: [&str; 1] = [AuditAction::RegistrationFailed.as_str()];

impl AuditResult {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// The word in addresses and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The result of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }

    /// What came of an action of this name.
    fn of(action: &str) -> Self {
        if REFUSED.contains(&action) {
            Self::Refused
        } else if FAILED.contains(&action) {
            Self::Failed
        } else {
            Self::Done
        }
    }
}

/// One event of the audit log.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// Position in the hash chain, in commit order; the first event is 1.
    pub number: i64,
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// `user`, `api_key`, `token`, `operator` or `system`.
    pub actor_kind: String,
    /// The actor's id, where it has one.
    pub actor_id: Option<String>,
    /// The actor's name.
    pub actor_name: String,
    /// `api`, `web`, `worker` or `cli`.
    pub door: String,
    /// What was done, e.g. `integration.updated`.
    pub action: String,
    /// Kind of the subject.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: Option<String>,
    /// Its name at that time.
    pub subject_name: Option<String>,
    /// The workspace it belongs to.
    pub workspace_id: Option<WorkspaceId>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The peer's address.
    pub address: Option<String>,
    /// What was there before, without secrets.
    pub before: Option<Value>,
    /// What is there now, without secrets.
    pub after: Option<Value>,
    /// SHA-256 over this event and the hash of the one before, hex.
    pub hash: String,
}

impl AuditEvent {
    /// What came of it.
    pub fn result(&self) -> AuditResult {
        AuditResult::of(&self.action)
    }
}

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
}

/// Where a page of the log begins; the log grows, so pages are addressed by event number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditCursor {
    /// The newest.
    Newest,
    /// Those just before this number.
    Before(i64),
    /// Those just after this number.
    After(i64),
}

/// Consecutive events of the log, newest first.
#[derive(Clone, Debug)]
pub struct AuditRange {
    /// The events.
    pub items: Vec<AuditEvent>,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there are newer ones.
    pub newer: bool,
}

impl Audit<'_> {
    /// Events, newest first.
    pub async fn events(
        self,
        actor: &Actor,
        filter: AuditFilter,
        request: PageRequest,
    ) -> Result<Page<AuditEvent>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let select = select(filter).order_by_desc(audit_event::Column::Number);
        pagination::fetch(self.registry.db(), select, request).await?.try_map(TryInto::try_into)
    }

    /// At most `size` events from `seek` on. The total is not counted, because that reads the whole log.
    pub async fn range(
        self,
        actor: &Actor,
        filter: AuditFilter,
        seek: AuditCursor,
        size: u64,
    ) -> Result<AuditRange> {
        use audit_event::Column::Number;
        actor.require_organisation(Permission::ReadAudit)?;
        let select = select(filter);
        let select = match seek {
            AuditCursor::Newest => select.order_by_desc(Number),
            AuditCursor::Before(number) => select.filter(Number.lt(number)).order_by_desc(Number),
            AuditCursor::After(number) => select.filter(Number.gt(number)).order_by_asc(Number),
        };
        // One more than is shown says whether there are more.
        let mut rows = select.limit(size.saturating_add(1)).all(self.registry.db()).await?;
        let more = rows.len() as u64 > size;
        rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let upwards = matches!(seek, AuditCursor::After(_));
        if upwards {
            rows.reverse();
        }
        let items = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<AuditEvent>>>()?;
        Ok(AuditRange {
            older: if upwards { true } else { more },
            newer: if upwards { more } else { seek != AuditCursor::Newest },
            items,
        })
    }

    /// Timestamp of the oldest event that is kept.
    pub async fn begins_at(self, actor: &Actor) -> Result<Option<Timestamp>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let select = audit_event::Entity::find().order_by_asc(audit_event::Column::Number);
        Ok(select.one(self.registry.db()).await?.map(|row| moment(row.at)))
    }
}

fn select(filter: AuditFilter) -> Select<audit_event::Entity> {
    use audit_event::Column as C;
    let mut select = audit_event::Entity::find();
    match filter.action {
        Some(kind) if kind.ends_with('.') => select = select.filter(C::Action.starts_with(kind)),
        Some(action) => select = select.filter(C::Action.eq(action)),
        None => {}
    }
    if let Some(subject) = filter.subject {
        select = select.filter(
            Condition::any()
                .add(C::SubjectKind.eq(&subject))
                .add(C::SubjectId.eq(&subject))
                .add(contains(C::SubjectName, &subject)),
        );
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
    if let Some(from) = filter.from {
        select = select.filter(C::At.gte(millis(from)));
    }
    if let Some(until) = filter.until {
        select = select.filter(C::At.lt(millis(until)));
    }
    if let Some(number) = filter.before_number {
        select = select.filter(C::Number.lt(number));
    }
    select
}

impl TryFrom<audit_event::Model> for AuditEvent {
    type Error = Error;
    fn try_from(row: audit_event::Model) -> Result<Self> {
        let read = |text: &Option<String>, column| {
            text.as_deref().map(|text| json::<Value>(text, "audit_event", column, row.id)).transpose()
        };
        Ok(Self {
            number: row.number,
            id: AuditEventId(row.id),
            at: moment(row.at),
            before: read(&row.before, "before")?,
            after: read(&row.after, "after")?,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            door: row.door,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            subject_name: row.subject_name,
            workspace_id: row.workspace_id.map(WorkspaceId),
            request_id: row.request_id,
            address: row.address,
            hash: row.hash,
        })
    }
}
