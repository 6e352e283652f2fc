//! From an error of the application to a page that says what happened and leads back.

use crate::headers;
use crate::session::{Visitor, local, referer, request_id};
use crate::view::{Shell, html};
use actix_web::error::{PathError, QueryPayloadError, UrlencodedError};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use std::fmt;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in.
    SignIn {
        /// Where one wants to go afterwards.
        next: String,
        /// Whether there was a session before.
        ended: bool,
    },
    /// The application said no.
    Application(registry::Error),
    /// A template could not be rendered.
    Render(askama::Error),
    /// The request itself is at fault.
    Request(StatusCode, &'static str),
    /// Something that was typed or asked for is at fault, and is named.
    Input(StatusCode, String),
    /// The form's field of this name holds a word that is none of its choices.
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

#[derive(Template)]
#[template(path = "pages/failure.html")]
struct Page {
    shell: Shell,
    status: u16,
    heading: &'static str,
    message: String,
    /// What is usually done about it.
    advice: &'static str,
    /// The scope that whoever is here lacks.
    needed: Option<&'static str>,
    request_id: Option<String>,
    /// The page before this one.
    back: Option<String>,
    /// This address, where asking again may help.
    again: Option<String>,
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

    /// Only where to sign in: the page itself is made by [`Failure::page`], which knows the request.
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

impl Failure {
    /// The page that says so; `None` where there is somewhere to go instead.
    pub(crate) fn page(&self, request: &HttpRequest) -> Option<HttpResponse> {
        match self {
            Self::SignIn { .. } => return None,
            Self::Application(registry::Error::Internal(error)) => tracing::error!(%error, "a page failed"),
            Self::Render(error) => tracing::error!(%error, "a template failed"),
            Self::Application(_) | Self::Request(..) | Self::Input(..) | Self::Choice(_) => {}
        }
        let status = self.status_code();
        let (heading, mut advice) = words(status.as_u16());
        if let Self::Application(registry::Error::CannotSeal(_) | registry::Error::SettingsDiffer(_)) = self {
            advice = "Nothing was changed. Whoever runs this deployment has to mend it.";
        }
        let here = request.uri().path_and_query().map(ToString::to_string);
        let page = Page {
            shell: Shell::around(request, heading),
            status: status.as_u16(),
            heading,
            message: self.to_string(),
            advice,
            needed: match self {
                Self::Application(registry::Error::Forbidden { needed, .. }) => Some(needed.scope()),
                _ => None,
            },
            request_id: request_id(request),
            // Most forms are sent to the address of their own page: then that page is before this one.
            back: referer(request)
                .map(|back| local(Some(&back)))
                .filter(|back| !request.method().is_safe() || Some(back) != here.as_ref()),
            again: here.filter(|_| {
                request.method().is_safe() && (status.is_server_error() || status.as_u16() == 429)
            }),
        };
        let mut answer = html(status, &page).unwrap_or_else(|_| HttpResponse::build(status).body(heading));
        let pause = match self {
            Self::Application(error) => error.retry_after().or((status.as_u16() == 503).then_some(5)),
            _ => None,
        };
        if let Some(seconds) = pause {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        Some(answer)
    }
}

/// What a status is called on a page, and what is usually done about it.
fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("This address cannot be used", ""),
        401 => ("Sign in again", ""),
        403 => ("You may not do this", "An admin can change what you may do, under Settings, People."),
        404 | 405 => {
            ("There is nothing here", "It may have been deleted, or belong to a workspace you cannot see.")
        }
        409 | 412 => (
            "Something else stands in the way",
            "Nothing was changed. Go back, look at it as it is now, and repeat your change.",
        ),
        413 => ("This is too large", "Nothing was changed. Go back and send less."),
        422 => (
            "This cannot be saved",
            "Nothing was changed. Go back and correct it; what you typed is still there.",
        ),
        429 => ("Not just now", "Nothing was changed."),
        501 => ("Not in this version", ""),
        503 => ("Not available just now", "This usually passes by itself within a minute."),
        _ => (
            "Something went wrong on our side",
            "Whether your change was saved is not certain: look at it again before you repeat it.",
        ),
    }
}

/// For paths that are no page.
pub(crate) async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, Failure> {
    // Strangers need not know which pages there are.
    if request.extensions().get::<Visitor>().is_none() {
        Visitor::find(request.clone()).await?;
    }
    Err(Failure::Request(StatusCode::NOT_FOUND, "The address may be mistyped, or the page is gone."))
}

/// For forms that another site sent.
pub(crate) fn foreign_form() -> Failure {
    Failure::Request(
        StatusCode::FORBIDDEN,
        "This form was not sent from a page of this registry, so nothing was changed.",
    )
}

/// For forms that cannot be read.
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

/// For addresses whose query cannot be read.
pub(crate) fn query(_: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    Failure::Request(StatusCode::NOT_FOUND, "The part of the address after `?` cannot be read.").into()
}

/// For addresses with something else where an id should be.
pub(crate) fn path(_: PathError, _: &HttpRequest) -> actix_web::Error {
    Failure::Request(StatusCode::NOT_FOUND, "The address may be mistyped, or the page is gone.").into()
}
