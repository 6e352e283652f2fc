//! One workspace: the integrations it may use and its servers.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{PageRequest, Server, ServerFilter, Workspace, WorkspaceIntegration};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Servers per page.
const PAGE_SIZE: u64 = 50;

#[derive(Template)]
#[template(path = "pages/workspace.html")]
struct Page {
    shell: Shell,
    workspace: Workspace,
    integrations: Vec<WorkspaceIntegration>,
    servers: Vec<Server>,
    total: u64,
    q: String,
    previous: Option<String>,
    next: Option<String>,
    may_manage: bool,
    may_serve: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    page: u64,
}

#[get("/workspaces/{workspace}")]
pub(super) async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let workspace = registry.workspaces().get(actor, &reference).await?;
    let filter = ServerFilter {
        workspace: Some(reference.clone()),
        search: Some(query.q.trim().to_owned()).filter(|text| !text.is_empty()),
        ..ServerFilter::default()
    };
    let wanted = PageRequest::new(query.page, PAGE_SIZE);
    let servers = registry.servers().list(actor, filter, wanted).await?;
    let link = |page: u64| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("q", &query.q).append_pair("page", &page.to_string());
        format!("/ui/workspaces/{}?{}", workspace.slug, pairs.finish())
    };
    let page = Page {
        shell: Shell::of(&request, &signed_in, "workspaces", workspace.name.clone()),
        integrations: registry.workspaces().integrations(actor, &reference).await?,
        previous: query.page.checked_sub(1).map(link),
        next: servers.has_more(wanted).then(|| link(query.page.saturating_add(1))),
        total: servers.total,
        servers: servers.items,
        q: query.q.clone(),
        may_manage: actor.can(Permission::UpdateWorkspaces) && actor.workspace().is_none(),
        may_serve: actor.can(Permission::UpdateServers),
        workspace,
    };
    Ok(html(StatusCode::OK, &page)?)
}
