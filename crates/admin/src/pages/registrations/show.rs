//! The page of one registration, with the list beside it.

use super::list::{self, Problem};
use super::open::Open;
use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, web};
use registry_core::id::RegistrationId;

#[get("/registrations/{registration}")]
pub(super) async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<RegistrationId>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let open = Open::of(&signed_in, *path).await?;
    list::render(&request, &signed_in, query.into_inner(), Some(open), None, StatusCode::OK).await
}

/// The page of a registration with the reason why an action was refused.
pub(super) async fn refused(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: RegistrationId,
    problem: Problem,
    status: StatusCode,
) -> Result<HttpResponse, Failure> {
    let open = Open::of(signed_in, id).await?;
    list::render(request, signed_in, Query::default(), Some(open), Some(problem), status).await
}
