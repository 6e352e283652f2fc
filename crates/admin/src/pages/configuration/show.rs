//! The page itself: what is stored or was typed, what is to be said about it, and what would be sent.

use super::choice::Choice;
use super::place::Place;
use super::typed::Typed;
use crate::consent::{Consent, Service};
use crate::failure::Failure;
use crate::sent::Table;
use crate::session::Visitor;
use crate::view::{Cost, Shell, html, pretty};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use registry::{Check, Configuration, Preview, Registry, WorkspaceRef};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings, Severity};
use registry_core::id::ServerId;
use registry_core::slug::Slug;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/configuration.html")]
struct Page {
    shell: Shell,
    place: Place,
    typed: Typed,
    stored: Configuration,
    findings: Vec<Finding>,
    table: Table,
    shown: Option<Preview>,
    /// By workspace: `workspace/server`, its slug, and whether it is the one shown.
    servers: Vec<(String, Vec<Chosen>)>,
    /// How many members the text sets otherwise than the stored one.
    changed: usize,
    /// What saving the checked text would do to clients, as a sentence.
    cost: String,
    state: PageState,
    consent: Option<Consent>,
    now: Timestamp,
}

/// A server that can be looked at.
struct Chosen {
    /// `workspace/server`.
    value: String,
    slug: String,
    shown: bool,
}

/// What happened before this page was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageState {
    /// Nothing.
    Read,
    /// The text was checked.
    Checked,
    /// The logo was fetched, the text checked.
    Logo,
    /// Saving was refused.
    Refused,
}

impl Page {
    fn errors(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
    }

    /// "1 warning, 2 notices".
    fn summary(&self) -> String {
        let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Notice]
            .into_iter()
            .filter_map(|severity| {
                let count = self.findings.iter().filter(|finding| finding.severity == severity).count();
                let plural = if count == 1 { "" } else { "s" };
                (count > 0).then(|| format!("{count} {}{plural}", severity.as_str()))
            })
            .collect();
        parts.join(", ")
    }

    /// The version that the text was begun on: of the row, and of the history.
    fn version(&self) -> i64 {
        self.typed.version.unwrap_or(self.stored.version)
    }

    fn base(&self) -> i64 {
        self.typed.base.unwrap_or(self.stored.revision)
    }

    fn lines(&self) -> usize {
        (self.typed.text.lines().count() + 1).clamp(16, 40)
    }

    /// What would be sent, as JSON.
    fn json(&self) -> String {
        self.shown.as_ref().map_or_else(String::new, |preview| {
            pretty(&preview.resolution.effective.client_metadata.clone().into())
        })
    }
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::pages) struct Query {
    /// `workspace/server`.
    #[serde(default)]
    server: String,
    /// `0`: without what is replaced, ignored or not set.
    all: Option<String>,
}

pub(super) async fn read(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    query: Query,
) -> Result<HttpResponse, Failure> {
    let stored = visitor.registry.configuration(&visitor.actor, &place.subject).await?;
    let text = stored.text.as_deref().map(laid_out).unwrap_or_default();
    let typed = Typed {
        text,
        version: Some(stored.version),
        base: Some(stored.revision),
        note: String::new(),
        choice: Choice { server: query.server, all: query.all.as_deref() != Some("0") },
    };
    show(request, visitor, place, stored, typed, PageState::Read, Findings::default()).await
}

/// What a program sent on one line is laid out for reading; what a person wrote is left as it is.
pub(super) fn laid_out(text: &str) -> String {
    if text.contains('\n') || text.len() < 60 {
        return text.to_owned();
    }
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: serde_json::Value| pretty(&value))
}

pub(super) async fn show(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    stored: Configuration,
    typed: Typed,
    state: PageState,
    refusal: Findings,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let servers = registry.affected_servers(actor, &place.subject).await?;
    let is_there = |wanted: &str| {
        servers.iter().any(|(workspace, server, _)| format!("{}/{server}", workspace.slug) == wanted)
    };
    // A server that is gone, or of elsewhere, leaves the choice to the application.
    let preview = typed.choice.server().filter(|_| is_there(&typed.choice.server));
    let check = Check { subject: Some(place.subject.clone()), text: typed.text.clone(), preview };
    let checked = registry.check_configuration(actor, check.clone()).await?;
    let cost = Cost::of(&checked).sentence();
    // A text that cannot be read leaves the table as the stored one makes it.
    let shown = match checked.preview {
        Some(preview) => Some(preview),
        None => {
            stored_preview(registry, actor, Check { text: stored.text.clone().unwrap_or_default(), ..check })
                .await?
        }
    };
    let mut findings = checked.findings.0;
    for finding in refusal.0 {
        let is_known =
            findings.iter().any(|other| other.code == finding.code && other.pointer == finding.pointer);
        if !is_known {
            findings.push(finding);
        }
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.line));
    let problem = if state == PageState::Refused { "Problem: " } else { "" };
    let title = format!("{problem}{}: advanced configuration", place.of);
    let service = Service { name: &place.of, url: place.url.as_deref() };
    let consent = match &shown {
        Some(preview) => {
            let fetch = state == PageState::Logo;
            Some(Consent::of(registry, actor, service, preview, servers.is_empty(), fetch).await?)
        }
        None => None,
    };
    let page = Page {
        now: registry.now(),
        consent,
        shell: Shell::of(request, visitor, place.section, title),
        table: shown
            .as_ref()
            .map(|preview| Table::of(&preview.resolution, typed.choice.all).linked(preview, &place.action))
            .unwrap_or_default(),
        servers: by_workspace(&servers, shown.as_ref()),
        cost,
        changed: typed.fields_changed(stored.text.as_deref()),
        place,
        shown,
        findings,
        typed,
        stored,
        state,
    };
    let status = match state {
        PageState::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        PageState::Read | PageState::Checked | PageState::Logo => StatusCode::OK,
    };
    Ok(html(status, &page)?)
}

/// The servers to choose from, those of a workspace together.
fn by_workspace(
    servers: &[(WorkspaceRef, Slug, ServerId)],
    shown: Option<&Preview>,
) -> Vec<(String, Vec<Chosen>)> {
    let mut groups: Vec<(String, Vec<Chosen>)> = Vec::new();
    for (workspace, server, _) in servers {
        let (workspace, slug) = (workspace.slug.to_string(), server.to_string());
        let shown = shown.is_some_and(|preview| preview.workspace == workspace && preview.server == slug);
        let one = Chosen { value: format!("{workspace}/{slug}"), slug, shown };
        match groups.last_mut() {
            Some((name, group)) if *name == workspace => group.push(one),
            _ => groups.push((workspace, vec![one])),
        }
    }
    groups
}

async fn stored_preview(
    registry: &Registry,
    actor: &registry::Actor,
    check: Check,
) -> Result<Option<Preview>, Failure> {
    Ok(registry.check_configuration(actor, check).await?.preview)
}
