//! The audit log: one page with filters, and a download (`export`).

mod days;
mod diff;
mod export;
mod kinds;
mod query;
mod sentence;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use chrono::NaiveDate;
use days::{Day, Entry, Line};
use query::Query;
use registry::{AuditCursor, AuditEvent, AuditResult};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::permission::Permission;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(export::csv).service(export::lines);
}

/// Events per page.
const PAGE_SIZE: u64 = 50;
#[derive(Template)]
#[template(path = "pages/audit.html")]
struct Page {
    shell: Shell,
    query: Query,
    days: Vec<Day>,
    /// The numbers of the oldest and the newest event shown.
    numbers: Option<(i64, i64)>,
    older: Option<String>,
    newer: Option<String>,
    /// The filters, for the URLs of the downloads.
    filters: String,
    /// Timestamp of the oldest event.
    begins: Option<Timestamp>,
    problems: Vec<Finding>,
    now: Timestamp,
}

impl Page {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer == pointer)
    }

    /// Whether the action filter is not one of the suggestions.
    fn other_action(&self) -> bool {
        !self.query.action.is_empty() && !kinds::offers(&self.query.action)
    }
}

#[get("/audit")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ReadAudit)?;
    let query = query.into_inner();
    let (filter, problems) = query.filter();
    let seek = match (query.before, query.after) {
        (Some(number), _) => AuditCursor::Before(number),
        (None, Some(number)) => AuditCursor::After(number),
        (None, None) => AuditCursor::Newest,
    };
    let found = signed_in.registry.audit().range(&signed_in.actor, filter, seek, PAGE_SIZE).await?;
    let filters = query.filters();
    let link =
        |name: &str, number: Option<i64>| number.map(|number| format!("/ui/audit?{filters}&{name}={number}"));
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Audit log")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: audit log")
    };
    let subjects = signed_in.registry.audit().subjects(&found.items).await?;
    let page = Page {
        shell: Shell::of(&request, &signed_in, "audit", title),
        older: link("before", found.older),
        newer: link("after", found.newer),
        begins: signed_in.registry.audit().begins_at(&signed_in.actor).await?,
        numbers: found.items.last().zip(found.items.first()).map(|(old, new)| (old.number, new.number)),
        days: days::days(found.items, subjects),
        query,
        filters,
        problems,
        now: signed_in.registry.now(),
    };
    Ok(html(status, &page)?)
}

/// The page of the object of an event, if it has one. The object may be deleted by now.
fn place(entry: &Entry) -> Option<String> {
    let Entry { event, subject, .. } = entry;
    if let Some((integration, workspace)) = &subject.access {
        return Some(format!("/ui/workspaces/{workspace}/integrations/{integration}/config"));
    }
    let id = event.subject_id.as_deref()?;
    match event.subject_kind.as_str() {
        "integration" => Some(format!("/ui/integrations/{id}")),
        "workspace" => Some(format!("/ui/workspaces/{id}")),
        "registration" => Some(format!("/ui/registrations/{id}")),
        "orphan" => Some("/ui/orphans".to_owned()),
        "api_key" => Some("/ui/api-keys".to_owned()),
        "organisation" => Some("/ui/settings/organisation".to_owned()),
        "user" if id != "unknown" => Some("/ui/settings/people".to_owned()),
        _ => None,
    }
}

/// A timestamp as the time of its day; scripts show it in the time zone of the browser.
fn clock(moment: &Timestamp) -> String {
    let exact = crate::view::exact(moment);
    format!(r#"<time datetime="{exact}" title="{exact}" data-clock>{}</time>"#, moment.format("%H:%M"))
}

/// The type of a date field: browsers clear a date field that holds anything else, such as an exact timestamp.
fn kind(value: &str) -> &'static str {
    let day = value.is_empty() || NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok();
    if day { "date" } else { "text" }
}

/// The result as icon, label and colour.
fn result(event: &AuditEvent) -> String {
    let (class, icon) = match event.result() {
        AuditResult::Done => ("ok", "tick"),
        AuditResult::Refused => ("warn", "lock"),
        AuditResult::Failed => ("bad", "bad"),
    };
    let word = crate::view::capital(event.result().as_str());
    format!(r#"<span class="st {class}">{}{word}</span>"#, crate::view::icon(icon))
}
