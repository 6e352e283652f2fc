//! Why a request gets no page: an error of the application, or of the request itself. `pages::failure` renders the page.

use crate::http::headers;
use actix_web::error::{PathError, QueryPayloadError, UrlencodedError};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use std::fmt;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No user is signed in.
    SignIn {
        /// The path to return to after sign-in.
        next: String,
        /// Whether the request carried a session that has ended.
        ended: bool,
    },
    /// The application refused the request or failed.
    Application(registry::Error),
    /// A template could not be rendered.
    Render(askama::Error),
    /// The request itself is invalid.
    Request(StatusCode, &'static str),
    /// A value in the request is invalid; the message names it.
    Input(StatusCode, String),
    /// The form field of this name holds a word that is none of its choices.
    Choice(&'static str),
}

impl From<registry::Error> for Failure {
    fn from(error: registry::Error) -> Self {
        Self::Application(error)
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Render(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn { .. } => formatter.write_str("not signed in"),
            Self::Application(error) => error.fmt(formatter),
            Self::Render(_) => formatter.write_str("An internal error occurred."),
            Self::Request(_, message) => formatter.write_str(message),
            Self::Input(_, message) => formatter.write_str(message),
            Self::Choice(field) => write!(
                formatter,
                "The field `{field}` of the form holds a word that is not one of its choices; nothing was changed. Load the page again and choose there."
            ),
        }
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        use registry::Error as E;
        match self {
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::Request(status, _) | Self::Input(status, _) => *status,
            Self::Choice(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Render(_) | Self::Application(E::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Application(error) => match error {
                E::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
                E::Forbidden { .. } => StatusCode::FORBIDDEN,
                E::NotFound { .. } => StatusCode::NOT_FOUND,
                E::Conflict { .. } => StatusCode::CONFLICT,
                E::Stale { .. } => StatusCode::PRECONDITION_FAILED,
                E::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
                E::TooSoon { .. } | E::TooManyTries { .. } | E::TooManyRequests { .. } => {
                    StatusCode::TOO_MANY_REQUESTS
                }
                E::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                E::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    /// Only the redirect to the sign-in page: `pages::failure` renders the page, because it knows the request.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Self::SignIn { next, ended } = self {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("next", next);
            if *ended {
                query.append_pair("ended", "yes");
            }
            response.insert_header(("location", format!("/ui/sign-in?{}", query.finish())));
        }
        if let Self::Application(error @ registry::Error::TimedOut) = self {
            let mut response = response.content_type("text/plain; charset=utf-8").body(format!("{error}\n"));
            headers::add(response.headers_mut());
            return response;
        }
        response.finish()
    }
}

/// The refusal of a form that another site sent.
pub(crate) fn foreign_form() -> Failure {
    Failure::Request(
        StatusCode::FORBIDDEN,
        "This form was not sent from a page of this registry, so nothing was changed.",
    )
}

/// The refusal of a form that cannot be parsed.
#[expect(clippy::needless_pass_by_value, reason = "actix hands it over")]
pub(crate) fn form(error: UrlencodedError, _: &HttpRequest) -> actix_web::Error {
    match error {
        UrlencodedError::Overflow { .. } => Failure::Request(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form is larger than 1 MiB; nothing was changed.",
        ),
        _ => Failure::Request(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The form could not be read: a field is missing, or holds a word that is not one of its choices. Nothing was changed.",
        ),
    }
    .into()
}

/// The refusal of a URL whose query cannot be parsed.
pub(crate) fn query(_: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    Failure::Request(StatusCode::NOT_FOUND, "The part of the address after `?` cannot be read.").into()
}

/// The refusal of a URL that has something else in place of an id.
pub(crate) fn path(_: PathError, _: &HttpRequest) -> actix_web::Error {
    Failure::Request(StatusCode::NOT_FOUND, "The address may be mistyped, or the page is gone.").into()
}
