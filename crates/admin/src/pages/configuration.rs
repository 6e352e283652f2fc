//! The Advanced configuration page, the same at every level.

use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{self, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Check, Checked, Configuration, Preview, ServerRef, Subject};
use registry_core::finding::{Finding, Severity};
use registry_core::slug::Reference;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/configuration.html")]
struct Page {
    shell: Shell,
    /// Where the form goes.
    action: String,
    /// Name of the thing whose configuration this is, and where it is shown.
    of: String,
    back: String,
    level: &'static str,
    text: String,
    stored: Configuration,
    findings: Vec<Finding>,
    rows: Vec<Row>,
    shown: Option<Preview>,
    servers: Vec<(String, bool)>,
    hidden_too: bool,
    affected: Option<u64>,
    state: PageState,
    may_save: bool,
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

    fn lines(&self) -> usize {
        self.text.lines().count().clamp(14, 40)
    }
}

/// One row of "What will be sent".
#[derive(Debug)]
struct Row {
    member: String,
    value: String,
    origin: String,
    why: String,
    off: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Query {
    /// `workspace/server`.
    #[serde(default)]
    server: String,
    /// Whether overridden and ignored values are shown too.
    #[serde(default)]
    all: String,
}

#[derive(Debug, Deserialize)]
struct Submitted {
    configuration: String,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    intent: String,
    #[serde(default)]
    server: String,
    #[serde(default)]
    all: String,
}

/// The thing a page is about.
struct Place {
    subject: Subject,
    action: String,
    back: String,
    level: &'static str,
    of: String,
    section: &'static str,
}

fn of_integration(slug: &str) -> Place {
    Place {
        subject: Subject::Integration(Reference::parse(slug)),
        action: format!("/ui/integrations/{slug}/config"),
        back: format!("/ui/integrations/{slug}"),
        level: "for all workspaces",
        of: slug.to_owned(),
        section: "integrations",
    }
}

fn of_access(workspace: &str, integration: &str) -> Place {
    Place {
        subject: Subject::Access {
            integration: Reference::parse(integration),
            workspace: Reference::parse(workspace),
        },
        action: format!("/ui/workspaces/{workspace}/integrations/{integration}/config"),
        back: format!("/ui/integrations/{integration}"),
        level: "for one workspace",
        of: format!("{integration} in {workspace}"),
        section: "integrations",
    }
}

fn of_server(workspace: &str, server: &str) -> Place {
    let reference =
        ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
    Place {
        subject: Subject::Server(reference),
        action: format!("/ui/workspaces/{workspace}/servers/{server}/config"),
        back: format!("/ui/workspaces/{workspace}"),
        level: "for one server",
        of: format!("{workspace}/{server}"),
        section: "workspaces",
    }
}

fn of_organisation() -> Place {
    Place {
        subject: Subject::Organisation,
        action: "/ui/settings/organisation".to_owned(),
        back: "/ui/integrations".to_owned(),
        level: "for the whole organisation",
        of: "Organisation".to_owned(),
        section: "organisation",
    }
}

#[get("/integrations/{integration}/config")]
pub(super) async fn show_integration(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    read(&request, &visitor, of_integration(&path), &query).await
}

#[post("/integrations/{integration}/config")]
pub(super) async fn submit_integration(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &visitor, of_integration(&path), form.into_inner()).await
}

#[get("/workspaces/{workspace}/integrations/{integration}/config")]
pub(super) async fn show_access(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    read(&request, &visitor, of_access(&path.0, &path.1), &query).await
}

#[post("/workspaces/{workspace}/integrations/{integration}/config")]
pub(super) async fn submit_access(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &visitor, of_access(&path.0, &path.1), form.into_inner()).await
}

#[get("/workspaces/{workspace}/servers/{server}/config")]
pub(super) async fn show_server(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    read(&request, &visitor, of_server(&path.0, &path.1), &query).await
}

#[post("/workspaces/{workspace}/servers/{server}/config")]
pub(super) async fn submit_server(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &visitor, of_server(&path.0, &path.1), form.into_inner()).await
}

#[get("/settings/organisation")]
pub(super) async fn show_organisation(
    request: HttpRequest,
    visitor: Visitor,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    read(&request, &visitor, of_organisation(), &query).await
}

#[post("/settings/organisation")]
pub(super) async fn submit_organisation(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &visitor, of_organisation(), form.into_inner()).await
}

async fn read(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    query: &Query,
) -> Result<HttpResponse, Failure> {
    let stored = visitor.registry.configuration(&visitor.actor, &place.subject).await?;
    let text = stored.text.clone().unwrap_or_default();
    show(request, visitor, place, stored, text, query, PageState::Read).await
}

async fn submit(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    form: Submitted,
) -> Result<HttpResponse, Failure> {
    let query = Query { server: form.server, all: form.all };
    // Browsers send line ends as CR LF; what is stored has the ones that were typed.
    let text = form.configuration.replace("\r\n", "\n");
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    if form.intent == "check" {
        let stored = registry.configuration(actor, &place.subject).await?;
        return show(request, visitor, place, stored, text, &query, PageState::Checked).await;
    }
    let new = Some(text.clone()).filter(|text| !text.trim().is_empty());
    let note = Some(form.note).filter(|note| !note.trim().is_empty());
    let state = match registry.set_configuration(actor, &place.subject, new, note, form.version).await {
        Ok(saved) => {
            let (revision, queued) = (saved.value.revision, saved.affected.registrations);
            return Ok(go(format!("{}?done=saved-{revision}-{queued}", place.action)));
        }
        Err(registry::Error::Invalid(_)) => PageState::Refused,
        Err(registry::Error::Stale { .. }) => PageState::Conflict,
        Err(error) => return Err(error.into()),
    };
    let stored = registry.configuration(actor, &place.subject).await?;
    show(request, visitor, place, stored, text, &query, state).await
}

async fn show(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    stored: Configuration,
    text: String,
    query: &Query,
    state: PageState,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let servers = registry.affected_servers(actor, &place.subject).await?;
    let wanted = query.server.split_once('/').map(|(workspace, server)| ServerRef {
        server: Reference::parse(server),
        workspace: Some(Reference::parse(workspace)),
    });
    let judged = if text.trim().is_empty() { "{}".to_owned() } else { text.clone() };
    let check = Check { subject: Some(place.subject), text: judged, preview: wanted.clone() };
    let Checked { mut findings, preview, affected } = registry.check_configuration(actor, check).await?;
    // A text that cannot be read yet leaves the table as the stored one makes it.
    let preview = match preview {
        Some(preview) => Some(preview),
        None => stored_preview(visitor, &place.action, &stored, wanted).await,
    };
    findings.0.sort_by_key(|finding| (finding.line, std::cmp::Reverse(finding.severity)));
    let hidden_too = !query.all.is_empty();
    let problem = state == PageState::Refused || state == PageState::Conflict;
    let title = format!("{}{}, advanced configuration", if problem { "Problem: " } else { "" }, place.of);
    let current = preview.as_ref().map(|preview| format!("{}/{}", preview.workspace, preview.server));
    let page = Page {
        may_save: match place.section {
            "organisation" => actor.can(registry_core::permission::Permission::WriteOrganisation),
            _ => actor.can(registry_core::permission::Permission::WriteIntegrations),
        },
        shell: Shell::of(request, visitor, place.section, title),
        rows: preview.as_ref().map(|preview| rows(preview, hidden_too)).unwrap_or_default(),
        servers: servers
            .iter()
            .map(|(workspace, server, _)| {
                let name = format!("{}/{server}", workspace.slug);
                let chosen = Some(&name) == current.as_ref();
                (name, chosen)
            })
            .collect(),
        affected: (state == PageState::Checked).then_some(affected.registrations),
        action: place.action,
        of: place.of,
        back: place.back,
        level: place.level,
        shown: preview,
        findings: findings.0,
        text,
        stored,
        hidden_too,
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
    visitor: &Visitor,
    _action: &str,
    stored: &Configuration,
    preview: Option<ServerRef>,
) -> Option<Preview> {
    let text = stored.text.clone().unwrap_or_else(|| "{}".to_owned());
    let check = Check { subject: None, text, preview };
    visitor.registry.check_configuration(&visitor.actor, check).await.ok()?.preview
}

/// The members that are sent, then (if wanted) what was overridden or ignored.
fn rows(preview: &Preview, hidden_too: bool) -> Vec<Row> {
    let resolution = &preview.resolution;
    let mut rows: Vec<Row> = Vec::new();
    for (member, value) in &resolution.effective.client_metadata {
        let origin = resolution.origins.get(member).map_or("default", |origin| origin.as_str());
        let replaced = resolution.overridden.iter().filter(|other| other.member == *member).count();
        let why = match (origin, replaced) {
            ("gateway", _) => "Always the gateway's callback. Cannot be configured.".to_owned(),
            ("computed", _) => "Follows from the callback.".to_owned(),
            ("default", _) => "Nobody set it; the deployment's default.".to_owned(),
            (_, 0) => String::new(),
            (_, count) => format!("Overrides {count} lower {}.", if count == 1 { "value" } else { "values" }),
        };
        rows.push(Row {
            member: member.clone(),
            value: view::plain(value),
            origin: origin.to_owned(),
            why,
            off: false,
        });
    }
    if let Some(credentials) = &resolution.effective.credentials {
        rows.push(Row {
            member: "client_id".to_owned(),
            value: credentials.client_id.clone(),
            origin: credentials.level.as_str().to_owned(),
            why: "A client registered by hand: no registration request is sent.".to_owned(),
            off: false,
        });
    }
    if hidden_too {
        rows.extend(resolution.overridden.iter().map(|one| Row {
            member: one.member.clone(),
            value: view::plain(&one.value),
            origin: one.level.as_str().to_owned(),
            why: one.reason.clone(),
            off: true,
        }));
        rows.extend(resolution.ignored.iter().map(|one| Row {
            member: one.member.clone(),
            value: view::plain(&one.value),
            origin: "ignored".to_owned(),
            why: one.reason.clone(),
            off: true,
        }));
    }
    rows
}
