//! List users.

use crate::http::answer::{self, Answer, Listed};
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::ListProblems;
use crate::state::ApiState;
use crate::v1::users::view::UserView;
use actix_web::{get, web};
use serde::Deserialize;
use utoipa::IntoParams;

/// The page of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUsers {
    /// Where the page begins: the `next_cursor` of the page before. The cost of a page does not depend on its place.
    /// `current_page` is ignored.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Page number, from 0. All items before the page are read: use `cursor` to read a whole list.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// List users
///
/// Sorted by name; deactivated users are included.
#[utoipa::path(
    tag = "users",
    params(ListUsers),
    responses(
        (status = 200, description = "The users.", body = Listed<UserView>, example = json!(Listed::example(UserView::example()))),
        ListProblems,
    )
)]
#[get("/users")]
pub(crate) async fn list_users(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListUsers = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let found = state.registry.users().list(&caller.actor, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(UserView::from(one)))?))
}
