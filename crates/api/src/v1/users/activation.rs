//! Deactivate and reactivate a user.

use crate::http::answer::{self, Answer, Done};
use crate::http::extract::Caller;
use crate::http::responses::UserStateProblems;
use crate::state::ApiState;
use crate::v1::users::id;
use actix_web::{delete, post, web};

/// Deactivate a user
///
/// The user's sessions and links stop working immediately. The user stays in the list, because the audit log names
/// the user.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The user can no longer sign in.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[delete("/users/{user}")]
pub(crate) async fn deactivate_user(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.users().deactivate(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}

/// Reactivate a user
///
/// The user can sign in again, with the previous password.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The user can sign in.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[post("/users/{user}/reactivate")]
pub(crate) async fn reactivate_user(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.users().reactivate(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}
