//! The last step before a response is sent: failures become problem documents with the members of their request,
//! and every response gets its security headers.

use crate::http::body::BodyText;
use crate::http::failure::Failure;
use crate::http::problem::{self, MAX_SHOWN_PATH};
use crate::http::problem_kinds::UNKNOWN_PATH;
use crate::http::security_headers;
use crate::http::security_headers::request_id;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use registry::{Error, RateLimitStatus};
use registry_core::finding::shorten;
use registry_core::locate;

/// Middleware around every operation.
pub(crate) async fn handle_errors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?;
    let (request, response) = response.into_parts();
    let mut response = match response.error() {
        Some(error) => match error.as_error::<Failure>() {
            Some(failure) => respond(&request, failure),
            None => respond(&request, &from_framework(error)),
        },
        None => response.map_into_boxed_body(),
    };
    security_headers::add_with_request_id(response.headers_mut(), &request);
    add_rate_limit_headers(response.headers_mut(), &request);
    Ok(ServiceResponse::new(request, response))
}

/// An error of the framework: a path that is not UTF-8, a connection that ended early.
fn from_framework(error: &actix_web::Error) -> Failure {
    let status = error.as_response_error().status_code();
    if status.is_client_error() {
        Failure::request(&UNKNOWN_PATH, "There is no operation at this path.")
    } else {
        Error::Internal(error.to_string().into()).into()
    }
}

/// The problem document for a failure of `request`.
pub(crate) fn respond(request: &HttpRequest, failure: &Failure) -> HttpResponse {
    let mut problem = failure.problem();
    let mut path = request.path().to_owned();
    shorten(&mut path, MAX_SHOWN_PATH);
    problem.instance = Some(path);
    problem.request_id = request_id(request);
    if let Some(text) = request.extensions().get::<BodyText>() {
        locate::place(&text.0, &mut problem.errors);
    }
    if let Failure::Application(Error::Internal(reason)) = failure {
        tracing::error!(
            request_id = problem.request_id,
            method = %request.method(),
            path = request.path(),
            reason = %chain(&**reason),
            "internal error"
        );
    }
    let mut response = problem::respond(&problem);
    if let Failure::Request { allow: Some(allow), .. } = failure
        && let Ok(value) = HeaderValue::from_str(allow)
    {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

/// An error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The remaining rate limit of the caller (draft-ietf-httpapi-ratelimit-headers).
fn add_rate_limit_headers(headers: &mut HeaderMap, request: &HttpRequest) {
    let Some(RateLimitStatus { limit, window, left, wait }) =
        request.extensions().get::<RateLimitStatus>().copied()
    else {
        return;
    };
    let again = wait.unwrap_or(window);
    for (name, text) in [
        ("ratelimit-policy", format!("\"identity\";q={limit};w={window}")),
        ("ratelimit", format!("\"identity\";r={left};t={again}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
