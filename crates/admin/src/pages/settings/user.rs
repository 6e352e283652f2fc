//! One user: roles and sessions.

use super::decided_by;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::settings::users::ROLES;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Session, User, UserChange, Workspace};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::{SessionId, UserId};
use registry_core::permission::Role;
use registry_core::slug::Reference;

#[derive(Template)]
#[template(path = "pages/user.html")]
struct Page {
    shell: Shell,
    user: User,
    /// The identity provider, when its groups decide the roles.
    decided_by: Option<String>,
    /// How the user can sign in.
    ways: String,
    /// The selected role in the whole organisation, or `none`.
    role: String,
    /// The selected workspaces and roles.
    places: Vec<(String, String)>,
    /// Workspaces that can be added.
    workspaces: Vec<Workspace>,
    sessions: Vec<Session>,
    problems: Vec<Finding>,
    now: Timestamp,
}

impl Page {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer == pointer)
    }

    /// The name of a workspace, by its slug.
    fn workspace<'a>(&'a self, slug: &'a str) -> &'a str {
        let found = self.workspaces.iter().find(|workspace| workspace.slug.as_str() == slug);
        found.map_or(slug, |workspace| &workspace.name)
    }

    fn is_chosen(&self, slug: &str) -> bool {
        self.places.iter().any(|(chosen, _)| chosen == slug)
    }
}

#[get("/settings/people/{person}")]
pub(super) async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, *path, None, Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: UserId,
    chosen: Option<Chosen>,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    let user = signed_in.registry.users().get(&signed_in.actor, id).await?;
    let chosen = chosen.unwrap_or_else(|| Chosen::of(&user));
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, user.name.clone())
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, format!("Problem: {}", user.name))
    };
    let page = Page {
        shell: Shell::of(request, signed_in, "settings", title),
        role: chosen.role,
        places: chosen.places,
        workspaces: crate::pages::api_keys::workspaces(signed_in).await?,
        sessions: signed_in.registry.sessions().list_of(&signed_in.actor, id).await?,
        problems,
        now: signed_in.registry.now(),
        decided_by: decided_by(signed_in, &user),
        ways: ways(signed_in, &user),
        user,
    };
    Ok(html(status, &page)?)
}

/// How a user can sign in.
fn ways(signed_in: &SignedInUser, user: &User) -> String {
    let settings = signed_in.registry.settings();
    let provider = settings.provider.as_ref().filter(|_| user.from_provider);
    let all = [
        provider.map(|provider| provider.label.clone()),
        (user.has_password && settings.passwords).then(|| "a password".to_owned()),
    ];
    let all: Vec<_> = all.into_iter().flatten().collect();
    if all.is_empty() { "only a one-time link".to_owned() } else { all.join(", ") }
}

/// The form: a role for the organisation, and pairs of a workspace and a role.
struct Chosen {
    role: String,
    places: Vec<(String, String)>,
}

impl Chosen {
    fn of(user: &User) -> Self {
        let places = user.workspaces.iter();
        Self {
            role: user.role.map_or("none", Role::as_str).to_owned(),
            places: places
                .map(|one| (one.workspace.slug.to_string(), one.role.as_str().to_owned()))
                .collect(),
        }
    }

    /// In the order of the page: each `workspace_role` belongs to the `workspace` before it.
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut chosen = Self { role: String::new(), places: Vec::new() };
        let mut workspace = String::new();
        for (name, value) in pairs {
            match name.as_str() {
                "role" => chosen.role = value,
                "workspace" => workspace = value,
                "workspace_role" if !workspace.is_empty() && value != "none" => {
                    chosen.places.push((std::mem::take(&mut workspace), value));
                }
                _ => {}
            }
        }
        chosen
    }

    fn change(&self) -> Result<UserChange, Finding> {
        let read = |word: &str, pointer: &str| {
            Role::parse(word)
                .ok_or_else(|| Finding::error(pointer, "invalid_value", "Choose viewer, manager or admin."))
        };
        let role = if self.role == "none" { None } else { Some(read(&self.role, "/role")?) };
        let mut workspaces = Vec::new();
        for (index, (workspace, role)) in self.places.iter().enumerate() {
            workspaces.push((Reference::parse(workspace), read(role, &format!("/workspaces/{index}/role"))?));
        }
        Ok(UserChange { name: None, role: role.into(), workspaces: Some(workspaces) })
    }
}

#[post("/settings/people/{person}/roles")]
pub(super) async fn change(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let chosen = Chosen::read(form.into_inner());
    let change = match chosen.change() {
        Ok(change) => change,
        Err(problem) => return render(&request, &signed_in, *path, Some(chosen), vec![problem]).await,
    };
    match signed_in.registry.users().update(&signed_in.actor, *path, change).await {
        Ok(_) => Ok(go(format!("/ui/settings/people/{}?done=role", *path))),
        Err(registry::Error::Invalid(findings)) => {
            render(&request, &signed_in, *path, Some(chosen), findings.0).await
        }
        Err(registry::Error::Conflict { code, message, .. }) => {
            let problem = Finding::error("/role", code, message);
            render(&request, &signed_in, *path, Some(chosen), vec![problem]).await
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/settings/people/{person}/sessions/end")]
pub(super) async fn end_all(
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    let ended = signed_in.registry.sessions().end_all_of(&signed_in.actor, *path).await?;
    Ok(go(format!("/ui/settings/people/{}?done=sessions-{ended}", *path)))
}

#[post("/settings/people/{person}/sessions/{session}/end")]
pub(super) async fn end_one(
    signed_in: SignedInUser,
    path: web::Path<(UserId, SessionId)>,
) -> Result<HttpResponse, Failure> {
    let (user, session) = path.into_inner();
    signed_in.registry.sessions().end_of(&signed_in.actor, user, session).await?;
    Ok(go(format!("/ui/settings/people/{user}?done=sessions-1")))
}
