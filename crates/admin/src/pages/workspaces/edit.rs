//! Create and change a workspace.

use super::field;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::{filled, problems};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Error, NewWorkspace, Workspace, WorkspaceChange};
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(blank).service(create).service(show).service(save);
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    name: String,
    slug: String,
    description: String,
    /// The version that the form was made from, so that no concurrent change is lost.
    version: i64,
}

#[derive(Template)]
#[template(path = "pages/workspace_edit.html")]
struct Page {
    shell: Shell,
    /// The workspace to change; `None` for a new one.
    workspace: Option<Workspace>,
    form: Form,
    problems: Vec<Finding>,
}

impl Page {
    fn problem(&self, name: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| field(finding) == name)
    }
}

fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    workspace: Option<Workspace>,
    form: Form,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::UpdateWorkspaces)?;
    let what =
        workspace.as_ref().map_or_else(|| "New workspace".to_owned(), |one| format!("Edit {}", one.name));
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, what)
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, format!("Problem: {what}"))
    };
    let shell = Shell::of(request, signed_in, "workspaces", title);
    Ok(html(status, &Page { shell, workspace, form, problems })?)
}

#[get("/workspaces/new")]
async fn blank(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, None, Form::default(), Vec::new())
}

#[post("/workspaces/new")]
async fn create(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let new = NewWorkspace {
        name: form.name.clone(),
        slug: filled(&form.slug),
        description: filled(&form.description),
    };
    match signed_in.registry.workspaces().create(&signed_in.actor, new).await {
        Ok(made) => Ok(go(format!("/ui/workspaces/{}?done=created", made.slug))),
        Err(error) => render(&request, &signed_in, None, form, problems(error)?),
    }
}

#[get("/workspaces/{workspace}/edit")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let workspace = signed_in.registry.workspaces().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let form = Form {
        name: workspace.name.clone(),
        slug: workspace.slug.to_string(),
        description: workspace.description.clone().unwrap_or_default(),
        version: workspace.version,
    };
    render(&request, &signed_in, Some(workspace), form, Vec::new())
}

#[post("/workspaces/{workspace}/edit")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let (form, reference) = (form.into_inner(), Reference::parse(&path));
    let change =
        WorkspaceChange { name: Some(form.name.clone()), description: filled(&form.description).into() };
    let saved = signed_in
        .registry
        .workspaces()
        .update(&signed_in.actor, &reference, change, Some(form.version))
        .await;
    let error = match saved {
        Ok(saved) => return Ok(go(format!("/ui/workspaces/{}?done=changed", saved.slug))),
        Err(error) => error,
    };
    let workspace = signed_in.registry.workspaces().get(&signed_in.actor, &reference).await?;
    let (form, found) = match error {
        // The next save is based on the current version, with the typed values kept.
        Error::Stale { current } => {
            let message = format!(
                "Another user saved this workspace in the meantime, as “{}”. Save again to replace it with yours.",
                workspace.name
            );
            (Form { version: current, ..form }, vec![Finding::error("/name", "stale", message)])
        }
        error => (form, problems(error)?),
    };
    render(&request, &signed_in, Some(workspace), form, found)
}
