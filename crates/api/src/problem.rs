//! Problem documents (RFC 9457): the one table of what can be wrong, and the one mapping from the application's error.
//!
//! `type` is `/docs/problems#<code>`, a page this crate serves from the same table. Each document also carries the
//! members `success` and `data` of the hosted product's error envelope, so that its clients understand it.

use crate::failure::Failure;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use registry_core::finding::{Finding, Findings, Severity};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of problem documents (RFC 9457 §4).
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Stable code.
    pub(crate) code: &'static str,
    /// HTTP status.
    pub(crate) status: u16,
    /// What it is, in a few words.
    pub(crate) title: &'static str,
    /// What it means and what to do.
    pub(crate) meaning: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:literal $code:literal, $title:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) static $name: Kind =
            Kind { code: $code, status: $status, title: $title, meaning: $meaning };)*
        /// All of them.
        pub(crate) static KINDS: &[&Kind] = &[$(&$name,)*];
    };
}

kinds! {
    INVALID_JSON = 400 "invalid_json", "Not JSON",
        "The body is not JSON (RFC 8259) in UTF-8. `line` and `column` say where it stops being so.";
    INVALID_PARAMETER = 400 "invalid_parameter", "Bad parameter or header",
        "A parameter of the path or the query, or a header, has a value that is not accepted. The detail names it and says what is.";
    UNAUTHENTICATED = 401 "unauthenticated", "Not signed in",
        "There is no credential, or it is not good. Send an API key in `x-portkey-api-key`, or a key or token in `Authorization: Bearer`.";
    FORBIDDEN = 403 "forbidden", "Not allowed",
        "The caller is known, but its role, scopes or workspace do not allow this. The detail says what would.";
    NOT_FOUND = 404 "not_found", "Not found",
        "There is no such thing, or the caller may not know of it. Ids and slugs are both accepted.";
    UNKNOWN_PATH = 404 "unknown_path", "No such path",
        "The API has no operation at this path. See `/openapi.json`.";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed", "Method not allowed",
        "The path exists, but not with this method. The header `Allow` lists those it has.";
    CONFLICT = 409 "conflict", "Conflict",
        "Something else stands in the way. The detail says what.";
    SLUG_TAKEN = 409 "slug_taken", "Slug taken",
        "Something of the same kind has this slug (upper and lower case count as equal). Choose another one.";
    EMAIL_TAKEN = 409 "email_taken", "E-mail address taken",
        "There is somebody with this e-mail address already.";
    LAST_ADMIN = 409 "last_admin", "Last admin",
        "Nobody else could administer the organisation. Make somebody else an admin and let them sign in first.";
    PERSON_DEACTIVATED = 409 "person_deactivated", "Person deactivated",
        "This person may not sign in. Reactivate them first.";
    AMBIGUOUS_SLUG = 409 "ambiguous_slug", "Slug fits several",
        "Several workspaces have a server with this slug. Add `workspace_id`, or use the id.";
    INTEGRATION_OF_WORKSPACE = 409 "integration_of_workspace", "Belongs to a workspace",
        "An integration that belongs to one workspace cannot be opened to others.";
    REGISTRATION_WITHDRAWN = 409 "registration_withdrawn", "Registration withdrawn",
        "The server of this registration was deleted, so there is nothing to register.";
    STALE_VERSION = 412 "stale_version", "Changed in the meantime",
        "The version in `If-Match` is not the present one. Read again and repeat the change on what is there now.";
    TOO_LARGE = 413 "too_large", "Too large",
        "The body is longer than allowed. The detail names the limit.";
    URI_TOO_LONG = 414 "uri_too_long", "Address too long",
        "Path and query together are longer than any operation takes. The detail names the limit.";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type", "Not JSON by its label",
        "Bodies must be labelled `Content-Type: application/json`.";
    INVALID_INPUT = 422 "invalid_input", "Cannot be saved",
        "The body is JSON but says something that cannot be saved; nothing was changed. `errors` names each member by its JSON Pointer and says what to do.";
    TOO_SOON = 429 "too_soon", "Asked too often",
        "An authorization server would be asked too often, by everybody who uses this deployment. Nothing was sent to it. The header `Retry-After` says when to try again.";
    TOO_MANY_REQUESTS = 429 "too_many_requests", "Too many requests",
        "This caller, or this address, asked too often; nothing was looked at. The header `Retry-After` says when to try again, `RateLimit` how much is left.";
    INTERNAL = 500 "internal", "Internal error",
        "A fault of ours. The log has the reason under the request id.";
    NOT_IMPLEMENTED = 501 "not_implemented", "Not built yet",
        "The hosted product has this operation; this version does not.";
    OVERLOADED = 503 "overloaded", "Overloaded",
        "Too much is being worked on at this moment; nothing was looked at. Try again shortly.";
    TIMED_OUT = 503 "timed_out", "Took too long",
        "The request took too long and was given up. It may have been done all the same: look before you repeat it.";
    KEY_MISSING = 503 "key_missing", "Sealing key missing",
        "This process does not have the sealing key that stored secrets need, so it saved or read nothing. The detail names the key and says what the operator does.";
    SETTINGS_DIFFER = 503 "settings_differ", "Configured otherwise",
        "This process is configured otherwise than the deployment, so it changed nothing. Another process can do it; the operator configures all of them alike.";
    UNAVAILABLE = 503 "unavailable", "Not available now",
        "The database, or something else this deployment needs, cannot be used now. Try again shortly.";
}

/// The detail of every internal error: nothing of the reason may reach the caller.
const INTERNAL_DETAIL: &str = "An internal error occurred. The log has the reason under this request id.";

/// What is wrong with a request, as a problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Where this kind of problem is explained, relative to this deployment.
    #[schema(example = "/docs/problems#slug_taken", format = "uri-reference")]
    pub(crate) r#type: String,
    /// The kind of problem in a few words.
    #[schema(example = "Slug taken")]
    pub(crate) title: &'static str,
    /// The HTTP status.
    #[schema(example = 409)]
    pub(crate) status: u16,
    /// What is wrong here, and what to do.
    #[schema(example = "The slug `linear` is taken. Choose another one.")]
    pub(crate) detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/mcp-integrations")]
    pub(crate) instance: Option<String>,
    /// Stable code of the kind.
    #[schema(example = "slug_taken")]
    pub(crate) code: String,
    /// The id of the request, as in the log and in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0192f5c2-4a10-7c3e-9b1d-3f2a6c000009")]
    pub(crate) request_id: Option<String>,
    /// What is wrong member by member; pointers are relative to the request body.
    pub(crate) errors: Vec<Finding>,
    /// Always false (the hosted product's envelope).
    #[schema(example = false)]
    pub(crate) success: bool,
    /// The hosted product's envelope.
    pub(crate) data: ProblemData,
    /// For `Retry-After`, in seconds.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

/// The error as the hosted product words it.
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
    /// Of a kind.
    pub(crate) fn new(kind: &Kind, detail: String, errors: Vec<Finding>) -> Self {
        Self::coded(kind, kind.code, detail, errors)
    }

    /// Of a kind, with a code of its own.
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

/// The hosted product's code for a status (`portkey.md` §2.3); those it has no code for are request validation.
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

/// The one mapping from what went wrong to what is said about it.
pub(crate) fn describe(failure: &Failure) -> Problem {
    use registry::Error;
    let error = match failure {
        Failure::Request { kind, detail, findings, .. } => {
            return Problem::new(kind, detail.clone(), findings.0.clone());
        }
        Failure::Application(error) => error,
    };
    match error {
        Error::Unauthenticated(_) => Problem::new(&UNAUTHENTICATED, error.to_string(), Vec::new()),
        Error::Forbidden { .. } => Problem::new(&FORBIDDEN, error.to_string(), Vec::new()),
        Error::NotFound { .. } => Problem::new(&NOT_FOUND, error.to_string(), Vec::new()),
        Error::Conflict { code, message, pointer } => {
            let errors = pointer.map(|pointer| Finding::error(pointer, *code, message.clone()));
            Problem::coded(conflict(code), code, message.clone(), errors.into_iter().collect())
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

fn delayed(kind: &Kind, error: &registry::Error) -> Problem {
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

/// Findings as a problem: the first error is the detail, since that is all some clients show.
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

/// The problem as an answer.
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
    // `json` keeps a content type that is already there.
    response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).json(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Error;
    use serde_json::json;

    #[test]
    fn broken_json_is_400_and_everything_else_found_is_422() {
        let json = Finding::error("", "invalid_json", "Broken.");
        let other = Finding::error("/name", "empty_value", "Empty.");
        let notice = Finding::notice("/x", "ignored_member", "Ignored.");
        let status = |findings: Vec<Finding>| describe(&Error::Invalid(Findings(findings)).into()).status;
        assert_eq!(status(vec![json.clone(), notice]), 400);
        assert_eq!(status(vec![json, other.clone()]), 422);
        assert_eq!(status(vec![other]), 422);
    }

    #[test]
    fn the_reason_of_an_internal_error_stays_inside() {
        let problem = describe(&Error::Internal("password=hunter2".into()).into());
        assert_eq!(problem.status, 500);
        assert!(!json!(problem).to_string().contains("hunter2"));
    }

    #[test]
    fn hosted_clients_find_their_envelope() {
        let problem = json!(describe(&Error::NotFound { what: "server", reference: "x".to_owned() }.into()));
        assert_eq!(problem["success"], false);
        assert_eq!(problem["data"]["errorCode"], "AB08");
        assert_eq!(problem["data"]["message"], problem["detail"]);
    }

    #[test]
    fn an_unlisted_conflict_keeps_its_code() {
        let error = Error::Conflict { code: "new_code", message: "No.".to_owned(), pointer: None };
        let problem = describe(&error.into());
        assert_eq!((problem.code.as_str(), problem.r#type.as_str()), ("new_code", "/docs/problems#conflict"));
    }
}
