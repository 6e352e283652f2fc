//! The list of workspaces, with their counts.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{PageRequest, WorkspaceFilter, WorkspaceSummary};
use registry_core::clock::Timestamp;
use serde::Deserialize;

const PAGE_SIZE: u64 = 25;

#[derive(Template)]
#[template(path = "pages/workspaces.html")]
struct ListPage {
    shell: Shell,
    q: String,
    items: Vec<WorkspaceSummary>,
    total: u64,
    first: u64,
    previous: Option<String>,
    next: Option<String>,
    now: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    page: u64,
}

#[get("/workspaces")]
pub(super) async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let filter = WorkspaceFilter { search: Some(query.q.trim().to_owned()).filter(|text| !text.is_empty()) };
    let wanted = PageRequest::new(query.page, PAGE_SIZE);
    let found = signed_in.registry.workspaces().summaries(&signed_in.actor, filter, wanted).await?;
    let link = |page: u64| {
        let page = page.to_string();
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("q", &query.q).append_pair("page", &page);
        format!("/ui/workspaces?{}", pairs.finish())
    };
    let page = ListPage {
        shell: Shell::of(&request, &signed_in, "workspaces", "Workspaces"),
        previous: query.page.checked_sub(1).map(link),
        next: found.has_more(wanted).then(|| link(query.page.saturating_add(1))),
        first: query.page.saturating_mul(PAGE_SIZE).saturating_add(1),
        total: found.total,
        items: found.items,
        now: signed_in.registry.now(),
        q: query.into_inner().q,
    };
    Ok(html(StatusCode::OK, &page)?)
}
