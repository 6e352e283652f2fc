//! The page itself: what is stored or was typed, what is to be said about it, and what would be sent.

use super::choice::Choice;
use super::place::Place;
use crate::failure::Failure;
use crate::sent::Table;
use crate::session::Visitor;
use crate::view::{Shell, html, pretty};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use registry::{Check, Configuration, Preview, Registry};
use registry_core::finding::{Finding, Findings, Severity};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/configuration.html")]
struct Page {
    shell: Shell,
    place: Place,
    text: String,
    stored: Configuration,
    findings: Vec<Finding>,
    table: Table,
    shown: Option<Preview>,
    /// `workspace/server`, and whether it is the one shown.
    servers: Vec<(String, bool)>,
    /// Whether the table shows what is replaced, ignored or not set.
    all: bool,
    /// What saving the checked text would do to clients, as a sentence.
    cost: String,
    state: PageState,
}

/// What happened before this page was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageState {
    /// Nothing.
    Read,
    /// The text was checked.
    Checked,
    /// Saving was refused.
    Refused,
    /// Somebody else saved first.
    Conflict,
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

    fn lines(&self) -> usize {
        (self.text.lines().count() + 1).clamp(16, 40)
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
    let choice = Choice { server: query.server, all: query.all.as_deref() != Some("0") };
    show(request, visitor, place, stored, text, choice, PageState::Read, Findings::default()).await
}

/// What a program sent on one line is laid out for reading; what a person wrote is left as it is.
fn laid_out(text: &str) -> String {
    if text.contains('\n') || text.len() < 60 {
        return text.to_owned();
    }
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: serde_json::Value| pretty(&value))
}

#[expect(clippy::too_many_arguments, reason = "what a page shows comes from as many places")]
pub(super) async fn show(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    stored: Configuration,
    text: String,
    choice: Choice,
    state: PageState,
    refusal: Findings,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let servers = registry.affected_servers(actor, &place.subject).await?;
    let names: Vec<String> =
        servers.iter().map(|(workspace, server, _)| format!("{}/{server}", workspace.slug)).collect();
    // A server that is gone, or of elsewhere, leaves the choice to the application.
    let preview = choice.server().filter(|_| names.contains(&choice.server));
    let check = Check { subject: Some(place.subject.clone()), text: text.clone(), preview };
    let checked = registry.check_configuration(actor, check.clone()).await?;
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
    let problem = matches!(state, PageState::Refused | PageState::Conflict);
    let title = format!("{}{}: advanced configuration", if problem { "Problem: " } else { "" }, place.of);
    let current = shown.as_ref().map(|preview| format!("{}/{}", preview.workspace, preview.server));
    let page = Page {
        shell: Shell::of(request, visitor, place.section, title),
        table: shown.as_ref().map(|preview| Table::of(&preview.resolution, choice.all)).unwrap_or_default(),
        servers: names
            .into_iter()
            .map(|name| {
                let is_shown = Some(&name) == current.as_ref();
                (name, is_shown)
            })
            .collect(),
        cost: crate::view::cost(checked.affected),
        all: choice.all,
        place,
        shown,
        findings,
        text,
        stored,
        state,
    };
    let status = match state {
        PageState::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        PageState::Conflict => StatusCode::CONFLICT,
        PageState::Read | PageState::Checked => StatusCode::OK,
    };
    Ok(html(status, &page)?)
}

async fn stored_preview(
    registry: &Registry,
    actor: &registry::Actor,
    check: Check,
) -> Result<Option<Preview>, Failure> {
    Ok(registry.check_configuration(actor, check).await?.preview)
}
