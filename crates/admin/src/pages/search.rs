//! Go to: what was typed leads straight to the thing, or to a choice of things.

use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{Found, Hit, Target};
use registry_core::permission::Permission;
use serde::Deserialize;

/// Its address.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(search);
}

/// A page of ours that has a name.
struct Place {
    name: &'static str,
    href: &'static str,
    /// What it takes to see it.
    needs: Option<Permission>,
}

const fn place(name: &'static str, href: &'static str, needs: Option<Permission>) -> Place {
    Place { name, href, needs }
}

const PLACES: &[Place] = &[
    place("Integrations", "/ui/integrations", None),
    place("Add integration", "/ui/integrations/new", Some(Permission::CreateIntegrations)),
    place("Registrations", "/ui/registrations", None),
    place("Failed registrations", "/ui/registrations?state=failed", None),
    place("Orphans", "/ui/orphans", None),
    place("Workspaces", "/ui/workspaces", None),
    place("New workspace", "/ui/workspaces/new", Some(Permission::CreateWorkspaces)),
    place("API keys", "/ui/api-keys", Some(Permission::ManageKeys)),
    place("Audit log", "/ui/audit", Some(Permission::ReadAudit)),
    place("Settings", "/ui/settings", None),
    place("Organisation configuration", "/ui/settings/organisation", None),
    place("API reference", "/docs/", None),
    place("Account", "/ui/account", None),
    place("Keys", "/ui/keys", None),
];

#[derive(Template)]
#[template(path = "pages/go.html")]
struct Page {
    shell: Shell,
    q: String,
    found: Found,
    places: Vec<&'static Place>,
}

impl Page {
    /// What was found, kind by kind.
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

/// Where a hit is.
pub(super) fn href(target: &Target) -> String {
    match target {
        Target::Integration(slug) => format!("/ui/integrations/{slug}"),
        Target::Workspace(slug) => format!("/ui/workspaces/{slug}"),
        Target::Server { workspace, server } => format!("/ui/workspaces/{workspace}/servers/{server}"),
        Target::Registration { id, .. } => format!("/ui/registrations/{id}"),
    }
}

/// What tells a hit from others of the same name.
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
    visitor: Visitor,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let text = query.q.trim();
    let found = visitor.registry.dashboard().search(&visitor.actor, text).await?;
    let places = places(&visitor, text);
    let named = places.iter().find(|place| place.name.eq_ignore_ascii_case(text));
    let exact = found.all().any(|hit| hit.exact);
    match (found.only(), named) {
        // The name of a page of ours means the page, unless something else is called just so.
        (_, Some(place)) if !exact => return Ok(go(place.href)),
        (Some(hit), None) if hit.exact || places.is_empty() => return Ok(go(href(&hit.target))),
        (None, None) if found == Found::default() && places.len() == 1 => return Ok(go(places[0].href)),
        _ => {}
    }
    let page = Page { shell: Shell::of(&request, &visitor, "", "Go to"), q: text.to_owned(), found, places };
    Ok(html(StatusCode::OK, &page)?)
}

/// The pages whose name holds `text`, as far as the visitor may see them.
fn places(visitor: &Visitor, text: &str) -> Vec<&'static Place> {
    let text = text.to_lowercase();
    PLACES
        .iter()
        .filter(|place| !text.is_empty() && place.name.to_lowercase().contains(&text))
        .filter(|place| place.needs.is_none_or(|needed| visitor.actor.can(needed)))
        .collect()
}
