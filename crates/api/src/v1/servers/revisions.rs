//! The saved versions of a server's layer of the Advanced Configuration.

use crate::http::answer::{self, Answer, Changed, Listed};
use crate::http::extract::Caller;
use crate::http::responses::{ListProblems, RevertProblems};
use crate::state::ApiState;
use crate::v1::revisions::{self, ListRevisions, RevisionView};
use crate::v1::save_options::SaveOptions;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{get, post, web};
use registry::ConfigurationScope;
use registry_core::rollout::RolloutOptions;

/// List the saved versions of a server's layer
#[utoipa::path(
    tag = "servers",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace, ListRevisions),
    responses(
        (status = 200, description = "The versions, newest first.", body = Listed<RevisionView>, example = json!(Listed::example(RevisionView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-servers/{server}/revisions")]
pub(crate) async fn list_server_revisions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let page = caller.query::<ListRevisions>()?.page()?;
    let subject = ConfigurationScope::Server(named(&caller, &path)?);
    let found = state.registry.configurations().revisions(&caller.actor, &subject, page).await?;
    Ok(answer::ok(&Listed::new(found, RevisionView::try_from)?))
}

/// Restore an earlier version of a server's layer
///
/// Saved as a new version. Secrets replaced since then keep their current values; `findings` names them.
#[utoipa::path(
    tag = "servers",
    params(
        ("server" = String, Path, description = "Id or slug of the server.", example = "linear"),
        ("number" = i64, Path, description = "Number of the version.", example = 3),
        InWorkspace,
        ("If-Match" = Option<String>, Header, description = "The server's `ETag` that was read; a different current version gives 412.", example = "\"1\""),
        SaveOptions,
    ),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "The server's new version.")), example = json!(Changed::example())), RevertProblems)
)]
#[post("/mcp-servers/{server}/revisions/{number}/revert")]
pub(crate) async fn revert_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (server, number) = path.into_inner();
    let subject = ConfigurationScope::Server(named(&caller, &server)?);
    let number = revisions::number(&number)?;
    revisions::revert(&state, &caller, &subject, number, RolloutOptions::UNCHECKED).await
}
