//! Workspaces.

use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{NewWorkspace, PageRequest, Server, ServerFilter, Workspace};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list).service(create).service(show);
}

#[derive(Template)]
#[template(path = "pages/workspaces.html")]
struct ListPage {
    shell: Shell,
    items: Vec<Workspace>,
    form: Form,
    problems: Vec<Finding>,
    now: Timestamp,
}

impl ListPage {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer == pointer)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Form {
    name: String,
    #[serde(default)]
    slug: String,
}

#[get("/workspaces")]
async fn list(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    render(&request, &visitor, Form::default(), Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    visitor: &Visitor,
    form: Form,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let title = if problems.is_empty() { "Workspaces" } else { "Problem: workspaces" };
    let page = ListPage {
        shell: Shell::of(request, visitor, "workspaces", title),
        items: super::integrations::all_workspaces(visitor).await?,
        now: visitor.registry.now(),
        form,
        problems,
    };
    Ok(html(status, &page)?)
}

#[post("/workspaces")]
async fn create(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let new = NewWorkspace {
        name: form.name.clone(),
        slug: Some(form.slug.trim().to_owned()).filter(|slug| !slug.is_empty()),
        description: None,
    };
    match visitor.registry.create_workspace(&visitor.actor, new).await {
        Ok(made) => Ok(go(format!("/ui/workspaces/{}?done=created", made.slug))),
        Err(registry::Error::Invalid(findings)) => render(&request, &visitor, form, findings.0).await,
        Err(registry::Error::Conflict { code, message, pointer }) => {
            let finding = Finding::error(pointer.unwrap_or("/slug"), code, message);
            render(&request, &visitor, form, vec![finding]).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "pages/workspace.html")]
struct DetailPage {
    shell: Shell,
    workspace: Workspace,
    servers: Vec<Server>,
}

#[get("/workspaces/{workspace}")]
async fn show(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let workspace = visitor.registry.workspace(&visitor.actor, &reference).await?;
    let filter = ServerFilter { workspace: Some(reference), ..ServerFilter::default() };
    let servers = visitor.registry.servers(&visitor.actor, filter, PageRequest::new(0, 500)).await?.items;
    let shell = Shell::of(&request, &visitor, "workspaces", workspace.name.clone());
    Ok(html(StatusCode::OK, &DetailPage { shell, workspace, servers })?)
}
