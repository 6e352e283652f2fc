//! The headers of every response: security headers, and the id of the request.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use tracing_actix_web::RequestId;

/// The headers with the request id: ours, and that of the hosted product, whose SDK repeats a POST that failed with
/// 5xx and did not carry it.
const REQUEST_ID: [HeaderName; 2] =
    [HeaderName::from_static("x-request-id"), HeaderName::from_static("x-portkey-request-id")];

/// The id of the request, if the app is wrapped in `TracingLogger`.
pub(crate) fn request_id(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestId>().map(ToString::to_string)
}

/// Adds the headers that are the same for every request; headers that an operation set stay.
pub(crate) fn add(headers: &mut HeaderMap) {
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

/// Adds the security headers, and the id of `request`.
pub(crate) fn add_with_request_id(headers: &mut HeaderMap, request: &HttpRequest) {
    add(headers);
    if let Some(id) = request_id(request)
        && let Ok(value) = HeaderValue::from_str(&id)
    {
        for name in REQUEST_ID {
            headers.insert(name, value.clone());
        }
    }
}
