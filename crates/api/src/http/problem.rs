//! Problem documents (RFC 9457): the mapping from application errors to the table of problem kinds.
//!
//! `type` is `/docs/problems#<code>`, a page this crate serves from the same table. Each document also carries the
//! members `success` and `data` of the hosted product's error envelope, so that its clients understand it.

use crate::http::problem_kinds::{
    CONFLICT, FORBIDDEN, INTERNAL, INVALID_INPUT, INVALID_JSON, KEY_MISSING, KINDS, Kind, NOT_FOUND,
    NOT_IMPLEMENTED, OVERLOADED, SETTINGS_DIFFER, STALE_VERSION, TIMED_OUT, TOO_LARGE, TOO_MANY_REQUESTS,
    TOO_SOON, UNAUTHENTICATED, UNAVAILABLE,
};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use registry::Error;
use registry_core::finding::{Finding, Findings, Severity};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of problem documents (RFC 9457 §4).
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Maximum bytes of a path that are repeated in a response.
pub(crate) const MAX_SHOWN_PATH: usize = 300;

/// The detail of every internal error: the cause must not reach the caller.
const INTERNAL_DETAIL: &str = "An internal error occurred. The log has the reason under this request id.";

/// What is wrong with a request, as a problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// URL of the explanation of this kind, relative to this deployment.
    #[schema(example = "/docs/problems#slug_taken", format = "uri-reference")]
    pub(crate) r#type: String,
    /// Title of the kind.
    #[schema(example = "Slug taken")]
    pub(crate) title: &'static str,
    /// The HTTP status.
    #[schema(example = 409)]
    pub(crate) status: u16,
    /// What is wrong in this request, and what to do.
    #[schema(example = "The slug `linear` is taken. Choose another one.")]
    pub(crate) detail: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/mcp-integrations")]
    pub(crate) instance: Option<String>,
    /// Stable code of the kind.
    #[schema(example = "slug_taken")]
    pub(crate) code: String,
    /// Id of the request, as in the log and in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0192f5c2-4a10-7c3e-9b1d-3f2a6c000009")]
    pub(crate) request_id: Option<String>,
    /// The findings by member; pointers are relative to the request body.
    pub(crate) errors: Vec<Finding>,
    /// Always false (envelope of the hosted product).
    #[schema(example = false)]
    pub(crate) success: bool,
    /// Envelope of the hosted product.
    pub(crate) data: ProblemData,
    /// Value of `Retry-After` in seconds.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

/// The error in the format of the hosted product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemData {
    /// The same as `detail`.
    #[schema(example = "The slug `linear` is taken. Choose another one.")]
    pub(crate) message: String,
    /// `AB01` to `AB08`.
    #[serde(rename = "errorCode")]
    #[schema(example = "AB07")]
    pub(crate) error_code: &'static str,
}

impl Problem {
    /// A problem of a kind.
    pub(crate) fn new(kind: &Kind, detail: String, errors: Vec<Finding>) -> Self {
        Self::coded(kind, kind.code, detail, errors)
    }

    /// A problem of a kind, with its own code.
    fn coded(kind: &Kind, code: &str, detail: String, errors: Vec<Finding>) -> Self {
        Self {
            r#type: format!("/docs/problems#{}", kind.code),
            title: kind.title,
            status: kind.status,
            code: code.to_owned(),
            instance: None,
            request_id: None,
            errors,
            success: false,
            retry_after: None,
            data: ProblemData { message: detail.clone(), error_code: hosted_code(kind.status) },
            detail,
        }
    }
}

/// The hosted product's code for a status (INV-42); a status without a code is request validation.
fn hosted_code(status: u16) -> &'static str {
    match status {
        401 => "AB05",
        403 => "AB03",
        404 => "AB08",
        409 => "AB07",
        429 => "AB06",
        500.. => "AB04",
        _ => "AB01",
    }
}

/// The problem document for an application error.
pub(crate) fn from_error(error: &Error) -> Problem {
    match error {
        Error::Unauthenticated(_) => Problem::new(&UNAUTHENTICATED, error.to_string(), Vec::new()),
        Error::Forbidden { .. } => Problem::new(&FORBIDDEN, error.to_string(), Vec::new()),
        Error::NotFound { .. } => Problem::new(&NOT_FOUND, error.to_string(), Vec::new()),
        Error::Conflict { code, message, pointer } => {
            let errors = pointer.map(|pointer| Finding::error(pointer, *code, message.clone()));
            Problem::coded(
                conflict(code.as_str()),
                code.as_str(),
                message.clone(),
                errors.into_iter().collect(),
            )
        }
        Error::Stale { .. } => Problem::new(&STALE_VERSION, error.to_string(), Vec::new()),
        Error::Invalid(findings) => invalid(findings),
        Error::TooSoon { .. } => delayed(&TOO_SOON, error),
        Error::TooManyTries { .. } | Error::TooManyRequests { .. } => delayed(&TOO_MANY_REQUESTS, error),
        Error::Overloaded => delayed(&OVERLOADED, error),
        Error::TimedOut => Problem::new(&TIMED_OUT, error.to_string(), Vec::new()),
        Error::TooLarge { .. } => Problem::new(&TOO_LARGE, error.to_string(), Vec::new()),
        Error::NotImplemented(_) => Problem::new(&NOT_IMPLEMENTED, error.to_string(), Vec::new()),
        Error::KeyMissing(_) | Error::CannotSeal(_) => {
            Problem::new(&KEY_MISSING, error.to_string(), Vec::new())
        }
        Error::SettingsDiffer(_) => Problem::new(&SETTINGS_DIFFER, error.to_string(), Vec::new()),
        Error::Unavailable(_) => Problem::new(&UNAVAILABLE, error.to_string(), Vec::new()),
        Error::Internal(_) => Problem::new(&INTERNAL, INTERNAL_DETAIL.to_owned(), Vec::new()),
    }
}

fn delayed(kind: &Kind, error: &Error) -> Problem {
    let mut problem = Problem::new(kind, error.to_string(), Vec::new());
    problem.retry_after = error.retry_after();
    problem
}

fn conflict(code: &str) -> &'static Kind {
    KINDS
        .iter()
        .find(|kind| kind.status == CONFLICT.status && kind.code == code)
        .copied()
        .unwrap_or(&CONFLICT)
}

/// Findings as a problem: the first error is the detail, because some clients show only that.
fn invalid(findings: &Findings) -> Problem {
    let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let detail = match (errors.next(), errors.count()) {
        (None, _) => "This cannot be saved.".to_owned(),
        (Some(first), 0) => first.message.clone(),
        (Some(first), more) => format!("{} (And {more} more, see `errors`.)", first.message),
    };
    let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let kind =
        if errors.all(|finding| finding.code == INVALID_JSON.code) { &INVALID_JSON } else { &INVALID_INPUT };
    Problem::new(kind, detail, findings.clone().bounded().0)
}

/// The problem as a response.
pub(crate) fn respond(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    let pause = problem.retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(5));
    if let Some(seconds) = pause {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    // `json` keeps a content type that is already set.
    response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).json(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn broken_json_is_400_and_everything_else_found_is_422() {
        let json = Finding::error("", "invalid_json", "Broken.");
        let other = Finding::error("/name", "empty_value", "Empty.");
        let notice = Finding::notice("/x", "ignored_member", "Ignored.");
        let status = |findings: Vec<Finding>| from_error(&Error::Invalid(Findings(findings))).status;
        assert_eq!(status(vec![json.clone(), notice]), 400);
        assert_eq!(status(vec![json, other.clone()]), 422);
        assert_eq!(status(vec![other]), 422);
    }

    #[test]
    fn internal_error_hides_its_cause() {
        let problem = from_error(&Error::Internal("password=hunter2".into()));
        assert_eq!(problem.status, 500);
        assert!(!json!(problem).to_string().contains("hunter2"));
    }

    #[test]
    fn problem_contains_the_hosted_envelope() {
        let problem = json!(from_error(&Error::NotFound { what: "server", reference: "x".to_owned() }));
        assert_eq!(problem["success"], false);
        assert_eq!(problem["data"]["errorCode"], "AB08");
        assert_eq!(problem["data"]["message"], problem["detail"]);
    }

    #[test]
    fn unlisted_conflict_keeps_its_code() {
        let error = Error::Conflict {
            code: registry::ConflictCode::KeyEnded,
            message: "No.".to_owned(),
            pointer: None,
        };
        let problem = from_error(&error);
        assert_eq!(
            (problem.code.as_str(), problem.r#type.as_str()),
            ("key_ended", "/docs/problems#conflict")
        );
    }
}
