//! List integrations.

use crate::http::answer::{self, Answer, Listed};
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::ListProblems;
use crate::state::ApiState;
use crate::v1::integrations::view::{IntegrationStatus, IntegrationView};
use actix_web::{get, web};
use registry::{Integration, IntegrationFilter, IntegrationSort, OwnerFilter};
use registry_core::registration::AuthType;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// The owner of the listed integrations.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IntegrationType)]
pub(crate) enum Owner {
    /// Any owner.
    #[default]
    All,
    /// A workspace.
    Workspace,
    /// The organisation.
    Organisation,
}

/// The sort order of the list.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IntegrationSort)]
pub(crate) enum Sort {
    #[default]
    Slug,
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    Changed,
    #[serde(rename = "-changed")]
    ChangedDescending,
    Failures,
    #[serde(rename = "-failures")]
    FailuresDescending,
}

impl From<Sort> for IntegrationSort {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Slug => Self::Slug,
            Sort::Name => Self::Name,
            Sort::NameDescending => Self::NameDescending,
            Sort::Changed => Self::Changed,
            Sort::ChangedDescending => Self::ChangedDescending,
            Sort::Failures => Self::Failures,
            Sort::FailuresDescending => Self::FailuresDescending,
        }
    }
}

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListIntegrations {
    /// Part of the name, slug or URL, or a complete `client_id`, ignoring case.
    #[param(max_length = 300, example = "linear")]
    search: Option<String>,
    /// Only integrations of this kind of owner; all when absent.
    #[param(inline)]
    r#type: Option<Owner>,
    /// Only integrations that this workspace (id or slug) may use.
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Only integrations with this authentication.
    #[param(inline)]
    auth_type: Option<AuthType>,
    /// Only enabled integrations with a registration that needs attention, or whose URL did not answer the last
    /// connection test.
    #[param(example = false)]
    needs_attention: Option<bool>,
    /// Only integrations that set client metadata themselves.
    #[param(example = false)]
    custom_metadata: Option<bool>,
    /// Only integrations with a pre-registered client.
    #[param(example = false)]
    pre_registered: Option<bool>,
    /// Only enabled or only disabled integrations.
    #[param(inline)]
    status: Option<IntegrationStatus>,
    /// The sort order; by slug when absent. A leading `-` reverses it: `-changed` begins with the most recently
    /// changed, `-failures` with the one that has most failing registrations.
    #[param(inline)]
    sort: Option<Sort>,
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

/// List integrations
#[utoipa::path(
    tag = "integrations",
    params(ListIntegrations),
    responses(
        (status = 200, description = "The integrations the caller may see.", body = Listed<IntegrationView>, example = json!(Listed::example(IntegrationView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-integrations")]
pub(crate) async fn list_integrations(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListIntegrations = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let filter = IntegrationFilter {
        search: query::filled(asked.search),
        owner: match asked.r#type.unwrap_or_default() {
            Owner::All => OwnerFilter::All,
            Owner::Workspace => OwnerFilter::Workspace,
            Owner::Organisation => OwnerFilter::Organisation,
        },
        workspace: query::reference(asked.workspace_id),
        auth_type: asked.auth_type,
        attention: asked.needs_attention.unwrap_or_default(),
        custom_metadata: asked.custom_metadata.unwrap_or_default(),
        pre_registered: asked.pre_registered.unwrap_or_default(),
        enabled: asked.status.map(|status| status == IntegrationStatus::Active),
        sort: asked.sort.unwrap_or_default().into(),
    };
    let found = state.registry.integrations().list(&caller.actor, filter, page).await?;
    let ids = found.items.iter().map(|one| one.id.0);
    let mut known = state.registry.capabilities().infos(&caller.actor, ids).await?;
    let view = |one: Integration| {
        let known = known.remove(&one.id.0);
        Ok(IntegrationView::try_from(one)?.with_metadata(known))
    };
    Ok(answer::ok(&Listed::new(found, view)?))
}
