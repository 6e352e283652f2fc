//! Middleware before every operation: the concurrency limit, the request timeout and the maximum length of a URL.

use crate::http::extract::sender;
use crate::http::failure::Failure;
use crate::http::fallback::DocumentedPaths;
use crate::http::nul;
use crate::http::problem_kinds;
use crate::state::ApiState;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

/// Maximum length of path and query in bytes: longer than every accepted list of ids.
const MAX_URL_BYTES: usize = 8192;
/// The long poll, which has its own timeout.
const LONG_POLL: &str = "/v1/gateway/changes";
/// Paths of gateways, which other callers' load never blocks.
const GATEWAY_PATHS: &str = "/v1/gateway/";

/// Middleware around every operation of `/v1`.
pub(crate) async fn limit_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<web::Data<ApiState>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let length = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if length > MAX_URL_BYTES {
        let message = format!("Path and query have {length} bytes; at most {MAX_URL_BYTES} are read.");
        return Ok(request.error_response(Failure::request(&problem_kinds::URI_TOO_LONG, message)));
    }
    let paths = request.app_data::<web::Data<DocumentedPaths>>().cloned();
    if let Some(Err(refusal)) = paths.map(|paths| nul::refuse_in(request.uri(), &paths)) {
        return Ok(request.error_response(refusal));
    }
    let path = request.path();
    let gateways = path.starts_with(GATEWAY_PATHS);
    let address = sender(&state, request.request());
    let _in_hand = match (!gateways).then(|| state.registry.limits().acquire(address)).transpose() {
        Ok(in_hand) => in_hand,
        Err(error) => return Ok(request.error_response(Failure::from(error))),
    };
    if path == LONG_POLL {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    let answered =
        state.registry.limits().with_request_timeout(next.call(request)).await.map_err(Failure::from)?;
    answered.map(ServiceResponse::map_into_boxed_body)
}
