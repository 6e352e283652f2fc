//! The page that invites a user.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::settings::users::{ROLES, page_with_link};
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
    /// The label of the identity provider, if its groups decide the roles of users who sign in with it.
    group_provider: Option<String>,
    problems: Vec<Finding>,
}

impl Page {
    /// The finding about the form field of this JSON Pointer, such as `/email`.
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

/// The page with the form as it was filled in; 422 if there are `problems`. Only for actors who may manage users of the
/// whole organisation.
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
    let group_provider =
        provider.filter(|provider| !provider.groups.is_empty()).map(|provider| provider.label.clone());
    Ok(html(status, &Page { shell, form, workspaces, group_provider, problems })?)
}

/// Invites the user and answers with the page that shows the sign-in link. The link is shown only once and must not get
/// into a URL, so the answer is not a redirect.
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
        Ok(invited) => page_with_link(&request, &signed_in, invited).await,
        Err(registry::Error::Invalid(mut findings)) => {
            for finding in &mut findings.0 {
                // The use case accepts several workspaces and points at them by index; this form has one.
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
