//! Workspaces: teams inside the organisation.

use crate::examples;
use crate::http::answer::{self, Answer, Changed, Created, Listed, Removed};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::{ChangeProblems, CreateProblems, DeleteProblems, ListProblems, ReadProblems};
use crate::state::ApiState;
use actix_web::{delete, get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{Affected, NewWorkspace, Workspace, WorkspaceChange, WorkspaceFilter};
use registry_core::finding::Finding;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create_workspace)
        .service(list_workspaces)
        .service(read_workspace)
        .service(update_workspace)
        .service(delete_workspace);
}

/// A workspace to create.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateWorkspace {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Acme")]
    pub(super) name: String,
    /// Slug, used in URLs: letters, digits, `-` and `_`; never changes. Made from the name when absent or empty.
    #[schema(max_length = 50, pattern = "^([a-zA-Z0-9_-]{3,50})?$", example = "acme")]
    pub(super) slug: Option<String>,
    /// Description.
    #[schema(max_length = 500, example = "Everything of the Acme team.")]
    pub(super) description: Option<String>,
}

impl RequestBody for CreateWorkspace {
    const NEEDS: Permission = Permission::CreateWorkspaces;
    const HOSTED: &'static [&'static str] = &["defaults", "users", "usage_limits", "rate_limits", "icon"];
}

/// Changes to a workspace; absent members stay unchanged.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateWorkspace {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Acme Corp")]
    pub(super) name: Option<String>,
    /// Description; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, example = "Everything of the Acme team.")]
    pub(super) description: Patch<String>,
}

impl RequestBody for UpdateWorkspace {
    const NEEDS: Permission = Permission::UpdateWorkspaces;
    const HOSTED: &'static [&'static str] = &["defaults", "users", "usage_limits", "rate_limits", "icon"];
    const CHANGES: bool = true;
}

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListWorkspaces {
    /// Part of the name or slug, ignoring case.
    #[param(max_length = 300, example = "acme")]
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

/// A workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = Workspace)]
pub(crate) struct WorkspaceView {
    /// Always `workspace`.
    #[schema(example = "workspace")]
    object: &'static str,
    /// Id of the workspace.
    id: Uuid,
    /// Slug of the workspace, used in URLs.
    slug: String,
    /// Display name.
    name: String,
    /// Description.
    description: Option<String>,
    /// Version of the workspace, for `If-Match`; grows with each change.
    version: i64,
    /// When the workspace was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the workspace last changed (RFC 3339).
    updated_at: DateTime<Utc>,
    /// The same timestamp, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
    /// Notices about what was sent. Only in the response of `POST /v1/admin/workspaces`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) findings: Option<Vec<Finding>>,
}

impl From<Workspace> for WorkspaceView {
    fn from(workspace: Workspace) -> Self {
        Self {
            object: "workspace",
            id: workspace.id.0,
            slug: workspace.slug.into(),
            name: workspace.name,
            description: workspace.description,
            version: workspace.version,
            created_at: workspace.created_at,
            updated_at: workspace.updated_at,
            last_updated_at: workspace.updated_at,
            findings: None,
        }
    }
}

impl WorkspaceView {
    pub(crate) fn example() -> Self {
        Self {
            object: "workspace",
            id: examples::id(2),
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            description: None,
            version: 1,
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
            findings: None,
        }
    }
}

/// Create a workspace
#[utoipa::path(
    tag = "workspaces",
    request_body(content = CreateWorkspace, description = "The workspace.", example = json!({ "name": "Acme", "slug": "acme" })),
    responses((status = 200, description = "It was made.", body = Created, example = json!(Created::example())), CreateProblems)
)]
#[post("/workspaces")]
pub(crate) async fn create_workspace(
    state: web::Data<ApiState>,
    sent: ValidatedJson<CreateWorkspace>,
) -> Answer {
    let ValidatedJson { caller, body, notices, .. } = sent;
    let new = NewWorkspace { name: body.name, slug: query::filled(body.slug), description: body.description };
    let made = state.registry.workspaces().create(&caller.actor, new).await?;
    let view = Created::new(made.id.0, made.slug, notices, Affected::default());
    Ok(answer::versioned(made.version, &view))
}

/// List workspaces
#[utoipa::path(
    tag = "workspaces",
    params(ListWorkspaces),
    responses(
        (status = 200, description = "The workspaces the caller may see, by slug.", body = Listed<WorkspaceView>, example = json!(Listed::example(WorkspaceView::example()))),
        ListProblems,
    )
)]
#[get("/workspaces")]
pub(crate) async fn list_workspaces(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListWorkspaces = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let filter = WorkspaceFilter { search: query::filled(asked.search), ..WorkspaceFilter::default() };
    let found = state.registry.workspaces().list(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(WorkspaceView::from(one)))?))
}

/// Read a workspace
#[utoipa::path(
    tag = "workspaces",
    params(("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme")),
    responses(
        (status = 200, description = "The workspace.", body = WorkspaceView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(WorkspaceView::example())),
        ReadProblems,
    )
)]
#[get("/workspaces/{workspace}")]
pub(crate) async fn read_workspace(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.workspaces().get(&caller.actor, &Reference::parse(&path)).await?;
    Ok(answer::versioned(found.version, &WorkspaceView::from(found)))
}

/// Change a workspace
#[utoipa::path(
    tag = "workspaces",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"1\""),
    ),
    request_body(content = UpdateWorkspace, description = "At least one member.", example = json!({ "name": "Acme Corp" })),
    responses((status = 200, description = "The configuration was saved.", body = Changed, example = json!(Changed::example())), ChangeProblems)
)]
#[put("/workspaces/{workspace}")]
pub(crate) async fn update_workspace(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateWorkspace>,
) -> Answer {
    let ValidatedJson { caller, body, notices, .. } = sent;
    let change = WorkspaceChange { name: body.name, description: body.description };
    let expected = caller.expected_version()?;
    let saved =
        state.registry.workspaces().update(&caller.actor, &Reference::parse(&path), change, expected).await?;
    Ok(answer::versioned(saved.version, &Changed::new(notices, Affected::default())))
}

/// Delete a workspace
///
/// Deletes its integrations and servers too. The clients of its servers are deregistered upstream. Where it has more than 100
/// servers, the response names a rollout that deletes them in the background; they count as deleted at once.
#[utoipa::path(
    tag = "workspaces",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"1\""),
    ),
    responses((status = 200, description = "Deleted, with what was deleted along with it.", body = Removed, example = json!(Removed::example())), DeleteProblems)
)]
#[delete("/workspaces/{workspace}")]
pub(crate) async fn delete_workspace(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let expected = caller.expected_version()?;
    let deleted =
        state.registry.workspaces().delete(&caller.actor, &Reference::parse(&path), expected).await?;
    Ok(answer::ok(&Removed::from(deleted)))
}
