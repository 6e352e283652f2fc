//! The last thing before an answer leaves: failures become problem documents that know their request, and every answer
//! gets its security headers.

use crate::failure::Failure;
use crate::problem;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use registry::{Allowance, Error};
use registry_core::finding::shorten;
use registry_core::locate;
use tracing_actix_web::RequestId;

/// The headers that name the request in the log: ours, and the hosted product's, whose SDK would repeat a POST that
/// failed with 5xx and did not carry it.
const REQUEST_ID: [HeaderName; 2] =
    [HeaderName::from_static("x-request-id"), HeaderName::from_static("x-portkey-request-id")];

/// The request's id, if the app is wrapped in `TracingLogger`.
pub(crate) fn request_id(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestId>().map(ToString::to_string)
}

/// At most this many bytes of a path are repeated in an answer.
pub(crate) const MAX_SHOWN_PATH: usize = 300;

/// The text of the body that was read, kept for the positions of findings.
pub(crate) struct BodyText(pub(crate) String);

/// Middleware around every operation.
pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?;
    let (request, response) = response.into_parts();
    let mut response = match response.error() {
        Some(error) => match error.as_error::<Failure>() {
            Some(failure) => answer(&request, failure),
            None => answer(&request, &foreign(error)),
        },
        None => response.map_into_boxed_body(),
    };
    protect(response.headers_mut(), &request);
    tell_allowance(response.headers_mut(), &request);
    Ok(ServiceResponse::new(request, response))
}

/// An error of the framework: a path that is no UTF-8, a connection that broke off.
fn foreign(error: &actix_web::Error) -> Failure {
    let status = error.as_response_error().status_code();
    if status.is_client_error() {
        Failure::request(&problem::UNKNOWN_PATH, "There is no operation at this path.")
    } else {
        Error::Internal(error.to_string().into()).into()
    }
}

/// The problem document for one failure of `request`.
pub(crate) fn answer(request: &HttpRequest, failure: &Failure) -> HttpResponse {
    let mut problem = problem::describe(failure);
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

/// Headers of every answer; those that an operation set itself stay.
pub(crate) fn protect(headers: &mut HeaderMap, request: &HttpRequest) {
    shield(headers);
    if let Some(id) = request_id(request)
        && let Ok(value) = HeaderValue::from_str(&id)
    {
        for name in REQUEST_ID {
            headers.insert(name, value.clone());
        }
    }
}

/// What the caller may still ask (draft-ietf-httpapi-ratelimit-headers).
fn tell_allowance(headers: &mut HeaderMap, request: &HttpRequest) {
    let Some(Allowance { limit, window, left, wait }) = request.extensions().get::<Allowance>().copied()
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

/// Those of them that are the same for every request.
pub(crate) fn shield(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
