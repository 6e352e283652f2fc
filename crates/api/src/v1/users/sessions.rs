//! The sessions of a user.

use crate::examples;
use crate::http::answer::{self, Answer, Done, Listed};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use crate::v1::users::id;
use actix_web::{delete, get, web};
use chrono::{DateTime, Utc};
use registry::{Error, Session};
use registry_core::id::SessionId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A session of a user: a browser that is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = UserSession)]
pub(crate) struct SessionView {
    /// Always `user-session`.
    #[schema(example = "user-session")]
    object: &'static str,
    /// Id of the session; not the value of the cookie.
    id: Uuid,
    /// When the user signed in (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the session was last used (RFC 3339), to the minute.
    last_seen_at: DateTime<Utc>,
    /// When the session ends unless it is used (RFC 3339).
    expires_at: DateTime<Utc>,
    /// IP address of the sign-in.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// Display name of the browser, from its `User-Agent`.
    user_agent: Option<String>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            object: "user-session",
            id: session.id.0,
            created_at: session.started_at,
            last_seen_at: session.seen_at,
            expires_at: session.expires_at,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

impl SessionView {
    fn example() -> Self {
        Self {
            object: "user-session",
            id: examples::id(11),
            created_at: examples::moment(),
            last_seen_at: examples::moment(),
            expires_at: examples::moment(),
            address: Some("192.0.2.7".to_owned()),
            user_agent: None,
        }
    }
}

/// List the sessions of a user
///
/// All sessions of the user, the last used first, in one list without pages.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses(
        (status = 200, description = "The sessions.", body = Listed<SessionView>, example = json!(Listed::example(SessionView::example()))),
        ReadProblems,
    )
)]
#[get("/users/{user}/sessions")]
pub(crate) async fn list_user_sessions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.sessions().list_of(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Listed::whole(found.into_iter().map(SessionView::from).collect())))
}

/// End all sessions of a user
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The sessions ended; the user must sign in again everywhere.", body = Done, example = json!(Done::yes())), ReadProblems)
)]
#[delete("/users/{user}/sessions")]
pub(crate) async fn end_user_sessions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.sessions().end_all_of(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}

/// End one session of a user
#[utoipa::path(
    tag = "users",
    params(
        ("user" = Uuid, Path, description = "Id of the user."),
        ("session" = Uuid, Path, description = "Id of the session."),
    ),
    responses((status = 200, description = "The session ended; that browser must sign in again.", body = Done, example = json!(Done::yes())), ReadProblems)
)]
#[delete("/users/{user}/sessions/{session}")]
pub(crate) async fn end_user_session(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (user, session) = path.into_inner();
    let session: SessionId = session
        .parse()
        .map_err(|_| Failure::from(Error::NotFound { what: "session", reference: session.clone() }))?;
    state.registry.sessions().end_of(&caller.actor, id(&user)?, session).await?;
    Ok(answer::ok(&Done::yes()))
}
