//! Invite a user, and make a new sign-in link.

use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::responses::{InviteProblems, UserStateProblems};
use crate::state::ApiState;
use crate::v1::users::id;
use crate::v1::users::roles::{WorkspaceRole, roles};
use crate::v1::users::view::UserView;
use actix_web::{post, web};
use registry::{NewUser, Roles};
use registry_core::permission::{Permission, Role};
use serde::Deserialize;
use utoipa::ToSchema;

/// A user to invite.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateUser {
    /// E-mail address, with which the user signs in.
    #[schema(min_length = 3, max_length = 254, format = "email", example = "grace@acme.com")]
    email: String,
    /// Display name; the part before the `@` when absent.
    #[schema(max_length = 255, example = "Grace")]
    name: Option<String>,
    /// Role in the whole organisation: `viewer`, `manager` or `admin`. Without it the user needs a role in a workspace.
    role: Option<Role>,
    /// Additional roles in single workspaces.
    #[schema(max_items = 1000)]
    workspaces: Option<Vec<WorkspaceRole>>,
}

impl RequestBody for CreateUser {
    const NEEDS: Permission = Permission::ManagePeople;
}

/// Invite a user
///
/// No e-mail is sent. The response contains a one-time sign-in link, the only time it is shown; after that sign-in
/// the user sets a password. Users of an identity provider need no invitation.
#[utoipa::path(
    tag = "users",
    request_body(content = CreateUser, description = "The user, with at least one role.", example = json!({ "email": "grace@acme.com", "workspaces": [{ "workspace_id": "acme", "role": "manager" }] })),
    responses(
        (status = 200, description = "The user is invited. Send `sign_in_link` to the user.", body = UserView, example = json!(UserView::example_with_link())),
        InviteProblems,
    )
)]
#[post("/users")]
pub(crate) async fn create_user(state: web::Data<ApiState>, sent: ValidatedJson<CreateUser>) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let new = NewUser {
        email: body.email,
        name: body.name.unwrap_or_default(),
        roles: Roles { organisation: body.role, workspaces: roles(body.workspaces.unwrap_or_default()) },
    };
    let invited = state.registry.users().invite(&caller.actor, new).await?;
    Ok(answer::ok(&UserView::with_link(&state, invited)))
}

/// Create a one-time sign-in link for a user
///
/// Earlier links of this user stop working.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The link. Send `sign_in_link` to the user.", body = UserView, example = json!(UserView::example_with_link())), UserStateProblems)
)]
#[post("/users/{user}/sign-in-link")]
pub(crate) async fn create_sign_in_link(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let invited = state.registry.users().new_sign_in_link(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&UserView::with_link(&state, invited)))
}
