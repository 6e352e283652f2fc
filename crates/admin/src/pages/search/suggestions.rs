//! The list of the command palette: what fits the text that the user types, as options of a list box.

use super::links::{PAGES, PageLink, asked_member, detail, href, setter};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{html, short};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use askama::Template;
use registry::{Hit, MAX_REVISIONS};
use registry_core::metadata::FIELDS;
use serde::Deserialize;

/// Options of each group, at most.
const MAX_OPTIONS: usize = 6;

#[derive(Template)]
#[template(path = "partials/suggestions.html")]
struct Suggestions {
    groups: Vec<Group>,
}

struct Group {
    title: String,
    icon: &'static str,
    options: Vec<Choice>,
}

struct Choice {
    href: String,
    name: String,
    detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
}

/// Without a text: the actions that the user may take. With one: what is called so.
#[get("/go/suggestions")]
pub(super) async fn suggestions(
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let text = query.q.trim();
    let mut groups = vec![actions(&signed_in, text)];
    if !text.is_empty() {
        let (dashboard, actor) = (signed_in.registry.dashboard(), &signed_in.actor);
        if let Some(name) = asked_member(text) {
            let setters = dashboard.setters(actor, name).await?;
            let mut options: Vec<Choice> = setters
                .found
                .iter()
                .map(|one| {
                    let (level, href, name) = setter(one);
                    Choice { href, name, detail: level.to_owned() }
                })
                .collect();
            if options.is_empty() {
                let href = format!("/ui/go?q={name}");
                options.push(Choice { href, name: "No configuration".to_owned(), detail: String::new() });
            }
            let among =
                if setters.more { format!(" (of the {MAX_REVISIONS} saved last)") } else { String::new() };
            groups.insert(0, Group { title: format!("Who sets {name}?{among}"), icon: "code", options });
        }
        let found = dashboard.search(actor, text).await?;
        for (title, icon, hits) in [
            ("Integrations", "plug", &found.integrations),
            ("Servers", "box", &found.servers),
            ("Workspaces", "box", &found.workspaces),
            ("Registrations", "list", &found.registrations),
        ] {
            groups.push(Group { title: title.to_owned(), icon, options: hits.iter().map(choice).collect() });
        }
        let users = dashboard.find_users(actor, text).await?;
        let users = users.into_iter().map(|user| Choice {
            href: format!("/ui/settings/people/{}", user.id),
            name: user.name,
            detail: user.email,
        });
        groups.push(Group { title: "Users".to_owned(), icon: "key", options: users.collect() });
        groups.push(members(text));
    }
    for group in &mut groups {
        group.options.truncate(if text.is_empty() { 20 } else { MAX_OPTIONS });
    }
    groups.retain(|group| !group.options.is_empty());
    Ok(html(StatusCode::OK, &Suggestions { groups })?)
}

fn choice(hit: &Hit) -> Choice {
    Choice { href: href(&hit.target), name: short(&hit.name), detail: detail(&hit.target) }
}

/// The pages that fit; without a text those where something is created.
fn actions(signed_in: &SignedInUser, text: &str) -> Group {
    let text = text.to_lowercase();
    let makes = |link: &PageLink| link.href.contains("/new") || link.href.ends_with("state=failed");
    let options = PAGES
        .iter()
        .filter(|link| link.is_for(signed_in))
        .filter(|link| if text.is_empty() { makes(link) } else { link.name.to_lowercase().contains(&text) })
        .map(|link| Choice { href: link.href.to_owned(), name: link.name.to_owned(), detail: String::new() });
    let title = if text.is_empty() { "Actions" } else { "Actions and pages" };
    Group { title: title.to_owned(), icon: "paper", options: options.collect() }
}

/// The members of an Advanced Configuration whose name contains the text: each asks who sets it.
fn members(text: &str) -> Group {
    let text = text.to_lowercase();
    let text = text.trim_end_matches('?').trim();
    let text = text.strip_prefix("who sets ").unwrap_or(text).trim();
    let mut names: Vec<&str> = FIELDS
        .iter()
        .filter(|field| field.alias_of.is_none() && text.len() > 2)
        .map(|field| field.name)
        .filter(|name| *name != text && name.to_lowercase().contains(text))
        .collect();
    names.sort_unstable();
    names.dedup();
    let options = names.into_iter().map(|name| Choice {
        href: format!("/ui/go?q=who+sets+{name}"),
        name: format!("Who sets {name}?"),
        detail: String::new(),
    });
    Group { title: "Metadata members".to_owned(), icon: "ask", options: options.collect() }
}
