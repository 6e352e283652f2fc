//! From an error of the application to a page that says what happened and leads back.

use crate::view::{Shell, html};
use actix_web::error::{InternalError, QueryPayloadError, UrlencodedError};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use std::fmt;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in; afterwards one wants to go there.
    SignIn(String),
    /// The application said no.
    Application(registry::Error),
    /// A template could not be rendered.
    Render(askama::Error),
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
            Self::SignIn(_) => formatter.write_str("not signed in"),
            Self::Application(error) => error.fmt(formatter),
            Self::Render(_) => formatter.write_str("An internal error occurred."),
        }
    }
}

#[derive(Template)]
#[template(path = "pages/failure.html")]
struct Page {
    shell: Shell,
    heading: &'static str,
    message: String,
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        use registry::Error as E;
        match self {
            Self::SignIn(_) => StatusCode::SEE_OTHER,
            Self::Render(_) | Self::Application(E::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Application(error) => match error {
                E::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
                E::Forbidden { .. } => StatusCode::FORBIDDEN,
                E::NotFound { .. } => StatusCode::NOT_FOUND,
                E::Conflict { .. } => StatusCode::CONFLICT,
                E::Stale { .. } => StatusCode::PRECONDITION_FAILED,
                E::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
                E::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                E::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::SignIn(next) = self {
            let query: String =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            return HttpResponse::SeeOther()
                .insert_header(("location", format!("/ui/sign-in?{query}")))
                .finish();
        }
        match self {
            Self::Application(registry::Error::Internal(error)) => tracing::error!(%error, "a page failed"),
            Self::Render(error) => tracing::error!(%error, "a template failed"),
            _ => {}
        }
        page(self.status_code(), self.to_string())
    }
}

fn page(status: StatusCode, message: String) -> HttpResponse {
    let heading = match status.as_u16() {
        401 => "Sign in again",
        403 => "You may not do this",
        404 => "There is nothing here",
        409 | 412 => "Something else stands in the way",
        413 => "This is too large",
        422 => "This cannot be saved",
        503 => "Not available just now",
        _ => "Something went wrong on our side",
    };
    let page = Page { shell: Shell::plain(heading), heading, message };
    html(status, &page).unwrap_or_else(|_| HttpResponse::build(status).body(heading))
}

/// For paths that are no page.
pub(crate) async fn nothing_here() -> HttpResponse {
    page(StatusCode::NOT_FOUND, "The address may be mistyped, or the page is gone.".to_owned())
}

/// For forms that another site sent.
pub(crate) fn foreign_form() -> HttpResponse {
    page(
        StatusCode::FORBIDDEN,
        "This form was not sent from a page of this registry, so nothing was changed.".to_owned(),
    )
}

/// For forms that cannot be read.
pub(crate) fn form(error: UrlencodedError, _: &HttpRequest) -> actix_web::Error {
    let status = match error {
        UrlencodedError::Overflow { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    InternalError::from_response(
        error,
        page(status, "The form could not be read; nothing was changed.".to_owned()),
    )
    .into()
}

/// For addresses whose query cannot be read.
pub(crate) fn query(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    let response =
        page(StatusCode::NOT_FOUND, "The part of the address after `?` cannot be read.".to_owned());
    InternalError::from_response(error, response).into()
}
