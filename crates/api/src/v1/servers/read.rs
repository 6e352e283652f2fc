//! Read a server.

use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use crate::v1::servers::view::ServerView;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{get, web};

/// Read a server
#[utoipa::path(
    tag = "servers",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses(
        (status = 200, description = "The server.", body = ServerView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(ServerView::example())),
        ReadProblems,
    )
)]
#[get("/mcp-servers/{server}")]
pub(crate) async fn read_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.servers().get(&caller.actor, &named(&caller, &path)?).await?;
    let shared = state.registry.shared_settings();
    let gateway = shared.gateway_addresses().next();
    let (version, id, integration) = (found.version, found.id.0, found.integration.id.0);
    let mut known = state.registry.capabilities().infos(&caller.actor, [id, integration]).await?;
    let known = known.remove(&id).or_else(|| known.remove(&integration));
    Ok(answer::versioned(version, &ServerView::new(found, gateway)?.with_metadata(known)))
}
