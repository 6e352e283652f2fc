//! What all answers have in common: no caching, OAuth error bodies, the pages' policy, the answer that never arrives.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, PRAGMA, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Bytes;
use askama::Template;
use serde_json::{Value, json};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A refusal, ready to be sent; boxed because it is large and rare.
pub(crate) type Refused = Box<HttpResponse>;

/// `status` as a status code; a quirk that is no status at all answers 500, which a test will notice.
pub(crate) fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A JSON answer that must not be stored (RFC 7591 §3.2.1, RFC 6749 §5.1).
pub(crate) fn json(status: StatusCode, body: &Value) -> HttpResponse {
    json_text(status, body.to_string())
}

/// The same with a text that is JSON, or should be.
pub(crate) fn json_text(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .content_type("application/json")
        .body(body)
}

/// An OAuth error body: `error` and, unless empty, `error_description`.
pub(crate) fn error(status: StatusCode, code: &str, description: &str) -> HttpResponse {
    json(status, &error_body(code, description))
}

/// The body of an OAuth error.
pub(crate) fn error_body(code: &str, description: &str) -> Value {
    if description.is_empty() {
        json!({ "error": code })
    } else {
        json!({ "error": code, "error_description": description })
    }
}

/// A page under a policy without scripts, frames or foreign content. `form_action` lists, beside our own origin, where
/// the answer to the page's form may lead: browsers apply `form-action` to the redirect as well.
pub(crate) fn page(status: StatusCode, template: &impl Template, form_action: &str) -> HttpResponse {
    let Ok(html) = template.render() else {
        return HttpResponse::InternalServerError().body("The page could not be made.");
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' {form_action}"
    );
    HttpResponse::build(status)
        .insert_header((CONTENT_SECURITY_POLICY, policy.trim_end()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(html)
}

/// An answer that never arrives: its body fails before the head has been flushed, so the connection is closed silently.
pub(crate) fn lost() -> HttpResponse {
    HttpResponse::Ok().body(Broken)
}

struct Broken;

impl MessageBody for Broken {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        Poll::Ready(Some(Err(io::Error::other("The answer is lost on purpose."))))
    }
}
