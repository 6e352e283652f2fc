//! One workspace: the integrations it may use and its servers.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Around, Place, Shell, html, upstream_line};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{Server, ServerFilter, Workspace, WorkspaceIntegration};
use registry_core::id::ServerId;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;
use std::collections::HashMap;

/// Servers per page.
const PAGE_SIZE: u64 = 50;

#[derive(Template)]
#[template(path = "pages/workspace.html")]
struct Page {
    shell: Shell,
    workspace: Workspace,
    integrations: Vec<WorkspaceIntegration>,
    servers: Vec<Server>,
    /// Name and version of the upstreams of the servers that are known.
    upstreams: HashMap<ServerId, String>,
    total: String,
    q: String,
    previous: Option<String>,
    next: Option<String>,
    may_manage: bool,
    may_serve: bool,
}

impl Page {
    /// Name and version of the upstream of a server; empty: nothing is known.
    fn upstream(&self, server: &Server) -> &str {
        self.upstreams.get(&server.id).map_or("", String::as_str)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    page: u64,
    /// Where the page begins.
    at: String,
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
    let place = Place { page: query.page, at: query.at.clone() };
    let servers = registry.servers().list(actor, filter, place.request(PAGE_SIZE)).await?;
    let Around { previous, next } = place.around(&servers);
    let link = |place: Place| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("q", &query.q).extend_pairs(place.fields());
        format!("/ui/workspaces/{}?{}", workspace.slug, pairs.finish())
    };
    let owners = servers.items.iter().flat_map(|server| [server.id.0, server.integration.id.0]);
    let infos = registry.capabilities().infos(actor, owners).await?;
    let known = |server: &Server| infos.get(&server.id.0).or_else(|| infos.get(&server.integration.id.0));
    let page = Page {
        upstreams: servers.items.iter().map(|one| (one.id, upstream_line(known(one)))).collect(),
        shell: Shell::of(&request, &signed_in, "workspaces", workspace.name.clone()),
        integrations: registry.workspaces().integrations(actor, &reference).await?,
        previous: previous.map(link),
        next: next.map(link),
        total: servers.total_text(),
        servers: servers.items,
        q: query.q.clone(),
        may_manage: actor.can(Permission::UpdateWorkspaces) && actor.workspace().is_none(),
        may_serve: actor.can(Permission::UpdateServers),
        workspace,
    };
    Ok(html(StatusCode::OK, &page)?)
}
