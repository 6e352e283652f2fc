//! Before any page: not too much at once, and no page for ever.

use crate::failure::Failure;
use crate::session::state;
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

/// Middleware around every page.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let registry = state(request.request()).registry.clone();
    let _in_hand = match registry.take_in_hand() {
        Ok(in_hand) => in_hand,
        Err(error) => return Ok(request.error_response(Failure::from(error))),
    };
    let answer = registry.patiently(next.call(request)).await;
    // The request went along with the work that was given up: no page can be made for it any more, only a sentence.
    answer.map_err(Failure::from)?.map(ServiceResponse::map_into_boxed_body)
}
