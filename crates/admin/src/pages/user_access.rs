//! Which users may use a server: its default, and what differs for single users. One form.

use crate::http::choice::{known, read};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::{filled, problems};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{PageRequest, Server, ServerRef, UserAccess, UserAccessUpdate};
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::str::FromStr;
use url::form_urlencoded::{byte_serialize, parse};

/// Users per page.
const PAGE_SIZE: u64 = 100;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(save);
}

#[derive(Template)]
#[template(path = "pages/user_access.html")]
struct Page {
    shell: Shell,
    server: Server,
    query: Query,
    users: Vec<UserAccess>,
    total: u64,
    /// Number of the first row.
    first: u64,
    /// Whether users without an entry of their own may use the server.
    allows_users: bool,
    may_change: bool,
    problems: Vec<Finding>,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    /// 0-based.
    page: u64,
}

impl Query {
    /// The URL of the page at `place`, with the search, and `done`, the key of a message.
    fn link(&self, place: &str, page: u64, done: Option<&str>) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            pairs.append_pair("q", &self.q);
        }
        if page > 0 {
            pairs.append_pair("page", &page.to_string());
        }
        if let Some(done) = done {
            pairs.append_pair("done", done);
        }
        let pairs = pairs.finish();
        if pairs.is_empty() { place.to_owned() } else { format!("{place}?{pairs}") }
    }
}

fn place(server: &Server) -> String {
    format!("/ui/workspaces/{}/servers/{}/users", server.workspace.slug, server.slug)
}

impl Page {
    /// The path of the page.
    fn place(&self) -> String {
        place(&self.server)
    }

    /// The path of the server's own page.
    fn base(&self) -> String {
        format!("/ui/workspaces/{}/servers/{}", self.server.workspace.slug, self.server.slug)
    }

    /// Where the form is sent, so that it comes back to the same rows.
    fn here(&self) -> String {
        self.query.link(&self.place(), self.query.page, None)
    }

    fn default_word(&self) -> &'static str {
        if self.allows_users { "allowed" } else { "denied" }
    }
}

/// The value of the option that allows a user.
fn allow(user: &UserAccess) -> String {
    Choice::Set { user: user.user_id.clone(), enabled: Some(true) }.value()
}

/// The value of the option that denies a user.
fn deny(user: &UserAccess) -> String {
    Choice::Set { user: user.user_id.clone(), enabled: Some(false) }.value()
}

/// The value of the option that leaves a user to the default.
fn default(user: &UserAccess) -> String {
    if user.has_override {
        Choice::Set { user: user.user_id.clone(), enabled: None }.value()
    } else {
        Choice::Default.value()
    }
}

/// The value of the option that is chosen now.
fn present(user: &UserAccess) -> String {
    match (user.has_override, user.enabled) {
        (false, _) => default(user),
        (true, true) => allow(user),
        (true, false) => deny(user),
    }
}

/// The choices of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Choice {
    /// The user has no entry, and gets none.
    Default,
    Set {
        user: String,
        /// `None`: the entry of the user is removed.
        enabled: Option<bool>,
    },
}

impl Choice {
    /// Its word: `default` alone; or `allow`, `deny` or `default` with a colon and the percent-encoded id.
    fn value(&self) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Set { user, enabled } => {
                let word = match enabled {
                    Some(true) => "allow",
                    Some(false) => "deny",
                    None => "default",
                };
                format!("{word}:{}", byte_serialize(user.as_bytes()).collect::<String>())
            }
        }
    }
}

impl FromStr for Choice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let (word, user) = text.split_once(':').ok_or(())?;
        let enabled = match word {
            "allow" => Some(true),
            "deny" => Some(false),
            "default" => None,
            _ => return Err(()),
        };
        let (user, _) = parse(user.as_bytes()).next().ok_or(())?;
        if user.is_empty() || user.contains('\0') {
            return Err(());
        }
        Ok(Self::Set { user: user.into_owned(), enabled })
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Everybody {
    Allow,
    Deny,
}

/// The form. Parsed by hand because each row has a field of the same name. `was` holds what was set when the page was shown, so
/// that a save changes only what the user changed.
fn update(fields: &[(String, String)]) -> Result<UserAccessUpdate, Failure> {
    let (mut was, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    let (mut default_was, mut default) = (None, None);
    for (name, value) in fields {
        match name.as_str() {
            "was" => _ = was.insert(known("was", value.parse::<Choice>().ok())?),
            "access" => _ = wanted.insert(known("access", value.parse::<Choice>().ok())?),
            "everybody_was" => default_was = Some(read::<Everybody>("everybody_was", value)?),
            "everybody" => default = Some(read::<Everybody>("everybody", value)?),
            _ => {}
        }
    }
    let users = wanted.into_iter().filter(|one| !was.contains(one)).filter_map(|one| match one {
        Choice::Set { user, enabled } => Some((user, enabled)),
        Choice::Default => None,
    });
    let allows = |one: Option<Everybody>| one.map(|one| matches!(one, Everybody::Allow));
    let changed = allows(default) != allows(default_was);
    Ok(UserAccessUpdate { users: users.collect(), allows_users: allows(default).filter(|_| changed) })
}

type Path = web::Path<(String, String)>;

fn reference(path: &Path) -> ServerRef {
    ServerRef { server: Reference::parse(&path.1), workspace: Some(Reference::parse(&path.0)) }
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    reference: &ServerRef,
    query: Query,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let server = registry.servers().get(actor, reference).await?;
    let asked = PageRequest::new(query.page, PAGE_SIZE);
    let found = registry.access().users(actor, reference, filled(&query.q), asked).await?;
    let what = format!("User access to {} / {}", server.workspace.slug, server.slug);
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, what)
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, format!("Problem: {what}"))
    };
    let place = place(&server);
    let page = Page {
        shell: Shell::of(request, signed_in, "workspaces", title),
        previous: query.page.checked_sub(1).map(|page| query.link(&place, page, None)),
        next: found.page.has_more.then(|| query.link(&place, query.page.saturating_add(1), None)),
        first: query.page.saturating_mul(PAGE_SIZE).saturating_add(1),
        total: found.page.total,
        users: found.page.items,
        allows_users: found.allows_users,
        may_change: actor.can(Permission::UpdateServers),
        problems,
        query,
        server,
    };
    Ok(html(status, &page)?)
}

#[get("/workspaces/{workspace}/servers/{server}/users")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: Path,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &reference(&path), query.into_inner(), Vec::new()).await
}

#[post("/workspaces/{workspace}/servers/{server}/users")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: Path,
    query: web::Query<Query>,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (update, reference) = (update(&fields)?, reference(&path));
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    match registry.access().update_users(actor, &reference, update).await {
        Ok(_) => {
            let server = registry.servers().get(actor, &reference).await?;
            Ok(go(query.link(&place(&server), query.page, Some("users"))))
        }
        Err(error) => {
            let problems = problems(error)?;
            render(&request, &signed_in, &reference, query.into_inner(), problems).await
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn choices_come_back_as_they_were() {
        for user in ["0192f5c2", "auth0|ann", "a b&c=d", "ä:\r\n"] {
            for enabled in [Some(true), Some(false), None] {
                let choice = Choice::Set { user: user.to_owned(), enabled };
                assert_eq!(choice.value().parse::<Choice>(), Ok(choice));
            }
        }
        for text in ["", "allow", "allow:", "default:", "permit:ann", "deny:%00"] {
            assert_eq!(text.parse::<Choice>(), Err(()), "{text}");
        }
    }

    #[test]
    fn only_what_the_user_changed_is_saved() {
        let fields = [
            ("everybody_was", "allow"),
            ("everybody", "deny"),
            ("was", "allow:ann"),
            ("access", "allow:ann"),
            ("was", "allow:bob"),
            ("access", "deny:bob"),
            ("was", "default"),
            ("access", "allow:eve"),
            ("access", "default"),
            ("was", "deny:kim"),
            ("access", "default:kim"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let changed = update(&fields).unwrap();
        let saved = [("bob", Some(false)), ("eve", Some(true)), ("kim", None)]
            .map(|(user, enabled)| (user.to_owned(), enabled));
        assert_eq!(changed.users, saved);
        assert_eq!(changed.allows_users, Some(false));
        let unchanged = update(
            &[("everybody_was", "deny"), ("everybody", "deny")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(unchanged.unwrap().allows_users, None);
    }
}
