//! The search "Go to": opens the only match directly, or lists the matches.

mod links;
mod suggestions;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use links::{PageLink, asked_member, detail, href, places, setter};
use registry::{Found, FoundUser, Hit, MAX_REVISIONS, Setters};
use serde::Deserialize;

/// The path of this page.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(suggestions::suggestions).service(search);
}

#[derive(Template)]
#[template(path = "pages/search.html")]
struct Page {
    shell: Shell,
    q: String,
    found: Found,
    users: Vec<FoundUser>,
    /// The member that was asked about, and the configurations that set it.
    member: Option<(&'static str, Setters)>,
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
        self.places.is_empty()
            && self.users.is_empty()
            && self.member.is_none()
            && self.found.all().next().is_none()
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
    let users = signed_in.registry.dashboard().find_users(&signed_in.actor, text).await?;
    let member = match asked_member(text) {
        Some(name) => Some((name, signed_in.registry.dashboard().setters(&signed_in.actor, name).await?)),
        None => None,
    };
    let more = !users.is_empty() || member.is_some();
    let named = places.iter().find(|page_link| page_link.name.eq_ignore_ascii_case(text));
    let exact = found.all().any(|hit| hit.exact);
    match (found.only(), named) {
        _ if more && !exact => {}
        // The name of a page opens that page, unless an object has exactly this name.
        (_, Some(page_link)) if !exact => return Ok(go(page_link.href)),
        (Some(hit), None) if hit.exact || places.is_empty() => return Ok(go(href(&hit.target))),
        (None, None) if found == Found::default() && places.len() == 1 => return Ok(go(places[0].href)),
        _ => {}
    }
    let page = Page {
        shell: Shell::of(&request, &signed_in, "", "Go to"),
        q: text.to_owned(),
        found,
        users,
        member,
        places,
    };
    Ok(html(StatusCode::OK, &page)?)
}
