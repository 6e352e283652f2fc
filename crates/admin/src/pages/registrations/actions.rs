//! Actions of a user on one registration. An action with a cost has a confirmation page of its own.

use super::changes::{Change, changes};
use super::list::Problem;
use super::show;
use crate::http::choice::Tick;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Error, OAuthClient, Registration, ServerRef};
use registry_core::clock::Timestamp;
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::registration::{ClientStatus, ReplacementCost, State};
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(confirm).service(retry).service(act);
}

/// An action that needs confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// Send a registration again after its response was lost.
    Retry,
    /// Create a new client although one is active.
    ReRegister,
    /// Approve the replacement of an outdated client.
    Approve,
    /// Keep an outdated client.
    Skip,
    /// Deregister the client although the server stays.
    Withdraw,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::Retry => "Send again",
            Self::ReRegister => "Re-register",
            Self::Approve => "Approve",
            Self::Skip => "Skip this version",
            Self::Withdraw => "Withdraw",
        }
    }

    /// The last segment of its path.
    fn path(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::ReRegister => "re-register",
            Self::Approve => "approve",
            Self::Skip => "skip",
            Self::Withdraw => "withdraw",
        }
    }

    fn question(self) -> &'static str {
        match self {
            Self::Retry => "Send the registration again?",
            Self::ReRegister => "Register a new client?",
            Self::Approve => "Replace the client?",
            Self::Skip => "Keep the client as it is?",
            Self::Withdraw => "Withdraw the client?",
        }
    }
}

#[derive(Template)]
#[template(path = "pages/registration_confirm.html")]
struct ConfirmPage {
    shell: Shell,
    registration: Registration,
    /// The active client.
    client: Option<OAuthClient>,
    /// The differences of the new client.
    changes: Vec<Change>,
    action: Action,
    /// The cost of a new client.
    cost: ReplacementCost,
    now: Timestamp,
}

impl ConfirmPage {
    /// Whether a client may be orphaned at the authorization server.
    fn leaves_client(&self) -> bool {
        self.cost.leaves_client && matches!(self.action, Action::Retry | Action::ReRegister | Action::Approve)
    }
}

#[get("/registrations/{registration}/{action:retry|re-register|approve|skip|withdraw}")]
async fn confirm(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(RegistrationId, Action)>,
) -> Result<HttpResponse, Failure> {
    let (id, action) = path.into_inner();
    ask(&request, &signed_in, id, action).await
}

/// The confirmation page with the cost.
async fn ask(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: RegistrationId,
    action: Action,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::OperateRegistrations)?;
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let detail = registry.registrations().get(actor, id).await?;
    let registration = detail.registration.clone();
    if let Some(message) = refusal(&registration, action) {
        let problem = Problem { field: "", message: message.to_owned() };
        return show::refused(request, signed_in, id, problem, StatusCode::CONFLICT).await;
    }
    let server = ServerRef { server: Reference::Id(registration.server.0), workspace: None };
    let wanted =
        registry.servers().client_metadata(actor, &server).await?.resolution.effective.client_metadata;
    let page = ConfirmPage {
        shell: Shell::of(request, signed_in, "registrations", action.verb()),
        changes: changes(&detail, &wanted),
        client: detail.clients.into_iter().find(|client| client.status == ClientStatus::Active),
        cost: registry.registrations().dry_run_reregister(actor, &registration).await?,
        now: registry.now(),
        registration,
        action,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// Why the action is not possible.
fn refusal(registration: &Registration, action: Action) -> Option<&'static str> {
    if registration.server_deleted {
        return Some("The server of this registration is gone; there is nothing to register.");
    }
    match action {
        Action::Approve | Action::Skip if registration.state != State::Outdated => {
            Some("Nothing waits for an agreement here: the client is not outdated.")
        }
        Action::Withdraw if registration.client_id.is_none() => Some("There is no client to withdraw."),
        _ => None,
    }
}

/// Whether the user confirmed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    sure: Option<Tick>,
}

/// Retries now. Where a retry may orphan a client, it is confirmed first; that holds too when the page with the
/// button was rendered before this became true.
#[post("/registrations/{registration}/retry")]
async fn retry(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<RegistrationId>,
    form: web::Form<Asked>,
) -> Result<HttpResponse, Failure> {
    if form.sure.is_none() {
        signed_in.actor.require(Permission::OperateRegistrations)?;
        let found = signed_in.registry.registrations().get(&signed_in.actor, *path).await?.registration;
        if found.state == State::Unconfirmed && !found.server_deleted {
            return ask(&request, &signed_in, *path, Action::Retry).await;
        }
    }
    let asked = signed_in.registry.registrations().retry(&signed_in.actor, *path).await;
    answer(&request, &signed_in, *path, asked, "retry").await
}

#[post("/registrations/{registration}/{action:re-register|approve|skip|withdraw}")]
async fn act(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(RegistrationId, Action)>,
) -> Result<HttpResponse, Failure> {
    let (id, action) = path.into_inner();
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let (asked, done) = match action {
        Action::Retry => (registry.registrations().retry(actor, id).await, "retry"),
        Action::ReRegister => (registry.registrations().reregister(actor, id).await, "reregister"),
        Action::Approve => (registry.registrations().approve(actor, id).await, "approve"),
        Action::Skip => (registry.registrations().skip(actor, id).await, "skip"),
        Action::Withdraw => (registry.registrations().deregister(actor, id).await, "withdraw"),
    };
    answer(&request, &signed_in, id, asked, done).await
}

/// Redirects to the registration, with what was done or why it was refused.
pub(super) async fn answer(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: RegistrationId,
    asked: registry::Result<Registration>,
    done: &str,
) -> Result<HttpResponse, Failure> {
    match asked {
        Ok(_) => Ok(go(format!("/ui/registrations/{id}?done={done}"))),
        Err(Error::Conflict { message, .. }) => {
            show::refused(request, signed_in, id, Problem { field: "", message }, StatusCode::CONFLICT).await
        }
        Err(error) => Err(error.into()),
    }
}
