//! The headers that restrict what a browser may do with a page: no inline code, no foreign content, no framing, no caching.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
];

/// Adds the headers that are the same for every response.
pub(crate) fn add(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        // A logo from a third party has stricter headers of its own; they stay.
        if name == "content-security-policy" && headers.contains_key(name) {
            continue;
        }
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
