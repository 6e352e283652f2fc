//! The history of a configuration: its versions, and the difference between two of them, in the text and in what is sent.

use super::restore;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::preview::diff::{Diff, LineChange};
use crate::pages::configuration::preview::sent;
use crate::pages::configuration::routes::LEVELS;
use crate::pages::configuration::scope::PageScope;
use crate::view::{Around, Cost, Place, Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use registry::{Checked, Revision, ServerRef};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Severity};
use registry_core::metadata::Level;
use registry_core::slug::Reference;
use serde::Deserialize;

/// The paths of these pages, at every level.
pub(super) fn routes(config: &mut ServiceConfig) {
    for level in LEVELS {
        config
            .route(&format!("{level}/history"), web::get().to(show))
            .route(&format!("{level}/history/restore"), web::get().to(restore::ask))
            .route(&format!("{level}/history/restore"), web::post().to(restore::restore));
    }
}

/// Versions per page.
const PAGE_SIZE: u64 = 20;

#[derive(Debug, Default, Deserialize)]
struct Query {
    /// The older version; 0: empty.
    a: Option<i64>,
    /// The newer version.
    b: Option<i64>,
    /// `sent`: compares what is sent instead of the text.
    #[serde(default)]
    of: String,
    /// `workspace/server` of the request to compare.
    #[serde(default)]
    server: String,
    /// Page of the list, from 0.
    #[serde(default)]
    page: u64,
    /// Where this page begins.
    #[serde(default)]
    at: String,
}

#[derive(Template)]
#[template(path = "pages/history.html")]
struct Page {
    shell: Shell,
    scope: PageScope,
    versions: Vec<Revision>,
    previous: Option<String>,
    next: Option<String>,
    /// The number of the current version; 0 when nothing was saved.
    current: i64,
    comparison: Option<Comparison>,
    query: Query,
    servers: Vec<String>,
    now: Timestamp,
}

/// Two versions side by side.
struct Comparison {
    a: i64,
    b: Revision,
    diff: Diff,
    /// The server whose request is compared; `None` when the texts are compared.
    server: Option<String>,
    /// Why a version cannot be resolved any more.
    refused: Vec<Finding>,
    /// The version that can be restored from here, and what that would change.
    restore: Option<(i64, String)>,
}

impl Page {
    /// The URL of this page with other versions.
    fn versions_link(&self, a: i64, b: i64) -> String {
        link(&self.scope, &Query { a: Some(a), b: Some(b), ..self.query.here() })
    }

    /// The URL of the changes of one version, compared with the one before it.
    fn version_link(&self, version: &Revision) -> String {
        self.versions_link(version.number - 1, version.number)
    }

    /// The URL of the same two versions: their texts, or what they send.
    fn of_link(&self, of: &str) -> String {
        let (a, b) = self.comparison.as_ref().map_or((0, 0), |one| (one.a, one.b.number));
        let query = Query { a: Some(a), b: Some(b), of: of.to_owned(), ..self.query.here() };
        link(&self.scope, &query)
    }

    fn is_sent(&self) -> bool {
        self.query.of == "sent"
    }
}

impl Query {
    /// An empty comparison.
    fn like(&self) -> Self {
        Self { of: self.of.clone(), server: self.server.clone(), ..Self::default() }
    }

    /// The same on the same page of the list.
    fn here(&self) -> Self {
        Self { page: self.page, at: self.at.clone(), ..self.like() }
    }

    fn place(&self) -> Place {
        Place { page: self.page, at: self.at.clone() }
    }
}

fn link(scope: &PageScope, query: &Query) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, number) in [("a", query.a), ("b", query.b)] {
        if let Some(number) = number {
            pairs.append_pair(name, &number.to_string());
        }
    }
    for (name, text) in [("of", &query.of), ("server", &query.server)] {
        if !text.is_empty() {
            pairs.append_pair(name, text);
        }
    }
    pairs.extend_pairs(query.place().fields());
    format!("{}?{}", scope.history(), pairs.finish())
}

/// Who saved a version, and through which channel.
fn author(version: &Revision) -> String {
    match version.door.as_str() {
        "api" => format!("API, “{}”", version.actor),
        "cli" => format!("{}, command line", version.actor),
        door => format!("{}, {door}", version.actor),
    }
}

async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let scope = PageScope::of_request(&request, &signed_in).await?;
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let (place, wanted) = (query.place(), query.place().request(PAGE_SIZE));
    let found = registry.configurations().revisions(actor, &scope.subject, wanted).await?;
    let Around { previous, next } = place.around(&found);
    let turn = |Place { page, at }| link(&scope, &Query { a: query.a, b: query.b, page, at, ..query.like() });
    let (previous, next) = (previous.map(turn), next.map(turn));
    let current = registry.configurations().get(actor, &scope.subject).await?.revision;
    let servers = registry.configurations().affected_servers(actor, &scope.subject).await?;
    let servers: Vec<String> =
        servers.iter().map(|(workspace, server, _)| format!("{}/{server}", workspace.slug)).collect();
    let comparison =
        if current == 0 { None } else { Some(compare(&signed_in, &scope, &query, current, &servers).await?) };
    let page = Page {
        shell: Shell::of(&request, &signed_in, scope.section, format!("{}: history", scope.of)),
        versions: found.items,
        previous,
        next,
        current,
        comparison,
        query,
        servers,
        now: registry.now(),
        scope,
    };
    Ok(html(StatusCode::OK, &page)?)
}

async fn compare(
    signed_in: &SignedInUser,
    scope: &PageScope,
    query: &Query,
    current: i64,
    servers: &[String],
) -> Result<Comparison, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let b = query.b.unwrap_or(current);
    let a = query.a.unwrap_or(b - 1);
    let newer = registry.configurations().revision(actor, &scope.subject, b).await?;
    // Version 0 is the empty text before the first version.
    let older =
        if a == 0 { None } else { Some(registry.configurations().revision(actor, &scope.subject, a).await?) };
    let target = if b == current { a } else { b };
    let restore = if scope.may_save && target > 0 && target != current {
        let checked = registry.configurations().check_revision(actor, &scope.subject, target, None).await?;
        Some((target, effect(&checked)))
    } else {
        None
    };
    let mut comparison =
        Comparison { a, b: newer, diff: Diff::default(), server: None, refused: Vec::new(), restore };
    if query.of == "sent" {
        let preview = server_ref(&query.server).filter(|_| servers.contains(&query.server));
        let mut texts = [String::new(), String::new()];
        for (text, number) in texts.iter_mut().zip([a, b]) {
            if number == 0 {
                continue;
            }
            let checked = registry
                .configurations()
                .check_revision(actor, &scope.subject, number, preview.as_ref())
                .await?;
            match checked.preview {
                Some(preview) => {
                    *text = sent::lines(&preview.resolution);
                    comparison.server = Some(format!("{} / {}", preview.workspace, preview.server));
                }
                None => comparison.refused = errors(checked.findings.0),
            }
        }
        comparison.diff = Diff::of(&texts[0], &texts[1]).without_numbers();
    } else {
        let text = |revision: Option<&Revision>| {
            revision
                .and_then(|revision| revision.text.as_deref())
                .map(super::layout::laid_out)
                .unwrap_or_default()
        };
        comparison.diff = Diff::of(&text(older.as_ref()), &text(Some(&comparison.b)));
    }
    Ok(comparison)
}

/// What restoring would change.
fn effect(checked: &Checked) -> String {
    if checked.preview.is_none() {
        return "It cannot be restored as it is: the rules have become stricter since.".to_owned();
    }
    Cost::of(checked).sentence()
}

fn errors(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect()
}

fn server_ref(name: &str) -> Option<ServerRef> {
    let (workspace, server) = name.split_once('/')?;
    Some(ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) })
}
