//! The ledger of orphans: clients that may exist at an authorization server and that nobody here uses.

use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Orphan, OrphanFilter, PageRequest};
use registry_core::clock::Timestamp;
use registry_core::id::OrphanId;
use registry_core::permission::Permission;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list).service(table).service(resolve);
}

/// More than a page of these is read as a table elsewhere.
const SIZE: u64 = 200;

#[derive(Template)]
#[template(path = "pages/orphans.html")]
struct ListPage {
    shell: Shell,
    items: Vec<Orphan>,
    total: u64,
    may_operate: bool,
    now: Timestamp,
}

#[get("/orphans")]
async fn list(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let wanted = PageRequest::new(0, SIZE);
    let found = visitor.registry.orphans(&visitor.actor, OrphanFilter::default(), wanted).await?;
    let page = ListPage {
        shell: Shell::of(&request, &visitor, "registrations", "Orphans"),
        items: found.items,
        total: found.total,
        may_operate: visitor.actor.can(Permission::OperateRegistrations),
        now: visitor.registry.now(),
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[get("/orphans.csv")]
async fn table(visitor: Visitor) -> Result<HttpResponse, Failure> {
    let all = OrphanFilter { resolved: true, ..OrphanFilter::default() };
    let found = visitor.registry.orphans(&visitor.actor, all, PageRequest::new(0, 1000)).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"orphans.csv\""))
        .body(registry::orphan_table(found.items)?))
}

#[derive(Deserialize)]
struct Resolve {
    #[serde(default)]
    note: String,
}

#[post("/orphans/{orphan}/resolve")]
async fn resolve(
    visitor: Visitor,
    path: web::Path<OrphanId>,
    form: web::Form<Resolve>,
) -> Result<HttpResponse, Failure> {
    let note = Some(form.into_inner().note).filter(|note| !note.trim().is_empty());
    visitor.registry.resolve_orphan(&visitor.actor, *path, note).await?;
    Ok(go("/ui/orphans?done=resolved"))
}
