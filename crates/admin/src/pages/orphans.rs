//! Orphaned clients: clients that may exist at an authorization server and are not used by this deployment.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::filled;
use crate::view::{Around, Place, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Error, Orphan, OrphanFilter, PageRequest, Workspace};
use registry_core::clock::Timestamp;
use registry_core::id::OrphanId;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list).service(table).service(resolve);
}

const PAGE_SIZE: u64 = 25;

/// The query of the list and of the download.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    /// `answer_lost`, `unusable_answer` or `not_withdrawn`.
    kind: String,
    ws: String,
    /// `all`: includes resolved entries.
    view: String,
    page: u64,
    /// Where the page begins.
    at: String,
}

impl Query {
    fn filter(&self) -> OrphanFilter {
        OrphanFilter {
            kind: filled(&self.kind),
            workspace: filled(&self.ws).map(|slug| Reference::parse(&slug)),
            search: filled(&self.q),
            resolved: self.view == "all",
            ..OrphanFilter::default()
        }
    }

    fn place(&self) -> Place {
        Place { page: self.page, at: self.at.clone() }
    }

    fn with_place(&self, Place { page, at }: Place) -> Self {
        Self { page, at, ..self.clone() }
    }

    fn narrows(&self) -> bool {
        [&self.q, &self.kind, &self.ws].iter().any(|text| !text.is_empty())
    }

    fn address(&self, path: &str) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", &self.q), ("kind", &self.kind), ("ws", &self.ws), ("view", &self.view)] {
            if !value.is_empty() {
                pairs.append_pair(name, value);
            }
        }
        pairs.extend_pairs(self.place().fields());
        let pairs = pairs.finish();
        format!("{path}{}{pairs}", if pairs.is_empty() { "" } else { "?" })
    }
}

#[derive(Template)]
#[template(path = "pages/orphans.html")]
struct ListPage {
    shell: Shell,
    query: Query,
    items: Vec<Orphan>,
    total: String,
    first: u64,
    /// The number of unresolved entries, independent of the view.
    open: u64,
    workspaces: Vec<Workspace>,
    may_operate: bool,
    problem: Option<String>,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
}

impl ListPage {
    /// The URL of another view, with the other parameters unchanged.
    fn view(&self, view: &str) -> String {
        Query { view: view.to_owned(), ..self.query.with_place(Place::default()) }.address("/ui/orphans")
    }

    fn download(&self) -> String {
        self.query.with_place(Place::default()).address("/ui/orphans.csv")
    }
}

#[get("/orphans")]
async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, query.into_inner(), None, StatusCode::OK).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    query: Query,
    problem: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let place = query.place();
    let found = registry.orphans().list(actor, query.filter(), place.request(PAGE_SIZE)).await?;
    let Around { previous, next } = place.around(&found);
    let link = |place| query.with_place(place).address("/ui/orphans");
    let title = if problem.is_some() { "Problem: orphans" } else { "Orphans" };
    let page = ListPage {
        shell: Shell::of(request, signed_in, "registrations", title),
        previous: previous.map(link),
        next: next.map(link),
        first: place.first(PAGE_SIZE),
        total: found.total_text(),
        items: found.items,
        open: registry.orphans().count_open(actor).await?,
        workspaces: super::integrations::all_workspaces(signed_in).await?,
        may_operate: actor.can(Permission::OperateRegistrations),
        now: registry.now(),
        query,
        problem,
    };
    Ok(html(status, &page)?)
}

#[get("/orphans.csv")]
async fn table(signed_in: SignedInUser, query: web::Query<Query>) -> Result<HttpResponse, Failure> {
    let (mut all, mut wanted) = (Vec::new(), PageRequest::new(0, 1000));
    loop {
        let found = signed_in.registry.orphans().list(&signed_in.actor, query.filter(), wanted).await?;
        all.extend(found.items);
        let Some(next) = found.next else { break };
        wanted = wanted.at(Some(next));
    }
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"orphans.csv\""))
        .body(registry::orphan_table(all)?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resolve {
    note: String,
    /// The URL of the list.
    view: View,
}

/// The views of the list.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum View {
    /// Unresolved entries.
    #[default]
    #[serde(rename = "")]
    Open,
    /// All entries, resolved ones too.
    All,
}

#[post("/orphans/{orphan}/resolve")]
async fn resolve(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<OrphanId>,
    form: web::Form<Resolve>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let note = Some(form.note.trim().to_owned()).filter(|note| !note.is_empty());
    match signed_in.registry.orphans().resolve(&signed_in.actor, *path, note).await {
        Ok(_) if form.view == View::All => Ok(go("/ui/orphans?view=all&done=resolved")),
        Ok(_) => Ok(go("/ui/orphans?done=resolved")),
        Err(Error::Conflict { message, .. }) => {
            let query = Query { view: "all".to_owned(), ..Query::default() };
            render(&request, &signed_in, query, Some(message), StatusCode::CONFLICT).await
        }
        Err(error) => Err(error.into()),
    }
}
