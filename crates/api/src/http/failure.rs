//! Everything that can go wrong in a handler: an application error, or a request that never reached the application.

use crate::http::problem::{self, Problem};
use crate::http::problem_kinds::{INVALID_PARAMETER, Kind};
use crate::http::security_headers;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use registry_core::finding::{Finding, Findings};
use std::fmt;

/// Why a request failed. `error_handler` makes the complete problem document from it, because it knows the request.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The application refused the request or failed.
    Application(registry::Error),
    /// The request itself is invalid.
    Request {
        kind: &'static Kind,
        detail: String,
        findings: Findings,
        /// The `Allow` header, for 405.
        allow: Option<String>,
    },
}

impl Failure {
    /// An invalid request, in one sentence.
    pub(crate) fn request(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self::Request { kind, detail: detail.into(), findings: Findings::default(), allow: None }
    }

    /// An invalid body, with one finding. The response is the same as when the application refuses a body.
    pub(crate) fn finding(finding: Finding) -> Self {
        Self::Application(registry::Error::Invalid(finding.into()))
    }

    /// The problem document without what depends on the request: `instance`, `request_id` and the positions of findings in
    /// the body.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Request { kind, detail, findings, .. } => {
                Problem::new(kind, detail.clone(), findings.0.clone())
            }
            Self::Application(error) => problem::from_error(error),
        }
    }

    /// An invalid query parameter. `sentence` continues after the name of the parameter, such as ``takes `json` or `csv`.``
    pub(crate) fn parameter(name: &str, sentence: &str) -> Self {
        Self::request(&INVALID_PARAMETER, format!("The query parameter `{name}` {sentence}"))
    }
}

impl From<registry::Error> for Failure {
    fn from(error: registry::Error) -> Self {
        Self::Application(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(error) => error.fmt(formatter),
            Self::Request { detail, .. } => formatter.write_str(detail),
        }
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The response without the members that depend on the request. `error_handler` replaces it with the complete one.
    fn error_response(&self) -> HttpResponse {
        let mut response = problem::respond(&self.problem());
        security_headers::add(response.headers_mut());
        response
    }
}
