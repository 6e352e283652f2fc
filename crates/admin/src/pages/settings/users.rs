//! Users: the list with their roles, and deactivation.

use super::Tab;
use super::groups::Provider;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Around, Place, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Invited, User};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::UserId;
use registry_core::permission::Role;
use serde::Deserialize;

/// Users per page.
const PAGE_SIZE: u64 = 100;
/// The roles of users; gateways have API keys.
pub(super) const ROLES: [Role; 3] = [Role::Viewer, Role::Manager, Role::Admin];

#[derive(Template)]
#[template(path = "pages/users.html")]
struct Page {
    shell: Shell,
    items: Vec<User>,
    total: u64,
    /// A sign-in link that was just created: the user and the URL.
    link: Option<(String, String)>,
    problems: Vec<Finding>,
    provider: Option<Provider>,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    page: u64,
    /// Where the page begins.
    #[serde(default)]
    at: String,
}

#[get("/settings/people")]
pub(super) async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &query, None, Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    query: &Query,
    link: Option<(String, String)>,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Users and roles")
    } else {
        (StatusCode::CONFLICT, "Problem: users and roles")
    };
    let place = Place { page: query.page, at: query.at.clone() };
    let found = signed_in.registry.users().list(&signed_in.actor, place.request(PAGE_SIZE)).await?;
    let Around { previous, next } = place.around(&found);
    let link_to = |place: Place| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        format!("/ui/settings/people?{}", pairs.extend_pairs(place.fields()).finish())
    };
    let page = Page {
        shell: Shell::of(request, signed_in, "settings", title),
        previous: previous.map(link_to),
        next: next.map(link_to),
        items: found.items,
        total: found.total,
        link,
        problems,
        provider: Provider::of(signed_in, &crate::pages::api_keys::workspaces(signed_in).await?),
        now: signed_in.registry.now(),
    };
    Ok(html(status, &page)?)
}

/// The page with a new sign-in link, which is shown only this once.
pub(super) async fn page_with_link(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    invited: Invited,
) -> Result<HttpResponse, Failure> {
    let base = crate::pages::base_url(request, signed_in);
    let link = format!("{base}/ui/sign-in/link?token={}", invited.token);
    render(request, signed_in, &Query::default(), Some((invited.user.name, link)), Vec::new()).await
}

/// A refusal that the page itself shows; every other error is handled as usual.
async fn answer(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: UserId,
    outcome: registry::Result<()>,
    done: &str,
) -> Result<HttpResponse, Failure> {
    match outcome {
        Ok(()) => Ok(go(format!("/ui/settings/people?done={done}"))),
        Err(registry::Error::Conflict { code, message, .. }) => {
            let problems = vec![Finding::error(format!("/p{id}"), code, message)];
            render(request, signed_in, &Query::default(), None, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/settings/people/{person}/link")]
pub(super) async fn new_link(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    let invited = signed_in.registry.users().new_sign_in_link(&signed_in.actor, *path).await?;
    page_with_link(&request, &signed_in, invited).await
}

#[derive(Template)]
#[template(path = "pages/user_link.html")]
struct LinkPage {
    shell: Shell,
    user: User,
    /// Whether it is the signed-in user.
    own: bool,
}

/// Confirmed only where sessions or a password may end.
#[get("/settings/people/{person}/link")]
pub(super) async fn confirm_link(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    let user = signed_in.registry.users().get(&signed_in.actor, *path).await?;
    let own = is_own(&signed_in, &user).await;
    let shell = Shell::of(&request, &signed_in, "settings", format!("New link for {}", user.name));
    Ok(html(StatusCode::OK, &LinkPage { shell, user, own })?)
}

async fn is_own(signed_in: &SignedInUser, user: &User) -> bool {
    signed_in.registry.users().current(&signed_in.actor).await.is_ok_and(|me| me.id == user.id)
}

#[derive(Template)]
#[template(path = "pages/user_deactivate.html")]
struct ConfirmPage {
    shell: Shell,
    user: User,
    /// Whether it is the signed-in user.
    own: bool,
    now: Timestamp,
}

#[get("/settings/people/{person}/deactivate")]
pub(super) async fn confirm_deactivate(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    let user = signed_in.registry.users().get(&signed_in.actor, *path).await?;
    let own = is_own(&signed_in, &user).await;
    let shell = Shell::of(&request, &signed_in, "settings", format!("Deactivate {}", user.name));
    let page = ConfirmPage { shell, user, own, now: signed_in.registry.now() };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/settings/people/{person}/deactivate")]
pub(super) async fn deactivate(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    let outcome = signed_in.registry.users().deactivate(&signed_in.actor, *path).await;
    answer(&request, &signed_in, *path, outcome, "deactivated").await
}

#[post("/settings/people/{person}/reactivate")]
pub(super) async fn reactivate(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<UserId>,
) -> Result<HttpResponse, Failure> {
    let outcome = signed_in.registry.users().reactivate(&signed_in.actor, *path).await;
    answer(&request, &signed_in, *path, outcome, "reactivated").await
}

/// The state of a user, as icon, label and colour.
pub(super) fn status_chip(user: &User) -> String {
    let (class, icon, word) = match (&user.deactivated_at, &user.last_sign_in_at) {
        (Some(_), _) => ("", "cross", "Deactivated"),
        (None, None) => ("info", "clock", "Invited"),
        (None, Some(_)) => ("ok", "tick", "Active"),
    };
    format!(r#"<span class="st {class}">{}{word}</span>"#, crate::view::icon(icon))
}

/// Maximum number of roles that the list names; the others are counted.
const MAX_ROLES_SHOWN: usize = 4;

/// The roles of a user as text.
fn roles_summary(user: &User) -> String {
    let mut all = roles(user);
    let more = all.len().saturating_sub(MAX_ROLES_SHOWN);
    if more > 1 {
        all.truncate(MAX_ROLES_SHOWN);
        all.push(format!("and {more} more"));
    }
    if all.is_empty() { "Nothing".to_owned() } else { all.join(", ") }
}

/// Each role of a user.
pub(super) fn roles(user: &User) -> Vec<String> {
    let whole = user.role.map(|role| crate::view::capital(role.as_str()));
    let places = user
        .workspaces
        .iter()
        .map(|one| format!("{} in {}", crate::view::capital(one.role.as_str()), one.workspace.name));
    whole.into_iter().chain(places).collect()
}
