//! A server of a workspace: create, view, change, delete.

use super::field;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::{filled, problems};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Error, KnownServerInfo, NewServer, Server, ServerChange, ServerRef, Workspace};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::{Reference, Slug};
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(blank)
        .service(create)
        .service(show)
        .service(edit)
        .service(save)
        .service(confirm)
        .service(delete);
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    integration: String,
    name: String,
    slug: String,
    description: String,
    version: i64,
}

#[derive(Template)]
#[template(path = "pages/server_edit.html")]
struct EditPage {
    shell: Shell,
    workspace: Workspace,
    /// The server to change; `None` for a new one.
    server: Option<Server>,
    /// The integrations a server can be created from.
    integrations: Vec<(Slug, String)>,
    form: Form,
    problems: Vec<Finding>,
}

impl EditPage {
    fn problem(&self, name: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| field(finding) == name)
    }

    fn back(&self) -> String {
        match &self.server {
            Some(server) => format!("/ui/workspaces/{}/servers/{}", self.workspace.slug, server.slug),
            None => format!("/ui/workspaces/{}", self.workspace.slug),
        }
    }
}

/// The server that the path names.
async fn find(
    signed_in: &SignedInUser,
    workspace: &str,
    server: &str,
) -> Result<(ServerRef, Server), Failure> {
    let reference =
        ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
    let found = signed_in.registry.servers().get(&signed_in.actor, &reference).await?;
    Ok((reference, found))
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    workspace: &str,
    server: Option<Server>,
    form: Form,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::UpdateServers)?;
    let workspace =
        signed_in.registry.workspaces().get(&signed_in.actor, &Reference::parse(workspace)).await?;
    let what = server.as_ref().map_or_else(|| "New server".to_owned(), |one| format!("Edit {}", one.name));
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, what)
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, format!("Problem: {what}"))
    };
    let page = EditPage {
        shell: Shell::of(request, signed_in, "workspaces", title),
        // An admin of the organisation gives the workspace access by creating the server.
        integrations: signed_in.registry.dashboard().integration_names(&signed_in.actor).await?,
        workspace,
        server,
        form,
        problems,
    };
    Ok(html(status, &page)?)
}

#[get("/workspaces/{workspace}/servers/new")]
async fn blank(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    query: web::Query<Form>,
) -> Result<HttpResponse, Failure> {
    // The query may name the integration.
    render(&request, &signed_in, &path, None, query.into_inner(), Vec::new()).await
}

#[post("/workspaces/{workspace}/servers/new")]
async fn create(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let integration = registry.integrations().get(actor, &Reference::parse(&form.integration)).await;
    let integration = match integration {
        Ok(integration) => integration,
        Err(Error::NotFound { .. }) => {
            let finding = Finding::error("/integration", "missing_member", "Choose an integration.");
            return render(&request, &signed_in, &path, None, form, vec![finding]).await;
        }
        Err(error) => return Err(error.into()),
    };
    let new = NewServer {
        integration: integration.id.into(),
        workspace: Some(Reference::parse(&path)),
        name: filled(&form.name).unwrap_or(integration.name),
        slug: filled(&form.slug),
        description: filled(&form.description),
        configuration: None,
        secret_mappings: Vec::new(),
    };
    match registry.servers().create(actor, new).await {
        Ok(made) => {
            let (workspace, server) = (made.value.workspace.slug, made.value.slug);
            Ok(go(format!("/ui/workspaces/{workspace}/servers/{server}?done=added")))
        }
        Err(error) => render(&request, &signed_in, &path, None, form, problems(error)?).await,
    }
}

#[derive(Template)]
#[template(path = "pages/server.html")]
struct ShowPage {
    shell: Shell,
    server: Server,
    /// What its upstream says about itself.
    upstream: KnownServerInfo,
    may_serve: bool,
    now: Timestamp,
}

impl ShowPage {
    /// The name that gateways use.
    fn name(&self) -> String {
        format!("{}/{}", self.server.workspace.slug, self.server.slug)
    }

    fn place(&self) -> String {
        format!("/ui/workspaces/{}/servers/{}", self.server.workspace.slug, self.server.slug)
    }
}

#[get("/workspaces/{workspace}/servers/{server}")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (reference, server) = find(&signed_in, &path.0, &path.1).await?;
    let title = format!("{} / {}", server.workspace.slug, server.slug);
    let page = ShowPage {
        shell: Shell::of(&request, &signed_in, "workspaces", title),
        may_serve: signed_in.actor.can(Permission::UpdateServers),
        now: signed_in.registry.now(),
        upstream: signed_in.registry.capabilities().info_of_server(&signed_in.actor, &reference).await?,
        server,
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[get("/workspaces/{workspace}/servers/{server}/edit")]
async fn edit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (_, server) = find(&signed_in, &path.0, &path.1).await?;
    let form = Form {
        integration: server.integration.slug.to_string(),
        name: server.name.clone(),
        slug: server.slug.to_string(),
        description: server.description.clone().unwrap_or_default(),
        version: server.version,
    };
    render(&request, &signed_in, &path.0, Some(server), form, Vec::new()).await
}

#[post("/workspaces/{workspace}/servers/{server}/edit")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let (reference, server) = find(&signed_in, &path.0, &path.1).await?;
    let form = form.into_inner();
    let change = ServerChange {
        name: Some(form.name.clone()),
        description: filled(&form.description).into(),
        ..ServerChange::default()
    };
    let saved =
        signed_in.registry.servers().update(&signed_in.actor, &reference, change, Some(form.version)).await;
    let (form, found) = match saved {
        Ok(_) => {
            let (workspace, server) = (&server.workspace.slug, &server.slug);
            return Ok(go(format!("/ui/workspaces/{workspace}/servers/{server}?done=changed")));
        }
        // The next save is based on the current version, with the typed values kept.
        Err(Error::Stale { current }) => {
            let message = format!(
                "Another user saved this server in the meantime, as “{}”. Save again to replace it with yours.",
                server.name
            );
            (Form { version: current, ..form }, vec![Finding::error("/name", "stale", message)])
        }
        Err(error) => (form, problems(error)?),
    };
    render(&request, &signed_in, &path.0, Some(server), form, found).await
}

#[derive(Template)]
#[template(path = "pages/server_delete.html")]
struct DeletePage {
    shell: Shell,
    server: Server,
}

#[get("/workspaces/{workspace}/servers/{server}/delete")]
async fn confirm(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::UpdateServers)?;
    let (_, server) = find(&signed_in, &path.0, &path.1).await?;
    let shell = Shell::of(&request, &signed_in, "workspaces", format!("Delete {}", server.name));
    Ok(html(StatusCode::OK, &DeletePage { shell, server })?)
}

#[post("/workspaces/{workspace}/servers/{server}/delete")]
async fn delete(signed_in: SignedInUser, path: web::Path<(String, String)>) -> Result<HttpResponse, Failure> {
    let (reference, server) = find(&signed_in, &path.0, &path.1).await?;
    signed_in.registry.servers().delete(&signed_in.actor, &reference, None).await?;
    Ok(go(format!("/ui/workspaces/{}?done=deleted-1", server.workspace.slug)))
}
