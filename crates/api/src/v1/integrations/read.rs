//! Read an integration.

use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use crate::v1::integrations::view::IntegrationView;
use actix_web::{get, web};
use registry_core::slug::Reference;

/// Read an integration
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    responses(
        (status = 200, description = "The integration.", body = IntegrationView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(IntegrationView::example())),
        ReadProblems,
    )
)]
#[get("/mcp-integrations/{integration}")]
pub(crate) async fn read_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.integrations().get(&caller.actor, &Reference::parse(&path)).await?;
    let (version, id) = (found.version, found.id.0);
    let known = state.registry.capabilities().infos(&caller.actor, [id]).await?.remove(&id);
    Ok(answer::versioned(version, &IntegrationView::try_from(found)?.with_metadata(known)))
}
