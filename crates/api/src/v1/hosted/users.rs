//! Users of the organisation.

use super::page::HostedPage;
use super::people::{AdminUserView, organisation_role};
use crate::http::answer::{self, Answer, Done, Listed};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::{ListProblems, ReadProblems, UserChangeProblems, UserStateProblems};
use crate::state::ApiState;
use crate::v1::users::id;
use actix_web::{delete, get, put, web};
use registry::{UserChange, UserFilter};
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which users to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AdminListUsers {
    /// The user with this e-mail address.
    #[param(max_length = 254, example = "grace@acme.com")]
    email: Option<String>,
    /// `admin` or `member`.
    #[param(max_length = 20, example = "member")]
    role: Option<String>,
}

impl AdminListUsers {
    pub(super) fn filter(self) -> UserFilter {
        let role = query::filled(self.role);
        UserFilter {
            email: query::filled(self.email),
            admin: role.map(|role| role == "admin" || role == "owner"),
            ..UserFilter::default()
        }
    }
}

/// The role of a user in the organisation.
#[derive(Deserialize, ToSchema)]
#[schema(as = AdminUpdateUser)]
pub(crate) struct AdminUpdateUser {
    /// `admin`, or `member`: no role in the whole organisation. Roles in workspaces stay.
    #[schema(max_length = 20, example = "member")]
    role: String,
}

impl RequestBody for AdminUpdateUser {
    const NEEDS: Permission = Permission::ManagePeople;
}

/// List users, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(AdminListUsers, HostedPage),
    responses((status = 200, description = "The users, by name.", body = Listed<AdminUserView>, example = json!(Listed::example(AdminUserView::example()))), ListProblems)
)]
#[get("/admin/users")]
pub(crate) async fn admin_list_users(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let page = caller.query::<HostedPage>()?.page()?;
    let filter = caller.query::<AdminListUsers>()?.filter();
    let found = state.registry.users().search(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(AdminUserView::from(one)))?))
}

/// Read a user, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The user.", body = AdminUserView, example = json!(AdminUserView::example())), ReadProblems)
)]
#[get("/admin/users/{user}")]
pub(crate) async fn admin_read_user(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.users().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&AdminUserView::from(found)))
}

/// Change a user's role in the organisation, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    request_body(content = AdminUpdateUser, description = "The role.", example = json!({ "role": "admin" })),
    responses((status = 200, description = "The changed user.", body = AdminUserView, example = json!(AdminUserView::example())), UserChangeProblems)
)]
#[put("/admin/users/{user}")]
pub(crate) async fn admin_update_user(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<AdminUpdateUser>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let role = organisation_role(&body.role)?.map_or(Patch::Clear, Patch::Set);
    let change = UserChange { role, ..UserChange::default() };
    let changed = state.registry.users().update(&caller.actor, id(&path)?, change).await?;
    Ok(answer::ok(&AdminUserView::from(changed)))
}

/// Deactivate a user, by the hosted product's path
///
/// The user can no longer sign in, and the user's keys are revoked. The user stays in the list, because the audit log
/// names the user.
#[utoipa::path(
    tag = "hosted paths",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The user can no longer sign in.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[delete("/admin/users/{user}")]
pub(crate) async fn admin_delete_user(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.users().deactivate(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}
