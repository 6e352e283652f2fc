//! Rollouts: how far a change of a layer with many servers, or a deletion of many, has come, with pause and resume.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Error, RefusedServer, Rollout};
use registry_core::clock::Timestamp;
use registry_core::id::RolloutId;
use registry_core::permission::Permission;
use registry_core::rollout::{RolloutKind, RolloutState};
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list).service(show).service(pause).service(resume);
}

/// Rollouts per page, and refused servers that the page of a rollout names.
const PAGE_SIZE: u64 = 25;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// The rollout after which the page begins.
    before: Option<RolloutId>,
}

#[derive(Template)]
#[template(path = "pages/rollouts.html")]
struct ListPage {
    shell: Shell,
    items: Vec<Rollout>,
    next: Option<String>,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "pages/rollout.html")]
struct RolloutPage {
    shell: Shell,
    one: Rollout,
    refused: Vec<RefusedServer>,
    may_change: bool,
    problem: Option<String>,
    now: Timestamp,
}

impl RolloutPage {
    /// Refused servers that are not named.
    fn more_refused(&self) -> u64 {
        self.one.refused.saturating_sub(self.refused.len() as u64)
    }

    fn may_pause(&self) -> bool {
        self.may_change && self.one.state == RolloutState::Running && !self.is_deletion()
    }

    fn may_resume(&self) -> bool {
        self.may_change && matches!(self.one.state, RolloutState::Paused | RolloutState::Stopped)
    }

    /// Whether it deletes servers.
    fn is_deletion(&self) -> bool {
        self.one.kind == RolloutKind::Deletion
    }

    /// Whether the page shows something else soon.
    fn is_moving(&self) -> bool {
        self.one.state == RolloutState::Running || self.one.pending_registrations > 0
    }

    /// Whether the servers after the canary wait for its registrations.
    fn waits_for_canary(&self) -> bool {
        let one = &self.one;
        one.state == RolloutState::Running
            && one.canary_size > 0
            && !one.canary_passed
            && one.processed >= one.canary_size
    }
}

/// What changed, as a noun.
fn subject(one: &Rollout) -> String {
    match (one.kind, &one.integration, one.revision) {
        (RolloutKind::Organisation, _, Some(revision)) => {
            format!("Organisation configuration v{revision}")
        }
        (RolloutKind::Integration, Some(integration), _) => format!("Integration {}", integration.name),
        (RolloutKind::Capabilities, Some(integration), _) => {
            format!("Capabilities of {}", integration.name)
        }
        (RolloutKind::Settings, _, _) => "Settings of the deployment".to_owned(),
        (RolloutKind::Capabilities, None, _) => "Capabilities".to_owned(),
        (RolloutKind::Deletion, Some(integration), _) => {
            format!("Deletion of integration {}", integration.name)
        }
        (RolloutKind::Deletion, None, _) => match &one.workspace {
            Some(workspace) => format!("Deletion of workspace {}", workspace.name),
            None => "Deletion".to_owned(),
        },
        (RolloutKind::Organisation | RolloutKind::Integration, _, _) => "Configuration".to_owned(),
    }
}

/// The state as a chip: its grade, its icon and its words.
fn state(one: &Rollout) -> (&'static str, &'static str, &'static str) {
    match one.state {
        RolloutState::Running => ("info", "clock", "Running"),
        RolloutState::Paused => ("warn", "ask", "Paused"),
        RolloutState::Stopped => ("bad", "bad", "Stopped by failures"),
        RolloutState::Superseded => ("", "cross", "Superseded"),
        RolloutState::Done => ("ok", "tick", "Done"),
    }
}

#[get("/rollouts")]
async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let found = registry.rollouts().list(actor, false, query.before, PAGE_SIZE).await?;
    let page = ListPage {
        shell: Shell::of(&request, &signed_in, "settings", "Rollouts"),
        items: found.rollouts,
        next: found.next.map(|id| format!("/ui/rollouts?before={id}")),
        now: registry.now(),
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[get("/rollouts/{rollout}")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, id(&path)?, None, StatusCode::OK).await
}

#[post("/rollouts/{rollout}/pause")]
async fn pause(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let id = id(&path)?;
    let changed = signed_in.registry.rollouts().pause(&signed_in.actor, id).await;
    changed_or_refused(&request, &signed_in, id, changed).await
}

#[post("/rollouts/{rollout}/resume")]
async fn resume(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let id = id(&path)?;
    let changed = signed_in.registry.rollouts().resume(&signed_in.actor, id).await;
    changed_or_refused(&request, &signed_in, id, changed).await
}

async fn changed_or_refused(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: RolloutId,
    changed: Result<Rollout, Error>,
) -> Result<HttpResponse, Failure> {
    match changed {
        Ok(_) => Ok(go(format!("/ui/rollouts/{id}"))),
        Err(Error::Conflict { message, .. }) => {
            render(request, signed_in, id, Some(message), StatusCode::CONFLICT).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: RolloutId,
    problem: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let one = registry.rollouts().get(actor, id).await?;
    let refused = if one.refused > 0 {
        registry.rollouts().refused(actor, id, None, PAGE_SIZE).await?
    } else {
        Vec::new()
    };
    let title = if problem.is_some() { "Problem: rollout" } else { "Rollout" };
    let page = RolloutPage {
        shell: Shell::of(request, signed_in, "settings", title),
        one,
        refused,
        may_change: actor.can(Permission::WriteOrganisation),
        problem,
        now: registry.now(),
    };
    Ok(html(status, &page)?)
}

fn id(text: &str) -> Result<RolloutId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "rollout", reference: text.to_owned() }.into())
}
