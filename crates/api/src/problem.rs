//! Problem documents (RFC 9457): the one table of what can be wrong, and the one mapping from the application's error.
//!
//! `type` is `/docs/problems#<code>`, a page this crate serves from the same table. Each document also carries the
//! members `success` and `data` of the hosted product's error envelope, so that its clients understand it.

use crate::failure::Failure;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use registry_core::finding::{Finding, Findings, Severity};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

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
    INVALID_PARAMETER = 400 "invalid_parameter", "Bad query parameter or header",
        "A query parameter or a header has a value that is not accepted. The detail names it and says what is.";
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
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type", "Not JSON by its label",
        "Bodies must be labelled `Content-Type: application/json`.";
    INVALID_INPUT = 422 "invalid_input", "Cannot be saved",
        "The body is JSON but says something that cannot be saved; nothing was changed. `errors` names each member by its JSON Pointer and says what to do.";
    INTERNAL = 500 "internal", "Internal error",
        "A fault of ours. The log has the reason under the request id.";
    NOT_IMPLEMENTED = 501 "not_implemented", "Not built yet",
        "The hosted product has this operation; this version does not.";
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
    fn new(kind: &Kind, detail: String, errors: Vec<Finding>) -> Self {
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
        Error::TooLarge { .. } => Problem::new(&TOO_LARGE, error.to_string(), Vec::new()),
        Error::NotImplemented(_) => Problem::new(&NOT_IMPLEMENTED, error.to_string(), Vec::new()),
        Error::Unavailable(_) => Problem::new(&UNAVAILABLE, error.to_string(), Vec::new()),
        Error::Internal(_) => Problem::new(&INTERNAL, INTERNAL_DETAIL.to_owned(), Vec::new()),
    }
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
    Problem::new(kind, detail, findings.0.clone())
}

/// The problem as an answer.
pub(crate) fn respond(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((header::RETRY_AFTER, "5"));
    }
    // `json` keeps a content type that is already there.
    response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).json(problem)
}

/// The problem documents an operation may answer with, documented with examples, by status.
fn documented(kinds: &[&'static Kind]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&'static Kind>> = BTreeMap::new();
    for kind in kinds {
        by_status.entry(kind.status).or_default().push(kind);
    }
    by_status
        .into_iter()
        .map(|(status, kinds)| {
            let meanings: Vec<_> =
                kinds.iter().map(|kind| format!("`{}`: {}", kind.code, kind.meaning)).collect();
            let mut content = Content::new(Some(Ref::from_schema_name("Problem")));
            for kind in &kinds {
                let example =
                    ExampleBuilder::new().summary(kind.title).value(Some(json!(sample(kind)))).build();
                content.examples.insert(kind.code.to_owned(), example.into());
            }
            let mut response =
                ResponseBuilder::new().description(meanings.join("\n\n")).content(MEDIA_TYPE, content);
            for (name, description) in headers_of(status) {
                response =
                    response.header(*name, HeaderBuilder::new().description(Some(*description)).build());
            }
            (status.to_string(), response.build().into())
        })
        .collect()
}

fn headers_of(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        401 => &[("WWW-Authenticate", "Always `Bearer` (RFC 6750 §3).")],
        503 => &[("Retry-After", "Seconds to wait.")],
        _ => &[],
    }
}

/// An example of a kind, made by the same code that answers.
fn sample(kind: &'static Kind) -> Problem {
    use registry::Error;
    let finding = |pointer: &'static str, code: &'static str, message: &str| {
        Error::Invalid(Finding::error(pointer, code, message).into())
    };
    let error = match kind.code {
        "unauthenticated" => {
            Error::Unauthenticated("This API key is not known, or was revoked. Create a new one.")
        }
        "forbidden" => Error::Forbidden {
            needed: registry_core::permission::Permission::WriteIntegrations,
            message: "The role `viewer` may not do this; it needs `manager` or `admin`.".to_owned(),
        },
        "not_found" => Error::NotFound { what: "integration", reference: "linaer".to_owned() },
        "slug_taken" => Error::Conflict {
            code: SLUG_TAKEN.code,
            message: "The slug `linear` is taken. Choose another one.".to_owned(),
            pointer: Some("/slug"),
        },
        "stale_version" => Error::Stale { current: 7 },
        "too_large" => Error::TooLarge { limit: crate::Limits::default().body },
        "not_implemented" => Error::NotImplemented("This version keeps no capabilities of servers."),
        "unavailable" => {
            Error::Unavailable("The database cannot be reached now. Try again shortly.".to_owned())
        }
        "internal" => Error::Internal("example".into()),
        "invalid_json" => {
            let mut found =
                Finding::error("", INVALID_JSON.code, "The body is not JSON: expected `,` or `}`.");
            (found.line, found.column) = (Some(3), Some(15));
            Error::Invalid(found.into())
        }
        "invalid_input" => finding(
            "/configurations/oauth_client_metadata/contacts",
            "wrong_type",
            "`contacts` must be a list of strings. Write [\"security@acme.com\"].",
        ),
        _ => {
            let mut problem = Problem::new(kind, kind.meaning.to_owned(), Vec::new());
            problem.request_id = Some(crate::example::id(9).to_string());
            return problem;
        }
    };
    let mut problem = describe(&Failure::Application(error));
    problem.request_id = Some(crate::example::id(9).to_string());
    problem
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($kind:ident)*;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                documented(&[&UNAUTHENTICATED, $(&$kind,)* &INTERNAL, &UNAVAILABLE])
            }
        }
    )*};
}

problems! {
    /// Of a list.
    ListProblems: INVALID_PARAMETER FORBIDDEN NOT_FOUND;
    /// Of reading one thing.
    ReadProblems: FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG;
    /// Of making something.
    CreateProblems: INVALID_JSON FORBIDDEN NOT_FOUND SLUG_TAKEN TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT;
    /// Of making a server, which may lack access to its integration.
    CreateServerProblems: INVALID_JSON FORBIDDEN NOT_FOUND SLUG_TAKEN INTEGRATION_OF_WORKSPACE TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT;
    /// Of changing something.
    ChangeProblems: INVALID_JSON INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG CONFLICT STALE_VERSION TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT;
    /// Of deleting something.
    DeleteProblems: INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG STALE_VERSION;
    /// Of making an earlier version the present one.
    RevertProblems: INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG STALE_VERSION INVALID_INPUT;
    /// Of judging something without saving it.
    CheckProblems: INVALID_JSON FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT;
    /// Of asking a registration for something.
    AskProblems: FORBIDDEN NOT_FOUND REGISTRATION_WITHDRAWN;
    /// Of what every identity may read.
    CallerProblems:;
    /// Of a gateway's fetch.
    GatewayProblems: FORBIDDEN NOT_FOUND;
    /// Of what is not built yet.
    NotBuiltProblems: NOT_IMPLEMENTED;
}

/// Of the readiness probe, which asks for no credential.
pub(crate) struct ProbeProblems;

impl IntoResponses for ProbeProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[&UNAVAILABLE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Error;

    #[test]
    fn kinds_are_distinct_and_explained() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.code != kind.code), "{}", kind.code);
            assert!(!kind.title.ends_with('.') && kind.meaning.ends_with('.'), "{}", kind.code);
            let sample = sample(kind);
            assert_eq!((sample.status, sample.code.as_str()), (kind.status, kind.code));
            assert!(!sample.detail.is_empty());
        }
    }

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
