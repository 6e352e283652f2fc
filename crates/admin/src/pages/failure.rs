//! Renders the page for a failure: what happened, and a link back.

use crate::http::failure::Failure;
use crate::http::headers;
use crate::http::session::{SignedInUser, local, referer, request_id};
use crate::view::{Shell, html};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use askama::Template;

#[derive(Template)]
#[template(path = "pages/failure.html")]
struct Page {
    shell: Shell,
    status: u16,
    heading: &'static str,
    message: String,
    /// The usual remedy.
    advice: &'static str,
    /// The scope that the signed-in user lacks.
    needed: Option<&'static str>,
    request_id: Option<String>,
    /// The previous page.
    back: Option<String>,
    /// The URL of this request, where a retry may help.
    again: Option<String>,
}

/// Middleware: renders the page of every failure, and adds the headers to every response below `/ui`.
pub(crate) async fn render_failures(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let failure = response.response().error().and_then(|error| error.as_error::<Failure>());
    let page = failure.and_then(|failure| page(failure, response.request()));
    let mut response = match page {
        Some(page) => response.into_response(page),
        None => response,
    };
    let headers = response.headers_mut();
    headers::add(headers);
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// The page for a failure; `None` when the response is a redirect.
fn page(failure: &Failure, request: &HttpRequest) -> Option<HttpResponse> {
    match failure {
        Failure::SignIn { .. } => return None,
        Failure::Application(registry::Error::Internal(error)) => tracing::error!(%error, "a page failed"),
        Failure::Render(error) => tracing::error!(%error, "a template failed"),
        Failure::Application(_) | Failure::Request(..) | Failure::Input(..) | Failure::Choice(_) => {}
    }
    let status = failure.status_code();
    let (heading, mut advice) = words(status.as_u16());
    if let Failure::Application(registry::Error::CannotSeal(_) | registry::Error::SettingsDiffer(_)) = failure
    {
        advice = "Nothing was changed. The operator of this deployment must fix it.";
    }
    let here = request.uri().path_and_query().map(ToString::to_string);
    let page = Page {
        shell: Shell::around(request, heading),
        status: status.as_u16(),
        heading,
        message: failure.to_string(),
        advice,
        needed: match failure {
            Failure::Application(registry::Error::Forbidden { needed, .. }) => Some(needed.scope()),
            _ => None,
        },
        request_id: request_id(request),
        // Most forms are sent to the URL of their own page: then that page is the previous one.
        back: referer(request)
            .map(|back| local(Some(&back)))
            .filter(|back| !request.method().is_safe() || Some(back) != here.as_ref()),
        again: here
            .filter(|_| request.method().is_safe() && (status.is_server_error() || status.as_u16() == 429)),
    };
    let mut answer = html(status, &page).unwrap_or_else(|_| HttpResponse::build(status).body(heading));
    let pause = match failure {
        Failure::Application(error) => error.retry_after().or((status.as_u16() == 503).then_some(5)),
        _ => None,
    };
    if let Some(seconds) = pause {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(answer)
}

/// Title and usual remedy of a status.
fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("This address cannot be used", ""),
        401 => ("Sign in again", ""),
        403 => ("You may not do this", "An admin can change your role, under Settings, Users and roles."),
        404 | 405 => {
            ("There is nothing here", "It may have been deleted, or belong to a workspace you cannot see.")
        }
        409 | 412 => (
            "Conflict with the present state",
            "Nothing was changed. Go back, look at it as it is now, and repeat your change.",
        ),
        413 => ("This is too large", "Nothing was changed. Go back and send less."),
        422 => (
            "This cannot be saved",
            "Nothing was changed. Go back and correct it; what you typed is still there.",
        ),
        429 => ("Too many requests", "Nothing was changed."),
        501 => ("Not in this version", ""),
        503 => ("Not available just now", "This usually passes by itself within a minute."),
        _ => (
            "Unexpected server error",
            "Whether your change was saved is not certain: look at it again before you repeat it.",
        ),
    }
}

/// For paths without a page.
pub(crate) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Failure> {
    // An anonymous caller does not learn which pages exist.
    if request.extensions().get::<SignedInUser>().is_none() {
        SignedInUser::find(request.clone()).await?;
    }
    Err(Failure::Request(StatusCode::NOT_FOUND, "The address may be mistyped, or the page is gone."))
}
