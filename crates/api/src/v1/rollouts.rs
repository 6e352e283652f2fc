//! Rollouts: changes of a layer with many servers on their way to these servers.

use crate::examples;
use crate::http::answer::{self, AffectedView, Answer};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::{AskProblems, ListProblems, ReadProblems};
use crate::state::ApiState;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use futures_util::stream;
use registry::{Actor, Affected, Error, FollowerPermit, RefusedServer, Registry, Rollout};
use registry_core::finding::Finding;
use registry_core::id::{RolloutId, ServerId};
use registry_core::rollout::{RolloutKind, RolloutState};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

/// How often a watched rollout is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How many looks without news are answered by a keepalive comment.
const LOOKS_PER_KEEPALIVE: u32 = 30;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_rollouts)
        .service(read_rollout)
        .service(list_refused_servers)
        .service(watch_rollout)
        .service(pause_rollout)
        .service(resume_rollout);
}

/// A change on its way to the servers under its layer.
#[derive(Serialize, ToSchema)]
#[schema(as = Rollout)]
pub(crate) struct RolloutView {
    /// Always `rollout`.
    #[schema(example = "rollout")]
    object: &'static str,
    /// Id of the rollout.
    id: Uuid,
    /// What changed.
    kind: RolloutKind,
    /// Slug of the integration whose servers it reaches; null: all servers, or those of `workspace`.
    #[schema(example = "linear")]
    mcp_integration: Option<String>,
    /// Slug of the deleted workspace whose servers it deletes; null: no workspace was deleted.
    #[schema(example = "acme")]
    workspace: Option<String>,
    /// The version of the organisation's Advanced Configuration that servers move to; null for other kinds.
    #[schema(example = 7)]
    revision: Option<i64>,
    /// Why registrations are enqueued.
    #[schema(example = "configuration saved")]
    because: String,
    /// Its state.
    state: RolloutState,
    /// Number of servers that it reaches in all.
    #[schema(example = 10_000)]
    total: u64,
    /// Whether all servers were counted; at most 100,000 are.
    #[schema(example = true)]
    total_is_exact: bool,
    /// Number of servers that it has reached.
    #[schema(example = 2_500)]
    processed: u64,
    /// Reached servers, in percent of `total`, rounded down.
    #[schema(example = 25)]
    percent: u64,
    /// The effect on the servers that it has reached.
    affected: AffectedView,
    /// Number of servers that could not take the change, because their metadata would contradict itself. They keep
    /// what they had; see `GET /v1/rollouts/{id}/refused`.
    #[schema(example = 0)]
    refused: u64,
    /// Number of its registrations that a worker has not finished with.
    #[schema(example = 40)]
    pending_registrations: u64,
    /// Number of its registrations that failed; those that had failed before are not counted.
    #[schema(example = 0)]
    failed_registrations: u64,
    /// It stops when `refused` and `failed_registrations` together are more than this; null: never.
    #[schema(example = 20)]
    max_failures: Option<u64>,
    /// Number of servers that get the change first; the rest waits until their registrations have settled. 0: none.
    #[schema(example = 100)]
    canary_size: u64,
    /// Whether the rest may follow.
    #[schema(example = true)]
    canary_passed: bool,
    /// Name of the actor who saved the change.
    created_by: String,
    /// When the change was saved (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the rollout last moved.
    updated_at: DateTime<Utc>,
    /// When it ended; null: it has not.
    finished_at: Option<DateTime<Utc>>,
}

impl From<Rollout> for RolloutView {
    fn from(rollout: Rollout) -> Self {
        Self {
            object: "rollout",
            id: rollout.id.0,
            kind: rollout.kind,
            mcp_integration: rollout.integration.map(|integration| integration.slug.to_string()),
            workspace: rollout.workspace.map(|workspace| workspace.slug.to_string()),
            revision: rollout.revision,
            because: rollout.because,
            state: rollout.state,
            total: rollout.total,
            total_is_exact: rollout.total_is_exact,
            processed: rollout.processed,
            percent: (rollout.processed * 100).checked_div(rollout.total).unwrap_or(100).min(100),
            affected: rollout.affected.into(),
            refused: rollout.refused,
            pending_registrations: rollout.pending_registrations,
            failed_registrations: rollout.failed_registrations,
            max_failures: rollout.max_failures,
            canary_size: rollout.canary_size,
            canary_passed: rollout.canary_passed,
            created_by: rollout.created_by,
            created_at: rollout.created_at,
            updated_at: rollout.updated_at,
            finished_at: rollout.finished_at,
        }
    }
}

impl RolloutView {
    fn example() -> Self {
        Self {
            object: "rollout",
            id: examples::id(14),
            kind: RolloutKind::Organisation,
            mcp_integration: None,
            workspace: None,
            revision: Some(7),
            because: "configuration saved".to_owned(),
            state: RolloutState::Running,
            total: 10_000,
            total_is_exact: true,
            processed: 2_500,
            percent: 25,
            affected: Affected { reached: 2_500, servers: 2_500, ..Affected::default() }.into(),
            refused: 0,
            pending_registrations: 40,
            failed_registrations: 0,
            max_failures: Some(20),
            canary_size: 100,
            canary_passed: true,
            created_by: "Ada".to_owned(),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            finished_at: None,
        }
    }
}

/// Some rollouts, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rollouts {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The rollouts of this page.
    data: Vec<RolloutView>,
    /// Send it as `before` for the next page; null: this is the last.
    next: Option<Uuid>,
}

/// A server that could not take a change.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedServer)]
pub(crate) struct RefusedServerView {
    /// Always `refused-server`.
    #[schema(example = "refused-server")]
    object: &'static str,
    /// Id of the server.
    id: Uuid,
    /// `workspace/server`, by slug.
    #[schema(example = "acme/linear")]
    server: String,
    /// Why it could not take the change.
    findings: Vec<Finding>,
    /// When it was found (RFC 3339).
    at: DateTime<Utc>,
}

impl From<RefusedServer> for RefusedServerView {
    fn from(refused: RefusedServer) -> Self {
        Self {
            object: "refused-server",
            id: refused.server.0,
            server: refused.name,
            findings: refused.findings,
            at: refused.at,
        }
    }
}

/// Some refused servers, by id.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedServers {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The servers of this page.
    data: Vec<RefusedServerView>,
    /// Send it as `after` for the next page; null: this is the last.
    next: Option<Uuid>,
}

/// The page of rollouts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRollouts {
    /// Only rollouts that are running, paused or stopped.
    #[param(example = true)]
    open: Option<bool>,
    /// Where the page begins: `next` of the page before.
    before: Option<Uuid>,
    /// Rollouts per page; 20 when absent.
    #[param(minimum = 1, maximum = 100, example = 20)]
    page_size: Option<u64>,
}

/// The page of refused servers.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRefused {
    /// Where the page begins: `next` of the page before.
    after: Option<Uuid>,
    /// Servers per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

fn id(text: &str) -> Result<RolloutId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "rollout", reference: text.to_owned() }.into())
}

fn page_size(asked: Option<u64>, usual: u64, most: u64) -> Result<u64, Failure> {
    match asked.unwrap_or(usual) {
        size if (1..=most).contains(&size) => Ok(size),
        _ => Err(Failure::parameter("page_size", &format!("takes a number from 1 to {most}."))),
    }
}

/// List rollouts
///
/// A save whose layer has more than 100 servers records a rollout; workers bring the change to the servers in batches. So does
/// the deletion of an integration or a workspace with more than 100 servers; workers delete the servers in batches.
#[utoipa::path(
    tag = "rollouts",
    params(ListRollouts),
    responses(
        (status = 200, description = "The rollouts, newest first.", body = Rollouts, example = json!(Rollouts { object: "list", data: vec![RolloutView::example()], next: None })),
        ListProblems,
    )
)]
#[get("/rollouts")]
pub(crate) async fn list_rollouts(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListRollouts = caller.query()?;
    let most = page_size(asked.page_size, 20, 100)?;
    let before = asked.before.map(RolloutId);
    let open = asked.open.unwrap_or_default();
    let page = state.registry.rollouts().list(&caller.actor, open, before, most).await?;
    let data = page.rollouts.into_iter().map(RolloutView::from).collect();
    Ok(answer::ok(&Rollouts { object: "list", data, next: page.next.map(|id| id.0) }))
}

/// Read a rollout
#[utoipa::path(
    tag = "rollouts",
    params(("rollout" = Uuid, Path, description = "Id of the rollout.")),
    responses((status = 200, description = "The rollout.", body = RolloutView, example = json!(RolloutView::example())), ReadProblems)
)]
#[get("/rollouts/{rollout}")]
pub(crate) async fn read_rollout(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let rollout = state.registry.rollouts().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RolloutView::from(rollout)))
}

/// List the servers that could not take a change
///
/// Their metadata would contradict itself, so they keep the version of the organisation's configuration that they had.
/// The next rollout tries them again.
#[utoipa::path(
    tag = "rollouts",
    params(("rollout" = Uuid, Path, description = "Id of the rollout."), ListRefused),
    responses(
        (status = 200, description = "The servers, by id.", body = RefusedServers, example = json!({ "object": "list", "data": [], "next": null })),
        ReadProblems,
    )
)]
#[get("/rollouts/{rollout}/refused")]
pub(crate) async fn list_refused_servers(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let asked: ListRefused = caller.query()?;
    let most = page_size(asked.page_size, 100, 1_000)?;
    let after = asked.after.map(ServerId);
    let found = state.registry.rollouts().refused(&caller.actor, id(&path)?, after, most).await?;
    let next = found.last().filter(|_| found.len() as u64 == most).map(|last| last.server.0);
    let data = found.into_iter().map(RefusedServerView::from).collect();
    Ok(answer::ok(&RefusedServers { object: "list", data, next }))
}

/// Watch a rollout
///
/// Server-sent events: `rollout` with the rollout as data, at first and whenever it moves; the stream ends after the event
/// of a rollout that is done or superseded. A keepalive comment is sent every 15 seconds.
#[utoipa::path(
    tag = "rollouts",
    params(("rollout" = Uuid, Path, description = "Id of the rollout.")),
    responses(
        (status = 200, description = "The events.", content_type = "text/event-stream", body = String, example = "event: rollout\ndata: {\"object\":\"rollout\",\"state\":\"running\",\"percent\":25}\n\n"),
        ReadProblems,
    )
)]
#[get("/rollouts/{rollout}/events")]
pub(crate) async fn watch_rollout(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let id = id(&path)?;
    state.registry.rollouts().get(&caller.actor, id).await?;
    let permit = state.registry.gateway().admit_stream(&caller.actor)?;
    let watcher = Watcher {
        registry: state.registry.clone(),
        actor: caller.actor,
        id,
        told: None,
        ended: false,
        _permit: permit,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(watcher, Watcher::next)))
}

/// A watcher of one rollout.
struct Watcher {
    registry: Registry,
    actor: Actor,
    id: RolloutId,
    /// What was told last.
    told: Option<Rollout>,
    ended: bool,
    /// The permit of the concurrency limit, held as long as the stream lives.
    _permit: FollowerPermit,
}

impl Watcher {
    /// The next bytes: an event when the rollout moved, else a keepalive.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        for _ in 0..LOOKS_PER_KEEPALIVE {
            if self.ended || self.registry.gateway().is_closing() {
                return None;
            }
            match self.registry.rollouts().get(&self.actor, self.id).await {
                Ok(rollout) if self.told.as_ref() != Some(&rollout) => {
                    self.ended = !rollout.state.is_open() && rollout.pending_registrations == 0;
                    self.told = Some(rollout.clone());
                    let data = serde_json::to_string(&RolloutView::from(rollout)).unwrap_or_default();
                    let event = Bytes::from(format!("event: rollout\ndata: {data}\n\n"));
                    return Some((Ok(event), self));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "a watcher of a rollout waits for the database"),
            }
            actix_web::rt::time::sleep(LOOK_INTERVAL).await;
        }
        Some((Ok(Bytes::from_static(b": still here\n\n")), self))
    }
}

/// Pause a rollout
///
/// It pauses after its present batch. Servers that it has not reached keep the version of the organisation's configuration
/// that they have. 409 when it has ended, and for a rollout of kind `deletion`: its servers are not served any more, and
/// nothing brings them back.
#[utoipa::path(
    tag = "rollouts",
    params(("rollout" = Uuid, Path, description = "Id of the rollout.")),
    responses((status = 200, description = "The rollout.", body = RolloutView, example = json!(RolloutView::example())), AskProblems)
)]
#[post("/rollouts/{rollout}/pause")]
pub(crate) async fn pause_rollout(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let rollout = state.registry.rollouts().pause(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RolloutView::from(rollout)))
}

/// Resume a rollout
///
/// Goes on with a rollout that was paused, or that stopped because of failures. Failures so far are accepted: it stops
/// again after as many new ones. 409 when it has ended.
#[utoipa::path(
    tag = "rollouts",
    params(("rollout" = Uuid, Path, description = "Id of the rollout.")),
    responses((status = 200, description = "The rollout.", body = RolloutView, example = json!(RolloutView::example())), AskProblems)
)]
#[post("/rollouts/{rollout}/resume")]
pub(crate) async fn resume_rollout(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let rollout = state.registry.rollouts().resume(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RolloutView::from(rollout)))
}
