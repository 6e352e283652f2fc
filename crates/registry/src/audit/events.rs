//! The audit log: reading it page by page.

use crate::audit::Audit;
use crate::audit::filter::{self, AuditFilter, MAX_SCANNED};
use crate::audit::result::AuditResult;
use crate::pagination::{Cursor, ListOrder, Page, PageRequest, Total};
use crate::storage::columns::{json, moment};
use crate::storage::entity::audit_event;
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AuditEventId, WorkspaceId};
use registry_core::permission::Permission;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoSimpleExpr, Order, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use serde_json::Value;
use uuid::Uuid;

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
    /// Older events are before this number; `None`: there are none.
    pub older: Option<i64>,
    /// Newer events are after this number; `None`: there are none.
    pub newer: Option<i64>,
}

impl Audit<'_> {
    /// Events, newest first. From a cursor on, a filter that no index answers looks at no more than [`MAX_SCANNED`] events:
    /// the page may be short, and the next one begins after what was looked at.
    pub async fn events(
        self,
        actor: &Actor,
        filter: AuditFilter,
        request: PageRequest,
    ) -> Result<Page<AuditEvent>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let db = &self.registry.list_db(actor);
        let order = ListOrder {
            terms: vec![(audit_event::Column::Number.into_simple_expr(), Order::Desc)],
            place: |row: &audit_event::Model| (row.number, row.id),
        };
        let (oldest, newest) = ends(db).await?;
        let kept = u64::try_from((newest - oldest).saturating_add(1)).unwrap_or_default();
        let (is_empty, scans) = (filter.is_empty(), filter.scans());
        let all = filter::select(db, filter).await?;
        if let Some(cursor) = request.cursor.filter(|_| scans) {
            let range = scan(db, all, AuditCursor::Before(cursor.key()), request.size).await?;
            let items =
                range.items.into_iter().map(TryInto::try_into).collect::<Result<Vec<AuditEvent>>>()?;
            let page = Page::whole(items);
            let next = range.older.map(|number| Cursor::forward(number, Uuid::nil()));
            return Ok(Page { has_more: next.is_some(), total_is_exact: false, next, ..page });
        }
        let mut rows = all.clone().limit(request.size + 1).offset(request.offset());
        if let Some(cursor) = request.cursor {
            rows = rows.filter(order.beyond(request, &[cursor.key().into()]));
        }
        for (term, direction) in order.directed(request) {
            rows = rows.order_by(term, direction);
        }
        let page = order.page(rows.all(db).await?, request);
        let page = match () {
            () if is_empty => page.counted(db, Total::Known(kept), all).await?,
            // What is not looked at is not counted.
            () if scans && kept > MAX_SCANNED.unsigned_abs() => {
                let newest = all.filter(audit_event::Column::Number.gt(newest - MAX_SCANNED));
                let page = page.counted(db, Total::Counted, newest).await?;
                Page { total_is_exact: page.total_is_exact && !page.has_more, ..page }
            }
            () => page.counted(db, Total::Counted, all).await?,
        };
        page.try_map(TryInto::try_into)
    }

    /// At most `size` events from `seek` on. The total is not counted, because that reads the whole log; a filter that no
    /// index answers looks at no more than [`MAX_SCANNED`] events.
    pub async fn range(
        self,
        actor: &Actor,
        filter: AuditFilter,
        seek: AuditCursor,
        size: u64,
    ) -> Result<AuditRange> {
        actor.require_organisation(Permission::ReadAudit)?;
        let scans = filter.scans();
        let db = &self.registry.list_db(actor);
        let select = filter::select(db, filter).await?;
        let found =
            if scans { scan(db, select, seek, size).await? } else { read(db, select, seek, size).await? };
        let items = found.items.into_iter().map(TryInto::try_into).collect::<Result<Vec<AuditEvent>>>()?;
        Ok(AuditRange { items, older: found.older, newer: found.newer })
    }

    /// Timestamp of the oldest event that is kept.
    pub async fn begins_at(self, actor: &Actor) -> Result<Option<Timestamp>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let select = audit_event::Entity::find().order_by_asc(audit_event::Column::Number);
        Ok(select.one(self.registry.db()).await?.map(|row| moment(row.at)))
    }
}

/// Reads until the page is full.
async fn read(
    db: &impl ConnectionTrait,
    select: Select<audit_event::Entity>,
    seek: AuditCursor,
    size: u64,
) -> Result<Rows> {
    use audit_event::Column::Number;
    let select = match seek {
        AuditCursor::Newest => select.order_by_desc(Number),
        AuditCursor::Before(number) => select.filter(Number.lt(number)).order_by_desc(Number),
        AuditCursor::After(number) => select.filter(Number.gt(number)).order_by_asc(Number),
    };
    // One more than is shown says whether there are more.
    let mut items = select.limit(size.saturating_add(1)).all(db).await?;
    let more = items.len() as u64 > size;
    items.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let upwards = matches!(seek, AuditCursor::After(_));
    if upwards {
        items.reverse();
    }
    let (first, last) = (items.first().map(|row| row.number), items.last().map(|row| row.number));
    Ok(Rows {
        older: last.filter(|_| upwards || more),
        newer: first.filter(|_| if upwards { more } else { seek != AuditCursor::Newest }),
        items,
    })
}

/// Reads until the page is full, or [`MAX_SCANNED`] numbers are looked at.
async fn scan(
    db: &impl ConnectionTrait,
    select: Select<audit_event::Entity>,
    seek: AuditCursor,
    size: u64,
) -> Result<Rows> {
    use audit_event::Column::Number;
    let (oldest, newest) = ends(db).await?;
    let (above, below) = match seek {
        AuditCursor::Newest => (newest.saturating_sub(MAX_SCANNED), newest.saturating_add(1)),
        AuditCursor::Before(number) => (number.saturating_sub(MAX_SCANNED), number),
        AuditCursor::After(number) => (number, number.saturating_add(MAX_SCANNED)),
    };
    let select = select.filter(Number.gt(above)).filter(Number.lt(below));
    let mut found = read(db, select, seek, size).await?;
    match seek {
        AuditCursor::After(_) if found.newer.is_none() && below <= newest => {
            found.newer = Some(below - 1);
        }
        AuditCursor::Newest | AuditCursor::Before(_) if found.older.is_none() && above >= oldest => {
            found.older = Some(above + 1);
        }
        _ => {}
    }
    Ok(found)
}

/// The numbers of the oldest and the newest event that are kept; of an empty log 1 and 0.
async fn ends(db: &impl ConnectionTrait) -> Result<(i64, i64)> {
    use audit_event::Column::Number;
    let numbers = || audit_event::Entity::find().select_only().column(Number);
    let oldest: Option<i64> = numbers().order_by_asc(Number).into_tuple().one(db).await?;
    let newest: Option<i64> = numbers().order_by_desc(Number).into_tuple().one(db).await?;
    Ok((oldest.unwrap_or(1), newest.unwrap_or(0)))
}

/// Rows of a range.
struct Rows {
    items: Vec<audit_event::Model>,
    older: Option<i64>,
    newer: Option<i64>,
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
