//! The documents of many servers, for a gateway that starts.

use super::servers::GatewayDocumentView;
use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::GatewayProblems;
use crate::state::ApiState;
use actix_web::{get, web};
use metrics::counter;
use registry::GatewayPage;
use registry_core::permission::Permission;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

/// Default number of documents per page.
const DEFAULT_PAGE_SIZE: u64 = 100;
/// Maximum number of documents per page.
const MAX_PAGE_SIZE: u64 = 500;

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListGatewayServers {
    /// Slug of a workspace; when absent, all workspaces that the key may read.
    #[param(example = "acme")]
    workspace: Option<String>,
    /// Only documents that changed after this revision.
    #[param(minimum = 0, example = 0)]
    since: Option<i64>,
    /// Maximum number of documents per page; 100 when absent.
    #[param(minimum = 1, maximum = 500, example = 100)]
    page_size: Option<u64>,
}

/// One page of documents.
#[derive(Serialize, ToSchema)]
pub(crate) struct GatewayServers {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The documents, in the order of their last change.
    #[schema(value_type = Vec<GatewayDocumentView>)]
    data: Vec<Box<RawValue>>,
    /// Whether there are more: request the next page with `since` = `revision`.
    #[schema(example = false)]
    has_more: bool,
    /// The last revision of this page. After the last page, watch for changes from here.
    #[schema(example = 412)]
    revision: i64,
}

/// Fetch the documents of many servers
///
/// For a gateway that starts. The pages are sorted by revision: a document that changes meanwhile is repeated on a
/// later page, so nothing is missed. Deleted servers are omitted. Then watch `/v1/gateway/changes?since=` the last
/// `revision`.
#[utoipa::path(
    tag = "gateway",
    params(ListGatewayServers),
    responses(
        (
            status = 200, description = "One page of documents.", body = GatewayServers,
            example = json!({ "object": "list", "data": [GatewayDocumentView::example()], "has_more": false, "revision": 412 })
        ),
        GatewayProblems,
    )
)]
#[get("/servers")]
pub(crate) async fn list_gateway_servers(state: web::Data<ApiState>, caller: Caller) -> Answer {
    caller.require(Permission::FetchGatewayDocument)?;
    let asked: ListGatewayServers = caller.query()?;
    let since = query::revision("since", asked.since)?.unwrap_or(0);
    let most = asked.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&most) {
        return Err(Failure::parameter("page_size", "takes 1 to 500."));
    }
    let GatewayPage { documents, has_more, revision } =
        state.registry.gateway().documents(&caller.actor, asked.workspace.as_deref(), since, most).await?;
    counter!("mcp_registry_gateway_documents_total", "from" => "list").increment(documents.len() as u64);
    let data = documents
        .into_iter()
        .map(|document| serde_json::from_slice(&document.body))
        .collect::<Result<_, _>>()
        .map_err(registry::Error::from)?;
    Ok(answer::ok(&GatewayServers { object: "list", data, has_more, revision }))
}
