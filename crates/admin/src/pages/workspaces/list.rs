//! The list of workspaces, with their counts.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Around, Place, Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{WorkspaceFilter, WorkspaceSummary};
use registry_core::clock::Timestamp;
use serde::Deserialize;

const PAGE_SIZE: u64 = 25;

#[derive(Template)]
#[template(path = "pages/workspaces.html")]
struct ListPage {
    shell: Shell,
    q: String,
    items: Vec<WorkspaceSummary>,
    total: String,
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
    /// Where the page begins.
    at: String,
}

#[get("/workspaces")]
pub(super) async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let filter = WorkspaceFilter {
        search: Some(query.q.trim().to_owned()).filter(|text| !text.is_empty()),
        ..WorkspaceFilter::default()
    };
    let place = Place { page: query.page, at: query.at.clone() };
    let wanted = place.request(PAGE_SIZE);
    let found = signed_in.registry.workspaces().summaries(&signed_in.actor, filter, wanted).await?;
    let Around { previous, next } = place.around(&found);
    let link = |place: Place| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("q", &query.q).extend_pairs(place.fields());
        format!("/ui/workspaces?{}", pairs.finish())
    };
    let page = ListPage {
        shell: Shell::of(&request, &signed_in, "workspaces", "Workspaces"),
        previous: previous.map(link),
        next: next.map(link),
        first: place.first(PAGE_SIZE),
        total: found.total_text(),
        items: found.items,
        now: signed_in.registry.now(),
        q: query.into_inner().q,
    };
    Ok(html(StatusCode::OK, &page)?)
}
