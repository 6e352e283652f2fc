//! The account of the signed-in user: password, sessions, theme.

use super::sign_in;
use crate::http::failure::Failure;
use crate::http::session::{SignedInUser, kept, local};
use crate::pages::settings::decided_by;
use crate::view::{Shell, THEME_COOKIE, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Session, User};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::{SessionId, WorkspaceId};
use registry_core::slug::Reference;
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(show)
        .service(set_password)
        .service(end_others)
        .service(end_one)
        .service(theme)
        .service(act_in);
}

#[derive(Template)]
#[template(path = "pages/account.html")]
struct Page {
    shell: Shell,
    user: User,
    /// The current role and workspace.
    acting: String,
    /// The roles to choose from: form value, label, and whether it is the current one.
    places: Vec<(String, String, bool)>,
    sessions: Vec<Session>,
    /// The identity provider, when its groups decide the role.
    decided_by: Option<String>,
    /// Whether users may have passwords.
    passwords: bool,
    now: Timestamp,
    problems: Vec<Finding>,
}

impl Page {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer == pointer)
    }
}

#[get("/account")]
async fn show(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Your account")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: your account")
    };
    let user = signed_in.registry.users().current(&signed_in.actor).await?;
    let here = signed_in.actor.workspace();
    let place = signed_in.overview.workspace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    let page = Page {
        shell: Shell::of(request, signed_in, "account", title),
        acting: format!("{}{place}", signed_in.actor.role().as_str()),
        places: places(&user, here),
        decided_by: decided_by(signed_in, &user),
        user,
        sessions: signed_in.registry.sessions().list(&signed_in.actor).await?,
        passwords: signed_in.registry.settings().passwords,
        now: signed_in.registry.now(),
        problems,
    };
    Ok(html(status, &page)?)
}

fn places(user: &User, here: Option<WorkspaceId>) -> Vec<(String, String, bool)> {
    let whole = user
        .role
        .map(|role| (String::new(), format!("Whole organisation ({})", role.as_str()), here.is_none()));
    let single = user.workspaces.iter().map(|one| {
        let role = user.role.max(Some(one.role)).unwrap_or(one.role);
        let words = format!("{} ({})", one.workspace.name, role.as_str());
        (one.workspace.slug.to_string(), words, here == Some(one.workspace.id))
    });
    whole.into_iter().chain(single).collect()
}

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    place: String,
}

#[post("/account/place")]
async fn act_in(signed_in: SignedInUser, form: web::Form<Place>) -> Result<HttpResponse, Failure> {
    let place = (!form.place.is_empty()).then(|| Reference::parse(&form.place));
    signed_in.registry.callers().act_in(&signed_in.actor, place.as_ref()).await?;
    Ok(go("/ui/account?done=place"))
}

#[derive(Deserialize)]
struct Passwords {
    #[serde(default)]
    current: String,
    password: String,
}

#[post("/account/password")]
async fn set_password(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Passwords>,
) -> Result<HttpResponse, Failure> {
    match signed_in.registry.login().set_password(&signed_in.actor, Some(&form.current), &form.password).await
    {
        Ok(()) => Ok(go("/ui/account?done=password")),
        Err(registry::Error::Invalid(findings)) => render(&request, &signed_in, findings.0).await,
        Err(error @ registry::Error::TooManyTries { .. }) => {
            let wait = Finding::error("/current_password", "too_many_tries", sign_in::words(&error));
            render(&request, &signed_in, vec![wait]).await
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/account/sessions/end-others")]
async fn end_others(signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    let ended = signed_in.registry.sessions().end_others(&signed_in.actor).await?;
    Ok(go(format!("/ui/account?done=sessions-{ended}")))
}

#[post("/account/sessions/{session}/end")]
async fn end_one(signed_in: SignedInUser, path: web::Path<SessionId>) -> Result<HttpResponse, Failure> {
    signed_in.registry.sessions().end(&signed_in.actor, *path).await?;
    Ok(go("/ui/account?done=sessions-1"))
}

#[derive(Deserialize)]
struct Theme {
    theme: ThemeChoice,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ThemeChoice {
    System,
    Light,
    Dark,
}

#[post("/theme")]
async fn theme(form: web::Form<Theme>) -> HttpResponse {
    let chosen = match form.theme {
        ThemeChoice::Light => "light",
        ThemeChoice::Dark => "dark",
        ThemeChoice::System => "system",
    };
    let mut response = go(local(form.next.as_deref()));
    drop(response.add_cookie(&kept(THEME_COOKIE, chosen)));
    response
}
