//! The audit log.

use crate::entity::audit_event;
use crate::page::{self, Page, PageRequest};
use crate::stored::{contains, json, millis, moment};
use crate::{Actor, Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AuditEventId, WorkspaceId};
use registry_core::permission::Permission;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// Its place in the chain, in commit order.
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
    /// The kind of thing it was done to.
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

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Exactly this action.
    pub action: Option<String>,
    /// Subject kind or id exactly, or part of its name.
    pub subject: Option<String>,
    /// Part of the actor's name.
    pub actor: Option<String>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only numbers below this one, for reading on.
    pub before_number: Option<i64>,
}

impl Registry {
    /// Events, newest first.
    pub async fn audit_events(
        &self,
        actor: &Actor,
        filter: AuditFilter,
        request: PageRequest,
    ) -> Result<Page<AuditEvent>> {
        actor.require_organisation(Permission::ReadAudit)?;
        let mut select = audit_event::Entity::find();
        if let Some(action) = filter.action {
            select = select.filter(audit_event::Column::Action.eq(action));
        }
        if let Some(subject) = filter.subject {
            select = select.filter(
                Condition::any()
                    .add(audit_event::Column::SubjectKind.eq(&subject))
                    .add(audit_event::Column::SubjectId.eq(&subject))
                    .add(contains(audit_event::Column::SubjectName, &subject)),
            );
        }
        if let Some(name) = filter.actor {
            select = select.filter(contains(audit_event::Column::ActorName, &name));
        }
        if let Some(from) = filter.from {
            select = select.filter(audit_event::Column::At.gte(millis(from)));
        }
        if let Some(until) = filter.until {
            select = select.filter(audit_event::Column::At.lt(millis(until)));
        }
        if let Some(number) = filter.before_number {
            select = select.filter(audit_event::Column::Number.lt(number));
        }
        let select = select.order_by_desc(audit_event::Column::Number);
        page::fetch(self.db(), select, request).await?.try_map(TryInto::try_into)
    }
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
