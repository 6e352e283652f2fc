//! List servers.

use crate::http::answer::{self, Answer, Listed};
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::ListProblems;
use crate::state::ApiState;
use crate::v1::servers::view::ServerView;
use actix_web::{get, web};
use registry::{Server, ServerFilter};
use registry_core::slug::Reference;
use serde::Deserialize;
use utoipa::IntoParams;

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListServers {
    /// Only servers of this workspace (id or slug).
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Only servers of this integration (id or slug).
    #[param(example = "linear")]
    mcp_integration_id: Option<String>,
    /// Only these servers: ids or slugs, separated by commas.
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, max_items = 100, example = json!(["linear", "github"]))]
    id: Option<String>,
    /// Part of the name or slug, ignoring case.
    #[param(max_length = 300, example = "linear")]
    search: Option<String>,
    /// Where the page begins: the `next_cursor` of the page before, with the same filters. The cost of a page does not
    /// depend on its place. `current_page` is ignored.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Page number, from 0. All items before the page are read: use `cursor` to read a whole list.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// List servers
#[utoipa::path(
    tag = "servers",
    params(ListServers),
    responses(
        (status = 200, description = "The servers the caller may see, by workspace and slug.", body = Listed<ServerView>, example = json!(Listed::example(ServerView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-servers")]
pub(crate) async fn list_servers(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListServers = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let filter = ServerFilter {
        workspace: query::reference(asked.workspace_id),
        integration: query::reference(asked.mcp_integration_id),
        search: query::filled(asked.search),
        ids: query::words(asked.id).iter().map(|word| Reference::parse(word)).collect(),
    };
    let found = state.registry.servers().list(&caller.actor, filter, page).await?;
    let shared = state.registry.shared_settings();
    let gateway = shared.gateway_addresses().next();
    let ids = found.items.iter().flat_map(|one| [one.id.0, one.integration.id.0]);
    let known = state.registry.capabilities().infos(&caller.actor, ids).await?;
    let view = |one: Server| {
        let known = known.get(&one.id.0).or_else(|| known.get(&one.integration.id.0)).cloned();
        Ok(ServerView::new(one, gateway)?.with_metadata(known))
    };
    Ok(answer::ok(&Listed::new(found, view)?))
}
