//! The Advanced configuration page, the same at every level.

use crate::failure::Failure;
use crate::sent::Table;
use crate::session::Visitor;
use crate::view::{Shell, go, html, pretty};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Check, Configuration, Preview, Registry, ServerRef, Subject};
use registry_core::finding::{Finding, Findings, Severity};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(show_integration)
        .service(submit_integration)
        .service(show_access)
        .service(submit_access)
        .service(show_server)
        .service(submit_server)
        .service(show_organisation)
        .service(submit_organisation);
}

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
enum PageState {
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
pub(super) struct Query {
    /// `workspace/server`.
    #[serde(default)]
    server: String,
    /// `0`: without what is replaced, ignored or not set.
    all: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    configuration: String,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    intent: String,
    #[serde(default)]
    server: String,
    all: Option<String>,
}

/// What the table at the foot of the page shows.
struct Choice {
    server: String,
    all: bool,
}

/// The thing a page is about.
struct Place {
    subject: Subject,
    /// Where the form goes.
    action: String,
    /// Its name, and where it is shown.
    of: String,
    back: String,
    /// An address below the heading.
    url: Option<String>,
    /// For whom it holds, the end of a sentence.
    level: String,
    section: &'static str,
    may_save: bool,
}

async fn of_integration(visitor: &Visitor, slug: &str) -> Result<Place, Failure> {
    let reference = Reference::parse(slug);
    let integration = visitor.registry.integration(&visitor.actor, &reference).await?;
    let own = visitor.actor.workspace();
    let is_owner = own.is_none() || integration.workspace.is_some_and(|owner| Some(owner.id) == own);
    Ok(Place {
        subject: Subject::Integration(reference),
        action: format!("/ui/integrations/{}/config", integration.slug),
        back: format!("/ui/integrations/{}", integration.slug),
        of: integration.name,
        url: Some(integration.url),
        level: "for all workspaces".to_owned(),
        section: "integrations",
        may_save: is_owner && visitor.actor.can(Permission::WriteIntegrations),
    })
}

async fn of_access(visitor: &Visitor, workspace: &str, slug: &str) -> Result<Place, Failure> {
    let (integration, workspace) = (Reference::parse(slug), Reference::parse(workspace));
    let found = visitor.registry.integration(&visitor.actor, &integration).await?;
    let team = visitor.registry.workspace(&visitor.actor, &workspace).await?;
    Ok(Place {
        subject: Subject::Access { integration, workspace },
        action: format!("/ui/workspaces/{}/integrations/{}/config", team.slug, found.slug),
        back: format!("/ui/integrations/{}", found.slug),
        of: found.name,
        url: Some(found.url),
        level: format!("for the workspace {}", team.slug),
        section: "integrations",
        may_save: visitor.actor.can(Permission::WriteIntegrations),
    })
}

async fn of_server(visitor: &Visitor, workspace: &str, server: &str) -> Result<Place, Failure> {
    let reference =
        ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
    let found = visitor.registry.server(&visitor.actor, &reference).await?;
    Ok(Place {
        subject: Subject::Server(reference),
        action: format!("/ui/workspaces/{}/servers/{}/config", found.workspace.slug, found.slug),
        back: format!("/ui/workspaces/{}", found.workspace.slug),
        level: format!("for the server {} / {}", found.workspace.slug, found.slug),
        of: found.name,
        url: Some(found.integration.url),
        section: "workspaces",
        may_save: visitor.actor.can(Permission::WriteServers),
    })
}

fn of_organisation(visitor: &Visitor) -> Place {
    Place {
        subject: Subject::Organisation,
        action: "/ui/settings/organisation".to_owned(),
        back: "/ui/settings/organisation".to_owned(),
        of: "Organisation".to_owned(),
        url: None,
        level: "for every integration of the organisation".to_owned(),
        section: "settings",
        may_save: visitor.actor.can(Permission::WriteOrganisation),
    }
}

#[get("/integrations/{integration}/config")]
async fn show_integration(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let place = of_integration(&visitor, &path).await?;
    read(&request, &visitor, place, query.into_inner()).await
}

#[post("/integrations/{integration}/config")]
async fn submit_integration(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    let place = of_integration(&visitor, &path).await?;
    submit(&request, &visitor, place, form.into_inner()).await
}

#[get("/workspaces/{workspace}/integrations/{integration}/config")]
async fn show_access(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let place = of_access(&visitor, &path.0, &path.1).await?;
    read(&request, &visitor, place, query.into_inner()).await
}

#[post("/workspaces/{workspace}/integrations/{integration}/config")]
async fn submit_access(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    let place = of_access(&visitor, &path.0, &path.1).await?;
    submit(&request, &visitor, place, form.into_inner()).await
}

#[get("/workspaces/{workspace}/servers/{server}/config")]
async fn show_server(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let place = of_server(&visitor, &path.0, &path.1).await?;
    read(&request, &visitor, place, query.into_inner()).await
}

#[post("/workspaces/{workspace}/servers/{server}/config")]
async fn submit_server(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    let place = of_server(&visitor, &path.0, &path.1).await?;
    submit(&request, &visitor, place, form.into_inner()).await
}

#[get("/settings/organisation")]
async fn show_organisation(
    request: HttpRequest,
    visitor: Visitor,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    read(&request, &visitor, of_organisation(&visitor), query.into_inner()).await
}

#[post("/settings/organisation")]
async fn submit_organisation(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &visitor, of_organisation(&visitor), form.into_inner()).await
}

async fn read(
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

async fn submit(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    form: Submitted,
) -> Result<HttpResponse, Failure> {
    let choice = Choice { server: form.server, all: form.all.is_some() };
    // Browsers send line ends as CR LF; what is stored has the ones that were typed.
    let text = form.configuration.replace("\r\n", "\n");
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let mut refusal = Findings::default();
    let state = if form.intent == "check" {
        PageState::Checked
    } else {
        let new = Some(text.clone()).filter(|text| !text.trim().is_empty());
        let note = Some(form.note).filter(|note| !note.trim().is_empty());
        match registry.set_configuration(actor, &place.subject, new, note, form.version).await {
            Ok(saved) => {
                let (revision, queued) = (saved.value.revision, saved.affected.registrations);
                let done = format!("saved-{revision}-{queued}");
                return Ok(go(format!("{}?{}", place.action, choice.query(&done))));
            }
            Err(registry::Error::Invalid(findings)) => {
                refusal = findings;
                PageState::Refused
            }
            Err(registry::Error::Conflict { code, message, .. }) => {
                refusal.push(Finding::error("", code, message));
                PageState::Refused
            }
            Err(registry::Error::Stale { .. }) => PageState::Conflict,
            Err(error) => return Err(error.into()),
        }
    };
    let stored = registry.configuration(actor, &place.subject).await?;
    show(request, visitor, place, stored, text, choice, state, refusal).await
}

impl Choice {
    /// As the query of an address, behind what was done.
    fn query(&self, done: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("done", done);
        if !self.server.is_empty() {
            query.append_pair("server", &self.server);
        }
        if !self.all {
            query.append_pair("all", "0");
        }
        query.finish()
    }

    fn server(&self) -> Option<ServerRef> {
        let (workspace, server) = self.server.split_once('/')?;
        Some(ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) })
    }
}

#[expect(clippy::too_many_arguments, reason = "what a page shows comes from as many places")]
async fn show(
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
