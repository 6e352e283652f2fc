//! Invite a user.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::settings::users::{ROLES, with_link};
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{NewUser, Roles, Workspace};
use registry_core::finding::Finding;
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/user_new.html")]
struct Page {
    shell: Shell,
    form: Form,
    workspaces: Vec<Workspace>,
    /// The identity provider, when its groups decide the roles of users.
    groups_at: Option<String>,
    problems: Vec<Finding>,
}

impl Page {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer == pointer)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Form {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    workspace: String,
}

#[get("/settings/people/new")]
pub(super) async fn show(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    let form = Form { role: Role::Viewer.as_str().to_owned(), ..Form::default() };
    render(&request, &signed_in, form, Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    form: Form,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ManagePeople)?;
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Invite a user")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: invite a user")
    };
    let shell = Shell::of(request, signed_in, "settings", title);
    let workspaces = crate::pages::api_keys::workspaces(signed_in).await?;
    let provider = signed_in.registry.settings().provider.as_ref();
    let groups_at = provider.filter(|one| !one.groups.is_empty()).map(|one| one.label.clone());
    Ok(html(status, &Page { shell, form, workspaces, groups_at, problems })?)
}

/// The response contains the sign-in link, the only time. It is not a redirect, because the link must not be in a URL.
#[post("/settings/people/new")]
pub(super) async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let Some(role) = Role::parse(&form.role) else {
        let problem = Finding::error("/role", "missing_member", "Choose a role.");
        return render(&request, &signed_in, form, vec![problem]).await;
    };
    let new = NewUser {
        email: form.email.clone(),
        name: form.name.clone(),
        roles: Roles::one(role, (!form.workspace.is_empty()).then(|| Reference::parse(&form.workspace))),
    };
    match signed_in.registry.users().invite(&signed_in.actor, new).await {
        Ok(invited) => with_link(&request, &signed_in, invited).await,
        Err(registry::Error::Invalid(mut findings)) => {
            for finding in &mut findings.0 {
                // The form has one workspace; a finding of the application has the index of a list.
                finding.pointer = match finding.pointer.as_str() {
                    "/workspaces/0/role" => "/role".into(),
                    "/workspaces/0/workspace_id" => "/workspace".into(),
                    _ => continue,
                };
            }
            render(&request, &signed_in, form, findings.0).await
        }
        Err(registry::Error::Conflict { code, message, pointer }) => {
            let problem = Finding::error(pointer.unwrap_or("/email"), code, message);
            render(&request, &signed_in, form, vec![problem]).await
        }
        Err(error) => Err(error.into()),
    }
}
