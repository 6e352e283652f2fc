//! The change feed, as a long poll and as server-sent events.

use crate::http::answer::{self, Answer};
use crate::http::extract::{Caller, credential};
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::GatewayProblems;
use crate::state::ApiState;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use futures_util::stream;
use registry::{Actor, ChangeEvent, Credential, Error, FollowerPermit, GatewayChange, Registry, WatchResult};
use registry_core::permission::Permission;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Interval of keepalive comments; proxies close connections that are silent for a minute.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// Maximum time that a poll waits, in seconds.
const MAX_WAIT_SECONDS: u64 = 60;

/// The position to start from, and the wait time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowChanges {
    /// The last known revision; 0 for all changes that are kept. When absent, the response gives the current
    /// position immediately.
    #[param(minimum = 0, example = 412)]
    since: Option<i64>,
    /// Seconds to wait when there is no change; 30 when absent. Not used for server-sent events.
    #[param(minimum = 0, maximum = 60, example = 30)]
    wait: Option<u64>,
}

/// The changes after a position.
#[derive(Serialize, ToSchema)]
pub(crate) struct GatewayChanges {
    /// Always `changes`.
    #[schema(example = "changes")]
    object: &'static str,
    /// The position to continue from.
    #[schema(example = 413)]
    revision: i64,
    /// True when the position has expired. Fetch every document again, then continue from `revision`.
    reset: bool,
    /// The changes, in the order of their commits; empty when there were none.
    changes: Vec<GatewayChangeView>,
}

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayChange)]
pub(crate) struct GatewayChangeView {
    /// Revision of the change, in the order of commits.
    #[schema(example = 413)]
    revision: i64,
    /// `changed`: fetch the document again. `deleted`: remove the document. `identities`: API keys or users changed.
    #[schema(example = "changed")]
    event: &'static str,
    /// Slug of the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    /// Slug of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
}

impl From<&GatewayChange> for GatewayChangeView {
    fn from(change: &GatewayChange) -> Self {
        let (event, workspace, server) = match &change.happening {
            ChangeEvent::Changed { workspace, server } => ("changed", Some(workspace), Some(server)),
            ChangeEvent::Deleted { workspace, server } => ("deleted", Some(workspace), Some(server)),
            ChangeEvent::Identities => ("identities", None, None),
        };
        Self { revision: change.revision, event, workspace: workspace.cloned(), server: server.cloned() }
    }
}

impl GatewayChanges {
    fn example() -> Self {
        let change = GatewayChangeView {
            revision: 413,
            event: "changed",
            workspace: Some("acme".to_owned()),
            server: Some("linear".to_owned()),
        };
        Self { object: "changes", revision: 413, reset: false, changes: vec![change] }
    }
}

/// Watch for changes
///
/// Waits until a document changes that this key may fetch, and names it; fetch it with `?at_least=` its revision.
/// With `Accept: text/event-stream` the response does not end: each change is an event whose `id` is its revision,
/// so that `Last-Event-ID` continues after it; a keepalive comment is sent every 15 seconds.
#[utoipa::path(
    tag = "gateway",
    params(
        FollowChanges,
        ("Last-Event-ID" = Option<i64>, Header, description = "The revision of the last event; wins over `since`.", example = 412),
    ),
    responses(
        (
            status = 200, description = "The changes.",
            content(
                (GatewayChanges = "application/json", example = json!(GatewayChanges::example())),
                (String = "text/event-stream", example = json!("id: 413\nevent: changed\ndata: {\"revision\":413,\"event\":\"changed\",\"workspace\":\"acme\",\"server\":\"linear\"}\n\n")),
            )
        ),
        GatewayProblems,
    )
)]
#[get("/changes")]
pub(crate) async fn follow_gateway_changes(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Caller,
) -> Answer {
    caller.require(Permission::FetchGatewayDocument)?;
    let asked: FollowChanges = caller.query()?;
    let known = query::revision("Last-Event-ID", last_event(request.headers())?)?;
    let since = known.or(query::revision("since", asked.since)?);
    let following = state.registry.gateway().admit_follower(&caller.actor)?;
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        let credential = credential(request.headers())?.to_owned();
        let follower = Follower {
            registry: state.registry.clone(),
            actor: caller.actor,
            credential,
            since,
            ended: false,
            _following: following,
        };
        return Ok(HttpResponse::Ok()
            .content_type("text/event-stream")
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header(("x-accel-buffering", "no"))
            .streaming(stream::unfold(follower, Follower::next)));
    }
    let wait = asked.wait.unwrap_or(30);
    if wait > MAX_WAIT_SECONDS {
        return Err(Failure::parameter("wait", "takes at most 60 seconds."));
    }
    let followed =
        state.registry.gateway().watch_changes(&caller.actor, since, Duration::from_secs(wait)).await?;
    Ok(answer::ok(&match followed {
        WatchResult::Changes { changes, revision } => GatewayChanges {
            object: "changes",
            revision,
            reset: false,
            changes: changes.iter().map(|change| GatewayChangeView::from(&**change)).collect(),
        },
        WatchResult::Expired { revision } => {
            GatewayChanges { object: "changes", revision, reset: true, changes: Vec::new() }
        }
    }))
}

fn last_event(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let revision = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    revision.map(Some).ok_or_else(|| {
        Failure::parameter("Last-Event-ID", "takes the `id` of an event as it came, a revision.")
    })
}

/// A watcher by server-sent events.
struct Follower {
    registry: Registry,
    actor: Actor,
    credential: String,
    since: Option<i64>,
    ended: bool,
    /// The permit of the concurrency limit, held as long as the stream lives.
    _following: FollowerPermit,
}

impl Follower {
    /// The next bytes: events, or a keepalive. The stream ends when the credential is no longer valid.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.ended || self.registry.gateway().is_closing() {
            return None;
        }
        let begins = self.since.is_none();
        let text =
            match self.registry.gateway().watch_changes(&self.actor, self.since, HEARTBEAT_INTERVAL).await {
                Ok(WatchResult::Changes { changes, revision }) => {
                    self.since = Some(revision);
                    if begins {
                        return Some((Ok(standing("start", revision)), self));
                    }
                    let mut text: String = changes.iter().map(|change| event(change)).collect();
                    if changes.is_empty() {
                        ": still here\n\n".clone_into(&mut text);
                    }
                    text
                }
                Ok(WatchResult::Expired { revision }) => {
                    self.since = Some(revision);
                    return Some((Ok(standing("reset", revision)), self));
                }
                Err(error) => {
                    tracing::debug!(%error, "a follower of changes waits for the database");
                    actix_web::rt::time::sleep(Duration::from_secs(1)).await;
                    ": the database is away\n\n".to_owned()
                }
            };
        let origin = self.actor.origin().clone();
        let known = self.registry.callers().authenticate(Credential::Token(&self.credential), origin).await;
        self.ended = matches!(known, Err(Error::Unauthenticated(_)));
        Some((Ok(Bytes::from(text)), self))
    }
}

/// The watcher's position, as the registry gives it.
fn standing(event: &str, revision: i64) -> Bytes {
    Bytes::from(format!("id: {revision}\nevent: {event}\ndata: {{\"revision\":{revision}}}\n\n"))
}

fn event(change: &GatewayChange) -> String {
    let view = GatewayChangeView::from(change);
    let data = serde_json::to_string(&view).unwrap_or_default();
    format!("id: {}\nevent: {}\ndata: {data}\n\n", view.revision, view.event)
}
