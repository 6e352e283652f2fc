//! Everything that can go wrong in a handler: the application's error, or a request that never reached it.

use crate::http::problem::{self, Problem};
use crate::http::problem_kinds::{INVALID_PARAMETER, Kind};
use crate::http::security_headers;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use registry_core::finding::{Finding, Findings};
use std::fmt;

/// Why a request failed. Becomes a problem document in `error_handler`, which knows the request.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The application said no.
    Application(registry::Error),
    /// The request itself is not acceptable.
    Request {
        kind: &'static Kind,
        detail: String,
        findings: Findings,
        /// For 405.
        allow: Option<String>,
    },
}

impl Failure {
    /// A request that is not acceptable, in one sentence.
    pub(crate) fn request(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self::Request { kind, detail: detail.into(), findings: Findings::default(), allow: None }
    }

    /// A body that is not acceptable, with one finding.
    pub(crate) fn finding(finding: Finding) -> Self {
        Self::Application(registry::Error::Invalid(finding.into()))
    }

    /// The problem document for it, without what only the request knows.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Request { kind, detail, findings, .. } => {
                Problem::new(kind, detail.clone(), findings.0.clone())
            }
            Self::Application(error) => problem::from_error(error),
        }
    }

    /// A query parameter that is not acceptable.
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

    /// Without the request's particulars; `error_handler` replaces it.
    fn error_response(&self) -> HttpResponse {
        let mut response = problem::respond(&self.problem());
        security_headers::add(response.headers_mut());
        response
    }
}
