//! Before any page: not too much at once, and no page for ever.

use crate::failure::Failure;
use crate::session::state;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

/// Middleware around every page.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let registry = state(request.request()).registry.clone();
    let _in_hand = registry.take_in_hand().map_err(Failure::from)?;
    registry.patiently(next.call(request)).await.map_err(Failure::from)?
}
