//! Delete an integration.

use crate::http::answer::{self, Answer, Removed};
use crate::http::extract::Caller;
use crate::http::responses::DeleteProblems;
use crate::state::ApiState;
use actix_web::{delete, web};
use registry_core::slug::Reference;

/// Delete an integration
///
/// Deletes its servers too. Their clients are deregistered upstream. Where it has more than 100 servers, the response names a
/// rollout that deletes them in the background; they count as deleted at once.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"4\""),
    ),
    responses((status = 200, description = "The integration was deleted, with what was deleted along with it.", body = Removed, example = json!(Removed::example())), DeleteProblems)
)]
#[delete("/mcp-integrations/{integration}")]
pub(crate) async fn delete_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let expected = caller.expected_version()?;
    let deleted =
        state.registry.integrations().delete(&caller.actor, &Reference::parse(&path), expected).await?;
    Ok(answer::ok(&Removed::from(deleted)))
}
