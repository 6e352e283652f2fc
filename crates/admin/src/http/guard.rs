//! Before any page: the concurrency limit, the request timeout and the maximum length of a URL.

use crate::http::failure::Failure;
use crate::http::session::{cookie, sender, state};
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;

/// Assets: a page requests several of them, and they are cheap.
const ASSETS: &str = "/ui/assets/";

/// Sign-in pages: the user is not known yet, whatever cookie the request carries.
const SIGN_IN: &str = "/ui/sign-in";

/// Maximum length of path and query in bytes.
const MAX_URL_BYTES: usize = 8192;
const URL_TOO_LONG: &str =
    "The address is longer than the 8192 bytes that are read. Search for less, or choose fewer.";

/// Middleware around every page.
pub(crate) async fn limit_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.uri().path_and_query().map_or(0, |address| address.as_str().len()) > MAX_URL_BYTES {
        return Ok(request.error_response(Failure::Request(StatusCode::URI_TOO_LONG, URL_TOO_LONG)));
    }
    let registry = state(request.request()).registry.clone();
    let address = sender(request.request());
    let anonymous = cookie(request.request()).is_none() && !request.path().starts_with(ASSETS);
    let admitted = registry.limits().acquire(address).and_then(|in_hand| {
        if anonymous {
            registry.limits().count_anonymous(address)?;
        }
        Ok(in_hand)
    });
    let _in_hand = match admitted {
        Ok(in_hand) => in_hand,
        Err(error) => return Ok(request.error_response(Failure::from(error))),
    };
    let form = !request.method().is_safe();
    let signing_in = anonymous || request.path().starts_with(SIGN_IN);
    let work = next.call(request);
    let answer = if form && signing_in {
        registry.limits().with_form_timeout(work).await
    } else {
        registry.limits().with_request_timeout(work).await
    };
    // The request was dropped together with the cancelled work: no page can be rendered, only a sentence.
    answer.map_err(Failure::from)?.map(ServiceResponse::map_into_boxed_body)
}
