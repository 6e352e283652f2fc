//! Step 5: the summary, then the progress of the first registrations.

use super::{Problem, Wizard, choice, fields, step_page};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::preview::sent::Table;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{
    Draft, DraftStep, Error, Integration, PageRequest, Preview, Registration, RegistrationFilter, Server,
    ServerFilter,
};
use registry_core::finding::Finding;
use registry_core::id::{DraftId, IntegrationId};
use registry_core::preflight::Approach;
use registry_core::registration::State;
use registry_core::slug::Reference;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(submit);
}

#[derive(Template)]
#[template(path = "pages/drafts/register.html")]
struct SummaryPage {
    shell: Shell,
    wizard: Wizard,
    draft: Draft,
    shown: Option<Preview>,
    table: Table,
}

impl SummaryPage {
    fn approach(&self) -> Option<&'static str> {
        self.draft.approach.map(choice::short)
    }

    /// Whether this approach needs an OAuth client.
    fn needs_client(&self) -> bool {
        self.draft.approach.is_some_and(|approach| approach.auth_type().needs_client())
    }

    /// Whether the client is pre-registered, so that nothing is sent.
    fn by_hand(&self) -> bool {
        self.draft.approach == Some(Approach::ByHand)
    }

    /// The heading of the table.
    fn heading(&self) -> &'static str {
        match self.draft.approach {
            Some(Approach::Publish) => "What will be published",
            Some(Approach::ByHand) => "What gateways will use",
            _ => "What will be sent",
        }
    }

    fn fields(&self) -> usize {
        fields(&self.draft)
    }

    /// The label of the last button.
    fn submit_label(&self) -> &'static str {
        match self.draft.approach {
            Some(Approach::Register) if !self.draft.workspaces.is_empty() => "Register now",
            Some(Approach::Publish) if !self.draft.workspaces.is_empty() => "Publish now",
            _ => "Add integration",
        }
    }
}

#[derive(Template)]
#[template(path = "pages/drafts/registered.html")]
struct DonePage {
    shell: Shell,
    wizard: Wizard,
    /// `None`: it was deleted since.
    integration: Option<Integration>,
    rows: Vec<Row>,
    /// Whether a state changes without a user's action.
    moving: bool,
}

/// A server with the state of its registration.
struct Row {
    server: Server,
    registration: Option<Registration>,
    /// The URLs where users reach it, one per gateway.
    gateways: Vec<String>,
    /// The URL where gateways fetch its document.
    document: String,
}

impl DonePage {
    fn registered(&self) -> usize {
        let is_registered =
            |row: &&Row| row.registration.as_ref().is_some_and(|one| one.state == State::Registered);
        self.rows.iter().filter(is_registered).count()
    }

    fn needs_client(&self) -> bool {
        self.integration.as_ref().is_some_and(|one| one.auth_type.needs_client())
    }
}

#[get("/drafts/{draft}/register")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    let draft = signed_in.registry.drafts().get(&signed_in.actor, *path).await?;
    match draft.integration {
        Some(integration) => done(&request, &signed_in, &draft, integration).await,
        None => summary(&request, &signed_in, draft, Vec::new()).await,
    }
}

#[post("/drafts/{draft}/register")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    let findings = match signed_in.registry.drafts().finish(&signed_in.actor, *path).await {
        Ok(_) => return Ok(go(step_page(*path, DraftStep::Register))),
        Err(Error::Invalid(findings)) => findings.0,
        Err(Error::Conflict { code, message, pointer }) => {
            vec![Finding::error(pointer.unwrap_or("/slug"), code, message)]
        }
        Err(error) => return Err(error.into()),
    };
    let draft = signed_in.registry.drafts().get(&signed_in.actor, *path).await?;
    let problems = findings.into_iter().map(|finding| {
        let step = match finding.pointer.split('/').nth(1) {
            Some("url" | "name" | "slug") => DraftStep::Url,
            Some("approach") => DraftStep::Check,
            _ => DraftStep::Metadata,
        };
        let more = Some((step_page(draft.id, step), "Change it"));
        Problem { more, ..Problem::new(step.as_str(), finding.message) }
    });
    let problems = problems.collect();
    summary(&request, &signed_in, draft, problems).await
}

async fn summary(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    draft: Draft,
    problems: Vec<Problem>,
) -> Result<HttpResponse, Failure> {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = signed_in.registry.drafts().check(&signed_in.actor, draft.id, None).await?.preview;
    let wizard = Wizard::of(&draft, DraftStep::Register, problems);
    let page = SummaryPage {
        shell: Shell::of(request, signed_in, "integrations", wizard.title("register")),
        table: shown.as_ref().map(|preview| Table::of(&preview.resolution, false)).unwrap_or_default(),
        wizard,
        draft,
        shown,
    };
    Ok(html(status, &page)?)
}

async fn done(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    draft: &Draft,
    id: IntegrationId,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let reference = Reference::from(id);
    let integration = match registry.integrations().get(actor, &reference).await {
        Ok(integration) => Some(integration),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let mut rows = Vec::new();
    if integration.is_some() {
        let all = PageRequest::new(0, 200);
        let filter = ServerFilter { integration: Some(reference.clone()), ..ServerFilter::default() };
        let servers = registry.servers().list(actor, filter, all).await?.items;
        let filter = RegistrationFilter { integration: Some(reference), ..RegistrationFilter::default() };
        let registrations = registry.registrations().list(actor, filter, all).await?.items;
        let shared = registry.shared_settings();
        let public = crate::pages::base_url(request, signed_in);
        rows = servers
            .into_iter()
            .map(|server| {
                let path = format!("{}/{}", server.workspace.slug, server.slug);
                Row {
                    registration: registrations.iter().find(|one| one.server == server.id).cloned(),
                    gateways: shared.gateway_addresses().map(|url| format!("{url}/{path}/mcp")).collect(),
                    document: format!("{public}/v1/gateway/servers/{path}"),
                    server,
                }
            })
            .collect();
    }
    let waits = |row: &Row| {
        let state = row.registration.as_ref().map(|one| one.state);
        matches!(state, Some(State::Queued | State::Registering | State::Retrying))
    };
    let wizard = Wizard::of(draft, DraftStep::Register, Vec::new());
    let page = DonePage {
        shell: Shell::of(request, signed_in, "integrations", "Add integration: first registrations"),
        moving: rows.iter().any(waits),
        wizard,
        integration,
        rows,
    };
    Ok(html(StatusCode::OK, &page)?)
}
