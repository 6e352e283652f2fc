//! Read a user.

use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use crate::v1::users::id;
use crate::v1::users::view::UserView;
use actix_web::{get, web};

/// Read a user
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the user.")),
    responses((status = 200, description = "The user.", body = UserView, example = json!(UserView::example())), ReadProblems)
)]
#[get("/users/{user}")]
pub(crate) async fn read_user(state: web::Data<ApiState>, caller: Caller, path: web::Path<String>) -> Answer {
    let found = state.registry.users().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&UserView::from(found)))
}
