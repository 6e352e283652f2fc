//! Change the name or the roles of a user.

use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::responses::UserChangeProblems;
use crate::state::ApiState;
use crate::v1::users::id;
use crate::v1::users::roles::{WorkspaceRole, roles};
use crate::v1::users::view::UserView;
use actix_web::{put, web};
use registry::UserChange;
use registry_core::patch::Patch;
use registry_core::permission::{Permission, Role};
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes to a user; absent members stay unchanged.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateUser {
    /// Display name.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Role in the whole organisation; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Role>)]
    role: Patch<Role>,
    /// All roles in single workspaces; replaces the current list.
    #[schema(max_items = 1000)]
    workspaces: Option<Vec<WorkspaceRole>>,
}

impl RequestBody for UpdateUser {
    const NEEDS: Permission = Permission::ManagePeople;
    const CHANGES: bool = true;
}

/// Change a user
///
/// New roles take effect with the user's next request. The last admin who has signed in keeps the role.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    request_body(content = UpdateUser, description = "The changes.", example = json!({ "role": "viewer" })),
    responses((status = 200, description = "The changed user.", body = UserView, example = json!(UserView::example())), UserChangeProblems)
)]
#[put("/users/{user}")]
pub(crate) async fn update_user(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateUser>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let change = UserChange { name: body.name, role: body.role, workspaces: body.workspaces.map(roles) };
    let changed = state.registry.users().update(&caller.actor, id(&path)?, change).await?;
    Ok(answer::ok(&UserView::from(changed)))
}
