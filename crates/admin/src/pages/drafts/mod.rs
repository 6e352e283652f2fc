//! Add an integration: five steps, each with its own URL, over a draft that is stored in the database.

mod address;
mod check;
mod choice;
mod discard;
mod metadata;
mod register;
mod workspaces;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::go;
use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use registry::{Draft, DraftStep};
use registry_core::finding::Finding;
use registry_core::id::DraftId;
use registry_core::metadata::AdvancedConfiguration;
use url::Url;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .configure(address::routes)
        .configure(check::routes)
        .configure(metadata::routes)
        .configure(workspaces::routes)
        .configure(register::routes)
        .configure(discard::routes);
}

/// The frame of each step.
struct Wizard {
    steps: Vec<StepLink>,
    /// The URL of the draft without a step; `None`: nothing is saved yet.
    base: Option<String>,
    /// Why the form was refused.
    problems: Vec<Problem>,
    /// Whether the draft has become an integration.
    finished: bool,
}

/// A step in the list on the left.
struct StepLink {
    name: &'static str,
    note: String,
    /// Its URL, if the user may go there.
    link: Option<String>,
    done: bool,
    current: bool,
}

/// Why a form was refused.
struct Problem {
    /// Id of the field.
    field: String,
    /// The message.
    words: String,
    line: Option<u32>,
    /// URL and label of a helpful link.
    more: Option<(String, &'static str)>,
}

impl Problem {
    fn new(field: impl Into<String>, words: impl Into<String>) -> Self {
        Self { field: field.into(), words: words.into(), line: None, more: None }
    }

    /// A problem from a finding; `field` maps its JSON Pointer to a field.
    fn of(finding: Finding, field: impl Fn(&str) -> String) -> Self {
        Self { field: field(&finding.pointer), line: finding.line, words: finding.message, more: None }
    }
}

impl Wizard {
    fn of(draft: &Draft, current: DraftStep, problems: Vec<Problem>) -> Self {
        let base = base(draft.id);
        let finished = draft.integration.is_some();
        let steps = DraftStep::ALL
            .into_iter()
            .map(|step| {
                let open = if finished { step == DraftStep::Register } else { step <= draft.step };
                StepLink {
                    name: name(step),
                    note: note(step, Some(draft)),
                    link: (open && step != current).then(|| format!("{base}/{}", step.as_str())),
                    done: step != current && is_done(step, draft),
                    current: step == current,
                }
            })
            .collect();
        Self { steps, base: Some(base), problems, finished }
    }

    /// The frame before a draft exists.
    fn empty(problems: Vec<Problem>) -> Self {
        let steps = DraftStep::ALL.into_iter().map(|step| StepLink {
            name: name(step),
            note: note(step, None),
            link: None,
            done: false,
            current: step == DraftStep::Url,
        });
        Self { steps: steps.collect(), base: None, problems, finished: false }
    }

    /// The problem of this field.
    fn problem(&self, field: &str) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.field == field)
    }

    /// The URL of one of the draft's pages.
    fn link(&self, page: &str) -> String {
        format!("{}/{page}", self.base.as_deref().unwrap_or_default())
    }

    /// The title of the page.
    fn title(&self, what: &str) -> String {
        let problem = if self.problems.is_empty() { "" } else { "Problem: " };
        format!("{problem}Add integration: {what}")
    }
}

fn name(step: DraftStep) -> &'static str {
    match step {
        DraftStep::Url => "Server URL",
        DraftStep::Check => "Check",
        DraftStep::Metadata => "Client metadata",
        DraftStep::Workspaces => "Workspaces",
        DraftStep::Register => "Register",
    }
}

fn note(step: DraftStep, draft: Option<&Draft>) -> String {
    match (step, draft) {
        (DraftStep::Url, Some(draft)) => host(&draft.url),
        (DraftStep::Url, None) => "Where it is".to_owned(),
        (DraftStep::Check, Some(Draft { approach: Some(approach), .. })) => {
            choice::short(*approach).to_owned()
        }
        (DraftStep::Check, _) => "Discovery and authentication".to_owned(),
        // The integration owns the configuration now.
        (DraftStep::Metadata, Some(draft)) if draft.integration.is_some() => "Saved".to_owned(),
        (DraftStep::Metadata, Some(draft)) if fields(draft) > 0 => count(fields(draft), "field"),
        (DraftStep::Metadata, _) => "Optional".to_owned(),
        (DraftStep::Workspaces, Some(draft)) if !draft.workspaces.is_empty() => {
            count(draft.workspaces.len(), "workspace")
        }
        (DraftStep::Workspaces, _) => "Who can use it".to_owned(),
        (DraftStep::Register, _) => "Test and finish".to_owned(),
    }
}

fn is_done(step: DraftStep, draft: &Draft) -> bool {
    draft.integration.is_some() || step < draft.step && (step != DraftStep::Check || draft.approach.is_some())
}

/// The number of client metadata members that a draft sets.
fn fields(draft: &Draft) -> usize {
    draft
        .configuration
        .as_deref()
        .and_then(|text| AdvancedConfiguration::from_stored(text).ok())
        .map_or(0, |configuration| configuration.client_metadata_field_count())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Host and port of a URL.
fn host(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    });
    host.unwrap_or_else(|| url.to_owned())
}

fn base(id: DraftId) -> String {
    format!("/ui/drafts/{id}")
}

fn step_page(id: DraftId, step: DraftStep) -> String {
    format!("{}/{}", base(id), step.as_str())
}

/// The draft that the path names; a finished draft redirects to its last step.
async fn open(
    signed_in: &SignedInUser,
    path: &web::Path<DraftId>,
) -> Result<Result<Draft, HttpResponse>, Failure> {
    let draft = signed_in.registry.drafts().get(&signed_in.actor, **path).await?;
    Ok(match draft.integration {
        Some(_) => Err(go(step_page(draft.id, DraftStep::Register))),
        None => Ok(draft),
    })
}

/// The redirect after a saved step: to the next step, or to the list.
fn onwards(later: bool, id: DraftId, next: DraftStep) -> HttpResponse {
    if later { go("/ui/integrations/new?done=draft") } else { go(step_page(id, next)) }
}
