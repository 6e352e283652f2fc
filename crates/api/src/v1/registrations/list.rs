//! List registrations.

use crate::http::answer::{self, Answer, Listed};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::ListProblems;
use crate::state::ApiState;
use crate::v1::registrations::view::RegistrationView;
use actix_web::{get, web};
use registry::{RegistrationFilter, ServerRef};
use registry_core::registration::State;
use serde::Deserialize;
use utoipa::IntoParams;

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRegistrations {
    /// Only registrations in these states, separated by commas.
    #[param(value_type = Option<Vec<State>>, style = Form, explode = false, max_items = 50, example = json!(["failed", "retrying"]))]
    state: Option<String>,
    /// Only registrations of this workspace (id or slug).
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Only registrations of this integration (id or slug).
    #[param(example = "linear")]
    mcp_integration_id: Option<String>,
    /// Alias of `mcp_integration_id`.
    #[param(example = "linear")]
    integration_id: Option<String>,
    /// Only the registration of this server (id or slug).
    #[param(example = "linear")]
    server_id: Option<String>,
    /// Only registrations at this authorization server.
    #[param(example = "https://mcp.linear.app")]
    issuer: Option<String>,
    /// Part of the name or slug of server, workspace or integration, of the `client_id` or of the last error,
    /// ignoring case; `workspace/server` matches both slugs.
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

/// List registrations
#[utoipa::path(
    tag = "registrations",
    params(ListRegistrations),
    responses(
        (status = 200, description = "The registrations the caller may see.", body = Listed<RegistrationView>, example = json!(Listed::example(RegistrationView::example()))),
        ListProblems,
    )
)]
#[get("/registrations")]
pub(crate) async fn list_registrations(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListRegistrations = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let workspace = query::reference(asked.workspace_id);
    let filter = RegistrationFilter {
        states: states(asked.state)?,
        integration: query::reference(asked.mcp_integration_id.or(asked.integration_id)),
        server: query::reference(asked.server_id)
            .map(|server| ServerRef { server, workspace: workspace.clone() }),
        workspace,
        issuer: query::filled(asked.issuer),
        method: None,
        search: query::filled(asked.search),
    };
    let found = state.registry.registrations().list(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(RegistrationView::from(one)))?))
}

fn states(text: Option<String>) -> Result<Vec<State>, Failure> {
    query::words(text)
        .iter()
        .map(|word| {
            State::parse(word).ok_or_else(|| {
                let known = State::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
                Failure::parameter("state", &format!("takes these values, separated by commas: {known}."))
            })
        })
        .collect()
}
