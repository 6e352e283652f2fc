//! Sign-in and sign-out.

pub(super) mod provider;
pub(crate) mod session_gate;

use crate::http::failure::Failure;
use crate::http::session::{SignedInUser, closed, cookie, local, opened, origin, state};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Credential, SignedIn};
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show_form).service(submit).service(link).service(use_link).service(sign_out);
}

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct SignInPage {
    shell: Shell,
    next: String,
    email: String,
    problem: Option<String>,
    notice: Option<&'static str>,
    unsent: Option<Unsent>,
    /// Whether users may sign in with a password.
    passwords: bool,
    /// The display name of the identity provider, if there is one.
    provider: Option<String>,
}

impl SignInPage {
    fn new(request: &HttpRequest, title: &str, next: String) -> Self {
        let state = state(request);
        let settings = state.registry.settings();
        Self {
            shell: Shell::plain(title).themed(request),
            next,
            email: String::new(),
            problem: None,
            notice: None,
            unsent: None,
            passwords: settings.passwords,
            provider: settings.provider.as_ref().map(|provider| provider.label.clone()),
        }
    }

    /// The URL of the identity provider button.
    fn departure(&self) -> String {
        let next: String = url::form_urlencoded::byte_serialize(self.next.as_bytes()).collect();
        format!("/ui/sign-in/provider?next={next}")
    }
}

/// The page for an error that the user can act on; `None` for other errors.
pub(super) fn problem(request: &HttpRequest, next: String, error: &registry::Error) -> Option<HttpResponse> {
    use registry::Error;
    let status = match error {
        Error::Unauthenticated(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) | Error::SettingsDiffer(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => return None,
    };
    let page =
        SignInPage { problem: Some(words(error)), ..SignInPage::new(request, "Problem: sign in", next) };
    html(status, &page).ok().map(|response| refused(error, response))
}

/// A form that arrived after its session had ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsent {
    /// Its path and query.
    pub(crate) path: String,
    /// Its fields, as sent.
    pub(crate) body: String,
}

#[derive(Template)]
#[template(path = "pages/unsent.html")]
struct UnsentPage {
    shell: Shell,
    path: String,
    fields: Vec<(String, String)>,
    next: String,
}

#[derive(Template)]
#[template(path = "pages/sign_in_link.html")]
struct LinkPage {
    shell: Shell,
    /// The token of the link; empty: the link grants nothing.
    token: String,
    next: String,
    problem: Option<String>,
    /// Whether users may sign in with a password.
    passwords: bool,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    ended: Option<String>,
}

#[get("/sign-in")]
async fn show_form(request: HttpRequest, query: web::Query<Next>) -> Result<HttpResponse, Failure> {
    let notice = match query.ended.as_deref() {
        Some("unsaved") => Some("Your change was not saved. Sign in to come back to where you were."),
        Some(_) => Some("Sign in to come back to where you were."),
        None => None,
    };
    let next = local(query.next.as_deref());
    let page = SignInPage { notice, ..SignInPage::new(&request, "Sign in", next) };
    Ok(html(StatusCode::OK, &page)?)
}

/// The response to a form that arrived too late.
pub(crate) fn after_the_end(request: &HttpRequest, next: String, unsent: Option<Unsent>) -> HttpResponse {
    let mut page = SignInPage::new(request, "Sign in", next);
    // The form is kept during a password sign-in; a sign-in by the identity provider loses it.
    page.notice = Some(match (&unsent, &page.provider) {
        (Some(_), None) => {
            "Your change was not saved. Sign in, and you can send it again: what you typed is kept."
        }
        (Some(_), Some(_)) if page.passwords => {
            "Your change was not saved. Sign in with your password, and you can send it again: what you typed is kept."
        }
        _ => "Your change was not saved. Sign in to come back to where you were.",
    });
    page.unsent = unsent;
    html(StatusCode::UNAUTHORIZED, &page).unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    unsent_path: Option<String>,
    #[serde(default)]
    unsent_body: Option<String>,
}

#[post("/sign-in")]
async fn submit(request: HttpRequest, form: web::Form<Credentials>) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let form = form.into_inner();
    let next = local(form.next.as_deref());
    let unsent = form.unsent_path.zip(form.unsent_body).map(|(path, body)| Unsent { path, body });
    match state.registry.login().sign_in(&form.email, &form.password, origin(&request)).await {
        Ok(signed_in) => {
            let mut response = match unsent {
                Some(unsent) => offer(&request, &signed_in, unsent, next).await?,
                None => go(next),
            };
            add(&mut response, &opened(&state, signed_in.session))?;
            Ok(response)
        }
        Err(error @ (registry::Error::Unauthenticated(_) | registry::Error::TooManyTries { .. })) => {
            let page = SignInPage {
                email: form.email,
                problem: Some(words(&error)),
                unsent,
                ..SignInPage::new(&request, "Problem: sign in", next)
            };
            Ok(refused(&error, html(status(&error), &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// The form again after the user signed in. Nothing is sent automatically: this may be another user.
async fn offer(
    request: &HttpRequest,
    signed_in: &SignedIn,
    unsent: Unsent,
    next: String,
) -> Result<HttpResponse, Failure> {
    let state = state(request);
    let session = Credential::Session(&signed_in.session);
    let actor = state.registry.callers().authenticate(session, origin(request)).await?;
    let signed_in = SignedInUser::of(&state, actor).await?;
    let fields = url::form_urlencoded::parse(unsent.body.as_bytes()).into_owned().collect();
    let shell = Shell::of(request, &signed_in, "", "Your change is not saved yet");
    let page = UnsentPage { shell, path: local(Some(&unsent.path)), fields, next };
    Ok(html(StatusCode::OK, &page)?)
}

/// The message after a refused sign-in; a long wait is shown in minutes.
pub(super) fn words(error: &registry::Error) -> String {
    match error {
        registry::Error::TooManyTries { seconds } if *seconds > 90 => format!(
            "There were too many tries to sign in. Try again in {} minutes, or use a one-time link.",
            seconds.div_ceil(60)
        ),
        error => error.to_string(),
    }
}

fn status(error: &registry::Error) -> StatusCode {
    match error {
        registry::Error::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn refused(error: &registry::Error, mut response: HttpResponse) -> HttpResponse {
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: Option<String>,
}

/// Opening the link changes nothing: mail scanners that open links must not use it up.
#[get("/sign-in/link")]
async fn link(request: HttpRequest, query: web::Query<Link>) -> Result<HttpResponse, Failure> {
    let shell = Shell::plain("Sign in").themed(&request);
    let Link { token, next } = query.into_inner();
    let passwords = state(&request).registry.settings().passwords;
    let page = LinkPage { shell, token, next: local(next.as_deref()), problem: None, passwords };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/sign-in/link")]
async fn use_link(request: HttpRequest, form: web::Form<Link>) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let Link { token, next } = form.into_inner();
    let next = local(next.as_deref());
    match state.registry.login().sign_in_with_link(&token, origin(&request)).await {
        Ok(signed_in) => {
            // Without a password the user cannot sign in again after this session ends.
            let alone = state.registry.settings().passwords
                && !signed_in.user.has_password
                && !signed_in.user.from_provider;
            let mut response =
                if alone && next == local(None) { go(format!("{next}?done=link")) } else { go(next) };
            add(&mut response, &opened(&state, signed_in.session))?;
            Ok(response)
        }
        Err(error @ (registry::Error::Unauthenticated(_) | registry::Error::TooManyTries { .. })) => {
            let shell = Shell::plain("Problem: sign in").themed(&request);
            // The link may still be valid when the attempt was only rate limited.
            let token = if error.retry_after().is_some() { token } else { String::new() };
            let passwords = state.registry.settings().passwords;
            let page = LinkPage { shell, token, next, problem: Some(words(&error)), passwords };
            Ok(refused(&error, html(status(&error), &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/sign-out")]
async fn sign_out(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    if let Some(token) = cookie(&request) {
        match state.registry.login().sign_out(&token, origin(&request)).await {
            // A user without a session is signed out already.
            Ok(()) | Err(registry::Error::Unauthenticated(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut response = go("/ui/sign-in");
    add(&mut response, &closed(&state))?;
    Ok(response)
}

pub(super) fn add(
    response: &mut HttpResponse,
    cookie: &actix_web::cookie::Cookie<'_>,
) -> Result<(), Failure> {
    response.add_cookie(cookie).map_err(|_| {
        Failure::Application(registry::Error::Unavailable("The session cookie could not be made.".into()))
    })
}
