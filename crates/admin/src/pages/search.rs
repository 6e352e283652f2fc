//! The search "Go to": opens the only match directly, or lists the matches.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{Found, Hit, Target};
use registry_core::permission::Permission;
use serde::Deserialize;

/// The path of this page.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(search);
}

/// A page of the admin UI that can be found by name.
struct PageLink {
    name: &'static str,
    href: &'static str,
    /// The permission to see it.
    needs: Option<Permission>,
}

const fn page_link(name: &'static str, href: &'static str, needs: Option<Permission>) -> PageLink {
    PageLink { name, href, needs }
}

const PAGES: &[PageLink] = &[
    page_link("Integrations", "/ui/integrations", None),
    page_link("Add integration", "/ui/integrations/new", Some(Permission::CreateIntegrations)),
    page_link("Registrations", "/ui/registrations", None),
    page_link("Failed registrations", "/ui/registrations?state=failed", None),
    page_link("Orphans", "/ui/orphans", None),
    page_link("Workspaces", "/ui/workspaces", None),
    page_link("New workspace", "/ui/workspaces/new", Some(Permission::CreateWorkspaces)),
    page_link("API keys", "/ui/api-keys", Some(Permission::ManageKeys)),
    page_link("Audit log", "/ui/audit", Some(Permission::ReadAudit)),
    page_link("Settings", "/ui/settings", None),
    page_link("Rollouts", "/ui/rollouts", None),
    page_link("Organisation configuration", "/ui/settings/organisation", None),
    page_link("API reference", "/docs/", None),
    page_link("Account", "/ui/account", None),
    page_link("Keys", "/ui/keys", None),
];

#[derive(Template)]
#[template(path = "pages/search.html")]
struct Page {
    shell: Shell,
    q: String,
    found: Found,
    places: Vec<&'static PageLink>,
}

impl Page {
    /// The matches by kind.
    fn groups(&self) -> impl Iterator<Item = (&'static str, &'static str, &Vec<Hit>)> {
        [
            ("Integrations", "plug", &self.found.integrations),
            ("Servers", "box", &self.found.servers),
            ("Workspaces", "box", &self.found.workspaces),
            ("Registrations", "list", &self.found.registrations),
        ]
        .into_iter()
        .filter(|(_, _, hits)| !hits.is_empty())
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty() && self.found.all().next().is_none()
    }
}

/// The URL of a match.
pub(super) fn href(target: &Target) -> String {
    match target {
        Target::Integration(slug) => format!("/ui/integrations/{slug}"),
        Target::Workspace(slug) => format!("/ui/workspaces/{slug}"),
        Target::Server { workspace, server } => format!("/ui/workspaces/{workspace}/servers/{server}"),
        Target::Registration { id, .. } => format!("/ui/registrations/{id}"),
    }
}

/// What distinguishes a match from others of the same name.
pub(super) fn detail(target: &Target) -> String {
    match target {
        Target::Integration(slug) | Target::Workspace(slug) => slug.to_string(),
        Target::Server { workspace, server } | Target::Registration { workspace, server, .. } => {
            format!("{workspace} / {server}")
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
}

#[get("/go")]
async fn search(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let text = query.q.trim();
    let found = signed_in.registry.dashboard().search(&signed_in.actor, text).await?;
    let places = places(&signed_in, text);
    let named = places.iter().find(|page_link| page_link.name.eq_ignore_ascii_case(text));
    let exact = found.all().any(|hit| hit.exact);
    match (found.only(), named) {
        // The name of a page opens that page, unless an object has exactly this name.
        (_, Some(page_link)) if !exact => return Ok(go(page_link.href)),
        (Some(hit), None) if hit.exact || places.is_empty() => return Ok(go(href(&hit.target))),
        (None, None) if found == Found::default() && places.len() == 1 => return Ok(go(places[0].href)),
        _ => {}
    }
    let page =
        Page { shell: Shell::of(&request, &signed_in, "", "Go to"), q: text.to_owned(), found, places };
    Ok(html(StatusCode::OK, &page)?)
}

/// The pages whose name contains `text` and that the signed-in user may see.
fn places(signed_in: &SignedInUser, text: &str) -> Vec<&'static PageLink> {
    let text = text.to_lowercase();
    PAGES
        .iter()
        .filter(|page_link| !text.is_empty() && page_link.name.to_lowercase().contains(&text))
        .filter(|page_link| page_link.needs.is_none_or(|needed| signed_in.actor.can(needed)))
        .collect()
}
