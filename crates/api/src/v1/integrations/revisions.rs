//! The saved versions of an integration's Advanced Configuration.

use crate::http::answer::{self, Answer, Changed, Listed};
use crate::http::extract::Caller;
use crate::http::responses::{ListProblems, RevertProblems};
use crate::state::ApiState;
use crate::v1::revisions::{ListRevisions, RevisionView};
use crate::v1::save_options::SaveOptions;
use actix_web::{get, post, web};
use registry::ConfigurationScope;
use registry_core::rollout::RolloutOptions;
use registry_core::slug::Reference;

/// List the saved versions of an integration's Advanced Configuration
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), ListRevisions),
    responses(
        (status = 200, description = "The versions, newest first.", body = Listed<RevisionView>, example = json!(Listed::example(RevisionView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-integrations/{integration}/revisions")]
pub(crate) async fn list_integration_revisions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let page = caller.query::<ListRevisions>()?.page()?;
    let subject = ConfigurationScope::Integration(Reference::parse(&path));
    let found = state.registry.configurations().revisions(&caller.actor, &subject, page).await?;
    Ok(answer::ok(&Listed::new(found, RevisionView::try_from)?))
}

/// Restore an earlier version of an integration's Advanced Configuration
///
/// Saved as a new version. Secrets replaced since then keep their current values; `findings` names them.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("number" = i64, Path, description = "Number of the version.", example = 3),
        ("If-Match" = Option<String>, Header, description = "The integration's `ETag` that was read; a different current version gives 412.", example = "\"4\""),
        SaveOptions,
    ),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "The integration's new version.")), example = json!(Changed::example())), RevertProblems)
)]
#[post("/mcp-integrations/{integration}/revisions/{number}/revert")]
pub(crate) async fn revert_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (integration, number) = path.into_inner();
    let subject = ConfigurationScope::Integration(Reference::parse(&integration));
    let number = crate::v1::revisions::number(&number)?;
    crate::v1::revisions::revert(&state, &caller, &subject, number, RolloutOptions::UNCHECKED).await
}
