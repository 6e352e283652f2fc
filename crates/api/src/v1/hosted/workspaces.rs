//! Workspaces.

use super::page::HostedPage;
use crate::http::answer::{self, Answer, Changed, Listed, Removed};
use crate::http::body::ValidatedJson;
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::{ChangeProblems, CreateProblems, DeleteProblems, ListProblems, ReadProblems};
use crate::state::ApiState;
use crate::v1::workspaces::{CreateWorkspace, UpdateWorkspace, WorkspaceView};
use actix_web::{delete, get, post, put, web};
use registry::{Affected, NewWorkspace, WorkspaceChange, WorkspaceFilter};
use registry_core::slug::Reference;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which workspaces to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AdminListWorkspaces {
    /// Part of the name or slug, ignoring case.
    #[param(max_length = 300, example = "acme")]
    name: Option<String>,
    /// The whole name.
    #[param(max_length = 300, example = "Acme")]
    exact_name: Option<String>,
}

/// Create a workspace, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    request_body(content = CreateWorkspace, description = "The workspace.", example = json!({ "name": "Acme", "slug": "acme" })),
    responses((status = 200, description = "The workspace.", body = WorkspaceView, example = json!(WorkspaceView::example())), CreateProblems)
)]
#[post("/admin/workspaces")]
pub(crate) async fn admin_create_workspace(
    state: web::Data<ApiState>,
    sent: ValidatedJson<CreateWorkspace>,
) -> Answer {
    let ValidatedJson { caller, body, notices, .. } = sent;
    let new = NewWorkspace { name: body.name, slug: query::filled(body.slug), description: body.description };
    let made = state.registry.workspaces().create(&caller.actor, new).await?;
    let version = made.version;
    let mut view = WorkspaceView::from(made);
    view.findings = Some(notices.0);
    Ok(answer::versioned(version, &view))
}

/// List workspaces, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(AdminListWorkspaces, HostedPage),
    responses((status = 200, description = "The workspaces the caller may see, by slug.", body = Listed<WorkspaceView>, example = json!(Listed::example(WorkspaceView::example()))), ListProblems)
)]
#[get("/admin/workspaces")]
pub(crate) async fn admin_list_workspaces(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let page = caller.query::<HostedPage>()?.page()?;
    let asked: AdminListWorkspaces = caller.query()?;
    let filter = WorkspaceFilter { search: query::filled(asked.name), name: query::filled(asked.exact_name) };
    let found = state.registry.workspaces().list(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(WorkspaceView::from(one)))?))
}

/// Read a workspace, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme")),
    responses((status = 200, description = "The workspace.", body = WorkspaceView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(WorkspaceView::example())), ReadProblems)
)]
#[get("/admin/workspaces/{workspace}")]
pub(crate) async fn admin_read_workspace(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.workspaces().get(&caller.actor, &Reference::parse(&path)).await?;
    Ok(answer::versioned(found.version, &WorkspaceView::from(found)))
}

/// Change a workspace, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"1\""),
    ),
    request_body(content = UpdateWorkspace, description = "At least one member.", example = json!({ "name": "Acme Corp" })),
    responses((status = 200, description = "The workspace was saved.", body = Changed, example = json!(Changed::example())), ChangeProblems)
)]
#[put("/admin/workspaces/{workspace}")]
pub(crate) async fn admin_update_workspace(
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

/// Delete a workspace, by the hosted product's path
///
/// Deletes its integrations and servers too. A body is ignored.
#[utoipa::path(
    tag = "hosted paths",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"1\""),
    ),
    responses((status = 200, description = "Deleted, with what was deleted along with it.", body = Removed, example = json!(Removed::example())), DeleteProblems)
)]
#[delete("/admin/workspaces/{workspace}")]
pub(crate) async fn admin_delete_workspace(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let expected = caller.expected_version()?;
    let deleted =
        state.registry.workspaces().delete(&caller.actor, &Reference::parse(&path), expected).await?;
    Ok(answer::ok(&Removed::from(deleted)))
}
