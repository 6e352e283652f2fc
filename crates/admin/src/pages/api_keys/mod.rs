//! API keys: the list, and a new key the only time it is shown. `create` creates keys, `change` rotates and revokes them.

mod change;
mod create;
mod labels;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Around, Place, Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{ApiKey, ApiKeyFilter, PageRequest, Workspace, WorkspaceFilter};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(create::show)
        .service(create::submit)
        .service(change::confirm_rotate)
        .service(change::rotate)
        .service(change::confirm_revoke)
        .service(change::revoke);
}

/// Keys per page.
const PAGE_SIZE: u64 = 50;

#[derive(Template)]
#[template(path = "pages/api_keys.html")]
struct Page {
    shell: Shell,
    items: Vec<ApiKey>,
    /// Whether the list shows inactive keys.
    ended: bool,
    working: u64,
    gone: u64,
    created: Option<Created>,
    /// The URL of this deployment, for the example.
    base: String,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
}

/// A key that was just created.
struct Created {
    name: String,
    key: String,
    /// Whether it replaces another key.
    rotated: bool,
    /// Notices about the key.
    findings: Vec<Finding>,
}

#[derive(Default, Deserialize)]
struct Query {
    #[serde(default)]
    state: String,
    #[serde(default)]
    page: u64,
    /// Where the page begins.
    #[serde(default)]
    at: String,
}

#[get("/api-keys")]
async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &query, None).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    query: &Query,
    created: Option<Created>,
) -> Result<HttpResponse, Failure> {
    let ended = query.state == "ended";
    let place = Place { page: query.page, at: query.at.clone() };
    let wanted = place.request(PAGE_SIZE);
    let of = |ended| ApiKeyFilter { ended: Some(ended), workspace: None };
    let found = signed_in.registry.api_keys().list(&signed_in.actor, of(ended), wanted).await?;
    let others =
        signed_in.registry.api_keys().list(&signed_in.actor, of(!ended), PageRequest::new(0, 1)).await?.total;
    let Around { previous, next } = place.around(&found);
    let link = |place: Place| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("state", &query.state).extend_pairs(place.fields());
        format!("/ui/api-keys?{}", pairs.finish())
    };
    let (working, gone) = if ended { (others, found.total) } else { (found.total, others) };
    let page = Page {
        shell: Shell::of(request, signed_in, "api-keys", "API keys"),
        previous: previous.map(link),
        next: next.map(link),
        items: found.items,
        ended,
        working,
        gone,
        created,
        base: super::base_url(request, signed_in),
        now: signed_in.registry.now(),
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// The workspaces that a key or a user may be bound to.
pub(super) async fn workspaces(signed_in: &SignedInUser) -> Result<Vec<Workspace>, Failure> {
    let all = PageRequest::new(0, 1000);
    Ok(signed_in.registry.workspaces().list(&signed_in.actor, WorkspaceFilter::default(), all).await?.items)
}
