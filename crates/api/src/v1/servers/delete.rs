//! Delete a server.

use crate::http::answer::{self, Answer, Removed};
use crate::http::extract::Caller;
use crate::http::responses::DeleteProblems;
use crate::state::ApiState;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{delete, web};

/// Delete a server
///
/// The slug is free immediately; the client is deregistered upstream.
#[utoipa::path(
    tag = "servers",
    params(
        ("server" = String, Path, description = "Id or slug of the server.", example = "linear"),
        InWorkspace,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"1\""),
    ),
    responses((status = 200, description = "Deleted, with what was deleted along with it.", body = Removed, example = json!(Removed::example())), DeleteProblems)
)]
#[delete("/mcp-servers/{server}")]
pub(crate) async fn delete_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let (server, expected) = (named(&caller, &path)?, caller.expected_version()?);
    let deleted = state.registry.servers().delete(&caller.actor, &server, expected).await?;
    Ok(answer::ok(&Removed::from(deleted)))
}
