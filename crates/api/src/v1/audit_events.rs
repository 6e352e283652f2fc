//! The audit log.

use crate::examples;
use crate::http::answer::{self, Answer, Listed};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::ListProblems;
use crate::state::ApiState;
use actix_web::{get, web};
use chrono::{DateTime, Utc};
use registry::{AuditEvent, AuditFilter, AuditResult};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_audit_events);
}

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAuditEvents {
    /// Only events with this action.
    #[param(example = "integration.updated")]
    action: Option<String>,
    /// Only events about this object: its id, kind or name.
    #[param(example = "linear")]
    subject: Option<String>,
    /// Only events by this actor: its id or name.
    #[param(example = "Ada")]
    actor: Option<String>,
    /// Only events with this result: `done`, `refused` or `failed`.
    #[param(example = "refused")]
    result: Option<String>,
    /// Only events at or after this timestamp (RFC 3339).
    #[param(value_type = Option<String>, format = "date-time", example = "2026-11-01T00:00:00Z")]
    from: Option<String>,
    /// Only events before this timestamp (RFC 3339).
    #[param(value_type = Option<String>, format = "date-time", example = "2026-12-01T00:00:00Z")]
    until: Option<String>,
    /// Only events with a smaller number: use it to page through a log that grows.
    #[param(example = 1000)]
    before_number: Option<i64>,
    /// Where the page begins: the `next_cursor` of the page before, with the same filters. The cost of a page does not
    /// depend on its place. `current_page` is ignored.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Page number, from 0. All items before the page are read: use `cursor` to read a whole list.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct AuditEventView {
    /// Always `audit-event`.
    #[schema(example = "audit-event")]
    object: &'static str,
    /// Id of the event.
    id: Uuid,
    /// Number of the event; without gaps, in the order of commits.
    number: i64,
    /// When the action happened (RFC 3339).
    created_at: DateTime<Utc>,
    /// Kind of the actor: `user`, `api_key`, `token`, `operator` or `system`.
    actor_kind: String,
    /// Id of the actor.
    actor_id: Option<String>,
    /// Name of the actor.
    actor_name: String,
    /// The audit source: `api`, `web`, `worker` or `cli`.
    door: String,
    /// The action.
    #[schema(example = "integration.updated")]
    action: String,
    /// Kind of the object.
    subject_kind: String,
    /// Id of the object.
    subject_id: Option<String>,
    /// Name of the object.
    subject_name: Option<String>,
    /// Id of the workspace of the object.
    workspace_id: Option<Uuid>,
    /// Id of the request.
    request_id: Option<String>,
    /// IP address of the request.
    address: Option<String>,
    /// The object before the action, without secrets: usually an object; for a configuration its text.
    #[schema(value_type = Value)]
    before: Option<Value>,
    /// The object after the action, without secrets, in the same form.
    #[schema(value_type = Value)]
    after: Option<Value>,
    /// Hash over this event and the one before it.
    hash: String,
}

impl From<AuditEvent> for AuditEventView {
    fn from(event: AuditEvent) -> Self {
        Self {
            object: "audit-event",
            id: event.id.0,
            number: event.number,
            created_at: event.at,
            actor_kind: event.actor_kind,
            actor_id: event.actor_id,
            actor_name: event.actor_name,
            door: event.door,
            action: event.action,
            subject_kind: event.subject_kind,
            subject_id: event.subject_id,
            subject_name: event.subject_name,
            workspace_id: event.workspace_id.map(|id| id.0),
            request_id: event.request_id,
            address: event.address,
            before: event.before,
            after: event.after,
            hash: event.hash,
        }
    }
}

impl AuditEventView {
    fn example() -> Self {
        Self {
            object: "audit-event",
            id: examples::id(9),
            number: 17,
            created_at: examples::moment(),
            actor_kind: "api_key".to_owned(),
            actor_id: Some(examples::id(8).to_string()),
            actor_name: "terraform".to_owned(),
            door: "api".to_owned(),
            action: "integration.updated".to_owned(),
            subject_kind: "integration".to_owned(),
            subject_id: Some(examples::id(1).to_string()),
            subject_name: Some("linear".to_owned()),
            workspace_id: None,
            request_id: Some(examples::id(10).to_string()),
            address: Some("192.0.2.7".to_owned()),
            before: Some(json!({ "name": "Linear" })),
            after: Some(json!({ "name": "Linear EU" })),
            hash: examples::DIGEST.to_owned(),
        }
    }
}

/// List audit events
///
/// Sorted newest first.
#[utoipa::path(
    tag = "audit",
    params(ListAuditEvents),
    responses(
        (status = 200, description = "The events.", body = Listed<AuditEventView>, example = json!(Listed::example(AuditEventView::example()))),
        ListProblems,
    )
)]
#[get("/audit-events")]
pub(crate) async fn list_audit_events(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListAuditEvents = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let filter = AuditFilter {
        action: query::filled(asked.action),
        subject: query::filled(asked.subject),
        actor: query::filled(asked.actor),
        result: result(asked.result)?,
        from: moment("from", asked.from)?,
        until: moment("until", asked.until)?,
        before_number: asked.before_number,
        ..AuditFilter::default()
    };
    let found = state.registry.audit().events(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(AuditEventView::from(one)))?))
}

fn result(word: Option<String>) -> Result<Option<AuditResult>, Failure> {
    let Some(word) = query::filled(word) else { return Ok(None) };
    let known = AuditResult::parse(&word);
    known.map(Some).ok_or_else(|| Failure::parameter("result", "takes `done`, `refused` or `failed`."))
}

fn moment(name: &str, text: Option<String>) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(text) = query::filled(text) else { return Ok(None) };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(moment) => Ok(Some(moment.to_utc())),
        Err(_) => Err(Failure::parameter(
            name,
            "takes a timestamp with time zone (RFC 3339), e.g. 2026-11-01T00:00:00Z.",
        )),
    }
}
