//! Renders the page: the stored or typed text, its findings, and what would be sent.

use super::choice::Choice;
use super::examples::EXAMPLES;
use super::form::{Control, Form, Source};
use super::layout::laid_out;
use super::problems::Problem;
use super::secrets::Secret;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::layer_tabs::{LayerTab, layer_tabs};
use crate::pages::configuration::preview::consent::{Consent, Service};
use crate::pages::configuration::preview::sent::Table;
use crate::pages::configuration::scope::PageScope;
use crate::pages::configuration::unsaved_text::UnsavedText;
use crate::view::{Cost, Shell, html, pretty};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use registry::{Advertised, Check, Checked, Configuration, Preview, ServerRef};
use registry_core::clock::Timestamp;
use registry_core::finding::{Findings, Severity};
use registry_core::metadata::Level;
use registry_core::slug::Reference;

#[derive(Template)]
#[template(path = "pages/configuration.html")]
struct Page {
    shell: Shell,
    scope: PageScope,
    typed: UnsavedText,
    stored: Configuration,
    problems: Vec<Problem>,
    /// The controls, when the text is shown as a form.
    form: Option<Form>,
    secrets: Vec<Secret>,
    layer_tabs: Vec<LayerTab>,
    table: Table,
    shown: Option<Preview>,
    /// By workspace: `workspace/server`, its slug, and whether it is selected.
    servers: Vec<(String, Vec<Chosen>)>,
    /// The number of members that differ from the stored text.
    changed: usize,
    /// Whether the page shows anything that is not saved.
    is_unsaved: bool,
    /// The effect of saving on clients, as a sentence.
    cost: String,
    state: PageState,
    consent: Option<Consent>,
    now: Timestamp,
}

/// A server that the preview can show.
struct Chosen {
    /// `workspace/server`.
    value: String,
    slug: String,
    shown: bool,
}

/// The result of the previous request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PageState {
    /// None.
    Read,
    /// The text was checked.
    Checked,
    /// The logo was fetched and the text checked.
    Logo,
    /// A button changed the text; the message says how.
    Changed(String),
    /// Saving was refused.
    Refused,
}

impl Page {
    fn errors(&self) -> Vec<&Problem> {
        self.problems.iter().filter(|problem| problem.is_error()).collect()
    }

    /// Findings that no field shows.
    fn listed(&self) -> Vec<&Problem> {
        self.problems.iter().filter(|problem| !problem.is_at_field).collect()
    }

    /// "1 warning, 2 notices".
    fn summary(&self) -> String {
        let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Notice]
            .into_iter()
            .filter_map(|severity| {
                let count =
                    self.problems.iter().filter(|problem| problem.finding.severity == severity).count();
                let plural = if count == 1 { "" } else { "s" };
                (count > 0).then(|| format!("{count} {}{plural}", severity.as_str()))
            })
            .collect();
        parts.join(", ")
    }

    /// The URL where a level is changed.
    fn page_of(&self, level: &str) -> Option<&str> {
        let tab = self.layer_tabs.iter().find(|tab| tab.level == level && !tab.is_here)?;
        tab.link.as_deref()
    }

    /// The version of the row and of the history that the text is based on.
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

pub(super) async fn read(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    choice: Choice,
) -> Result<HttpResponse, Failure> {
    let stored = signed_in.registry.configurations().get(&signed_in.actor, &scope.subject).await?;
    let typed = UnsavedText {
        text: stored.text.clone().unwrap_or_default(),
        secrets: Vec::new(),
        version: Some(stored.version),
        base: Some(stored.revision),
        note: String::new(),
        choice,
    };
    show(request, signed_in, scope, stored, typed, PageState::Read, Findings::default()).await
}

pub(super) async fn show(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    stored: Configuration,
    mut typed: UnsavedText,
    state: PageState,
    refusal: Findings,
) -> Result<HttpResponse, Failure> {
    let is_unsaved = typed.is_unsaved(stored.text.as_deref());
    if !typed.choice.as_form && stored.text.as_ref() == Some(&typed.text) {
        typed.text = laid_out(&typed.text);
    }
    let mut checked = check(signed_in, &scope, typed.whole(), typed.choice.server()).await?;
    let cost = Cost::of(&checked).sentence();
    let findings = std::mem::take(&mut checked.findings);
    if checked.preview.is_none() {
        // When the text cannot be parsed, the table shows the stored one.
        let text = stored.text.clone().unwrap_or_default();
        checked = check(signed_in, &scope, text, typed.choice.server()).await?;
    }
    let shown = checked.preview;
    let form = if typed.choice.as_form {
        let advertised = advertised(signed_in, shown.as_ref()).await?;
        Form::of(&Source {
            text: &typed.text,
            level: scope.layer,
            resolution: shown.as_ref().map(|preview| &preview.resolution),
            advertised: advertised.as_ref(),
            findings: &findings.0,
        })
    } else {
        None
    };
    let problem = if state == PageState::Refused { "Problem: " } else { "" };
    let title = format!("{problem}{}: advanced configuration {}", scope.of, scope.level);
    let service = Service { name: &scope.of, url: scope.url.as_deref() };
    let consent = match &shown {
        Some(preview) => {
            let (registry, actor) = (&signed_in.registry, &signed_in.actor);
            let fetch = state == PageState::Logo;
            Some(Consent::of(registry, actor, service, preview, checked.servers.is_empty(), fetch).await?)
        }
        None => None,
    };
    let page = Page {
        now: signed_in.registry.now(),
        consent,
        shell: Shell::of(request, signed_in, scope.section, title),
        table: shown
            .as_ref()
            .map(|preview| Table::of(&preview.resolution, typed.choice.all).linked(preview, &scope.action))
            .unwrap_or_default(),
        servers: by_workspace(&checked.servers, shown.as_ref()),
        cost,
        is_unsaved,
        changed: typed.fields_changed(stored.text.as_deref()),
        problems: Problem::all(findings, refusal, &typed.text, form.as_ref()),
        secrets: Secret::all(&typed),
        layer_tabs: layer_tabs(&scope, shown.as_ref(), signed_in.actor.workspace().is_none()),
        form,
        scope,
        shown,
        typed,
        stored,
        state,
    };
    let status = match page.state {
        PageState::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        PageState::Read | PageState::Checked | PageState::Logo | PageState::Changed(_) => StatusCode::OK,
    };
    Ok(html(status, &page)?)
}

/// Validates `text` as if it were saved. For a server that does not exist, the application chooses another one.
async fn check(
    signed_in: &SignedInUser,
    scope: &PageScope,
    text: String,
    server: Option<ServerRef>,
) -> Result<Checked, Failure> {
    let check = Check { subject: Some(scope.subject.clone()), text, preview: server };
    match signed_in.registry.configurations().check(&signed_in.actor, check.clone()).await {
        Err(registry::Error::NotFound { .. }) if check.preview.is_some() => {
            let check = Check { preview: None, ..check };
            Ok(signed_in.registry.configurations().check(&signed_in.actor, check).await?)
        }
        checked => Ok(checked?),
    }
}

/// The metadata of the authorization server of the selected server, if known.
async fn advertised(
    signed_in: &SignedInUser,
    shown: Option<&Preview>,
) -> Result<Option<Advertised>, Failure> {
    let Some(preview) = shown.filter(|preview| preview.integration.is_some()) else {
        return Ok(None);
    };
    let server = ServerRef {
        server: Reference::parse(&preview.server),
        workspace: Some(Reference::parse(&preview.workspace)),
    };
    Ok(signed_in.registry.registrations().advertised(&signed_in.actor, &server).await?)
}

/// The servers to choose from, grouped by workspace.
fn by_workspace(servers: &[(String, String)], shown: Option<&Preview>) -> Vec<(String, Vec<Chosen>)> {
    let mut groups: Vec<(String, Vec<Chosen>)> = Vec::new();
    for (workspace, server) in servers {
        let shown = shown.is_some_and(|preview| preview.workspace == *workspace && preview.server == *server);
        let one = Chosen { value: format!("{workspace}/{server}"), slug: server.clone(), shown };
        match groups.last_mut() {
            Some((name, group)) if name == workspace => group.push(one),
            _ => groups.push((workspace.clone(), vec![one])),
        }
    }
    groups
}
