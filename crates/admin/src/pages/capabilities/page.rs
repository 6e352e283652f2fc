//! The page, which is the same for integrations and servers.

use super::form::{Named, PAGE_SIZE, Unseen};
use super::query::Query;
use crate::http::failure::Failure;
use crate::view::{Shell, html};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use registry::{CapabilityCount, CapabilityItem, Integration, Server};
use registry_core::capability::{CapabilityKind, MAX_KEY};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How much of a description is shown at once, in characters.
const SUMMARY: usize = 280;
/// How much of a description is shown at all, in characters.
const MAX_DESCRIPTION: usize = 4_000;

/// Whose capabilities these are.
pub(super) enum Owner {
    Integration {
        integration: Box<Integration>,
        /// The number of the current configuration version.
        revision: i64,
    },
    Server(Box<Server>),
}

impl Owner {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Integration { integration, .. } => &integration.name,
            Self::Server(server) => &server.name,
        }
    }

    pub(super) fn section(&self) -> &'static str {
        match self {
            Self::Integration { .. } => "integrations",
            Self::Server(_) => "workspaces",
        }
    }

    /// The path of the page.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Integration { integration, .. } => {
                format!("/ui/integrations/{}/capabilities", integration.slug)
            }
            Self::Server(server) => {
                format!("/ui/workspaces/{}/servers/{}/capabilities", server.workspace.slug, server.slug)
            }
        }
    }
}

/// A capability on the page.
pub(super) struct Row {
    /// The value of its form fields.
    value: String,
    key: String,
    /// Name for display, where that is another one.
    title: Option<String>,
    /// The start of its description.
    summary: String,
    /// The whole description, where `summary` is only its start.
    description: Option<String>,
    enabled: bool,
    /// Whether the integration switched it off, so that it cannot be switched here.
    is_off_above: bool,
    /// Whether anybody has seen it.
    is_seen: bool,
    updated_at: Timestamp,
}

/// The text member `name`, if it is there.
fn text<'a>(definition: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    definition.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The name for display: `title`, else that of the annotations of a tool, else `name`.
fn title(definition: &Map<String, Value>) -> Option<&str> {
    let annotated =
        || definition.get("annotations").and_then(Value::as_object).and_then(|one| text(one, "title"));
    text(definition, "title").or_else(annotated).or_else(|| text(definition, "name"))
}

fn start(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(most).collect();
    if characters.next().is_some() { format!("{}…", start.trim_end()) } else { start }
}

impl Row {
    /// `narrows`: the row is of a server, which cannot switch on what its integration switched off.
    fn new(item: CapabilityItem, narrows: bool) -> Self {
        let description = text(&item.definition, "description").unwrap_or_default().trim();
        let is_long = description.chars().nth(SUMMARY).is_some();
        Self {
            value: Named { kind: item.kind, key: item.key.clone() }.value(),
            title: title(&item.definition).filter(|title| *title != item.key).map(str::to_owned),
            summary: start(description, SUMMARY),
            description: is_long.then(|| start(description, MAX_DESCRIPTION)),
            enabled: item.enabled,
            is_off_above: narrows && !item.integration_enabled,
            is_seen: !item.definition.is_empty(),
            updated_at: item.updated_at,
            key: item.key,
        }
    }
}

fn matches(item: &CapabilityItem, needle: &str) -> bool {
    let description = text(&item.definition, "description");
    let texts =
        [Some(item.key.as_str()), title(&item.definition), text(&item.definition, "name"), description];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(needle))
}

/// All capabilities of a kind, or of all kinds, with the counts of all.
pub(super) struct Listed {
    pub(super) items: Vec<CapabilityItem>,
    pub(super) counts: BTreeMap<CapabilityKind, CapabilityCount>,
}

#[derive(Template)]
#[template(path = "pages/capabilities.html")]
pub(super) struct Page {
    shell: Shell,
    owner: Owner,
    query: Query,
    counts: BTreeMap<CapabilityKind, CapabilityCount>,
    /// The rows of the page by kind.
    groups: Vec<(CapabilityKind, Vec<Row>)>,
    /// The number of rows on all pages.
    found: usize,
    /// Number of the first row.
    first: u64,
    /// The number of rows on the page.
    shown: usize,
    may_change: bool,
    /// What was typed to switch off what nobody has seen yet.
    unseen: Unseen,
    problems: Vec<Finding>,
    previous: Option<String>,
    next: Option<String>,
    now: Timestamp,
}

impl Page {
    /// The page of `listed`, which is searched and cut here.
    pub(super) fn new(shell: Shell, owner: Owner, query: Query, listed: Listed, now: Timestamp) -> Self {
        let needle = query.needle();
        let found: Vec<_> = listed.items.into_iter().filter(|item| matches(item, &needle)).collect();
        let pages = found.len().div_ceil(PAGE_SIZE).max(1) as u64;
        let number = query.page.min(pages - 1);
        let skipped = usize::try_from(number).unwrap_or_default() * PAGE_SIZE;
        let (count, place) = (found.len(), owner.place());
        let narrows = matches!(owner, Owner::Server(_));
        let mut groups: Vec<(CapabilityKind, Vec<Row>)> = Vec::new();
        let mut shown = 0;
        for item in found.into_iter().skip(skipped).take(PAGE_SIZE) {
            shown += 1;
            let kind = item.kind;
            match groups.last_mut() {
                Some((last, rows)) if *last == kind => rows.push(Row::new(item, narrows)),
                _ => groups.push((kind, vec![Row::new(item, narrows)])),
            }
        }
        Self {
            previous: number.checked_sub(1).map(|page| query.at_page(page).link(&place, None)),
            next: (number + 1 < pages).then(|| query.at_page(number + 1).link(&place, None)),
            first: skipped as u64 + 1,
            found: count,
            shown,
            counts: listed.counts,
            groups,
            query: Query { page: number, ..query },
            shell,
            owner,
            may_change: false,
            unseen: Unseen::default(),
            problems: Vec::new(),
            now,
        }
    }

    /// The same for a user who may switch.
    pub(super) fn with_switches(self, may_change: bool) -> Self {
        Self { may_change, ..self }
    }

    /// The answer; after a refused form with what was typed and why it was refused.
    pub(super) fn answer(mut self, refused: Option<(Unseen, Vec<Finding>)>) -> Result<HttpResponse, Failure> {
        let mut status = StatusCode::OK;
        if let Some((unseen, problems)) = refused {
            status = StatusCode::UNPROCESSABLE_ENTITY;
            self.shell.title = format!("Problem: {}", self.shell.title);
            // Nobody typed more than that.
            let name = unseen.name.chars().take(2 * MAX_KEY).collect();
            (self.unseen, self.problems) = (Unseen { name, ..unseen }, problems);
        }
        Ok(html(status, &self)?)
    }

    /// Counts of all kinds together.
    fn total(&self) -> CapabilityCount {
        self.counts.values().fold(CapabilityCount::default(), |sum, one| CapabilityCount {
            total: sum.total + one.total,
            enabled: sum.enabled + one.enabled,
        })
    }

    /// The filters by kind: word in the URL, name, counts. Kinds of which there is none are left out.
    fn kinds(&self) -> Vec<(&'static str, &'static str, CapabilityCount)> {
        let all = ("", "All", self.total());
        let each = self.counts.iter().map(|(kind, count)| (kind.as_str(), plural(kind), *count));
        std::iter::once(all).chain(each).collect()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
    fn count(&self, kind: &CapabilityKind) -> CapabilityCount {
        self.counts.get(kind).copied().unwrap_or_default()
    }

    fn is_checked(&self, row: &Row) -> bool {
        match self.query.mark.as_str() {
            "all" => true,
            "none" => false,
            _ => row.enabled,
        }
    }

    fn is_of_integration(&self) -> bool {
        matches!(self.owner, Owner::Integration { .. })
    }
}

/// The display name of a kind.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
fn plural(kind: &CapabilityKind) -> &'static str {
    match kind {
        CapabilityKind::Tool => "Tools",
        CapabilityKind::Prompt => "Prompts",
        CapabilityKind::Resource => "Resources",
        CapabilityKind::ResourceTemplate => "Resource templates",
    }
}

/// The display name of one of a kind.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
fn singular(kind: &CapabilityKind) -> &'static str {
    match kind {
        CapabilityKind::Tool => "Tool",
        CapabilityKind::Prompt => "Prompt",
        CapabilityKind::Resource => "Resource",
        CapabilityKind::ResourceTemplate => "Resource template",
    }
}
