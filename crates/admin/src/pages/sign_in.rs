//! Signing in and out.

use crate::failure::Failure;
use crate::session::{closed, cookie, local, opened, origin, state};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use serde::Deserialize;

/// Its addresses.
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
}

#[derive(Template)]
#[template(path = "pages/sign_in_link.html")]
struct LinkPage {
    shell: Shell,
    token: String,
    next: String,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: Option<String>,
}

#[get("/sign-in")]
async fn show_form(request: HttpRequest, query: web::Query<Next>) -> Result<HttpResponse, Failure> {
    let shell = Shell::plain("Sign in").themed(&request);
    let next = local(query.next.as_deref());
    Ok(html(StatusCode::OK, &SignInPage { shell, next, email: String::new(), problem: None })?)
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: Option<String>,
}

#[post("/sign-in")]
async fn submit(request: HttpRequest, form: web::Form<Credentials>) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let form = form.into_inner();
    let next = local(form.next.as_deref());
    match state.registry.sign_in(&form.email, &form.password, origin(&request)).await {
        Ok(signed_in) => {
            let mut response = go(next);
            add(&mut response, &opened(&state, signed_in.session))?;
            Ok(response)
        }
        Err(registry::Error::Unauthenticated(problem)) => {
            let shell = Shell::plain("Problem: sign in").themed(&request);
            let page = SignInPage { shell, next, email: form.email, problem: Some(problem.to_owned()) };
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: Option<String>,
}

/// Opening the link does nothing yet: programs that look at links before people do must not use it up.
#[get("/sign-in/link")]
async fn link(request: HttpRequest, query: web::Query<Link>) -> Result<HttpResponse, Failure> {
    let shell = Shell::plain("Sign in").themed(&request);
    let Link { token, next } = query.into_inner();
    Ok(html(StatusCode::OK, &LinkPage { shell, token, next: local(next.as_deref()), problem: None })?)
}

#[post("/sign-in/link")]
async fn use_link(request: HttpRequest, form: web::Form<Link>) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let Link { token, next } = form.into_inner();
    let next = local(next.as_deref());
    match state.registry.sign_in_with_link(&token, origin(&request)).await {
        Ok(signed_in) => {
            let mut response = go(next);
            add(&mut response, &opened(&state, signed_in.session))?;
            Ok(response)
        }
        Err(registry::Error::Unauthenticated(problem)) => {
            let shell = Shell::plain("Problem: sign in").themed(&request);
            let page = LinkPage { shell, token: String::new(), next, problem: Some(problem.to_owned()) };
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/sign-out")]
async fn sign_out(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    if let Some(token) = cookie(&request) {
        match state.registry.sign_out(&token, origin(&request)).await {
            // Whoever has no session any more is signed out already.
            Ok(()) | Err(registry::Error::Unauthenticated(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut response = go("/ui/sign-in");
    add(&mut response, &closed(&state))?;
    Ok(response)
}

fn add(response: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) -> Result<(), Failure> {
    response.add_cookie(cookie).map_err(|_| {
        Failure::Application(registry::Error::Unavailable("The session cookie could not be made.".into()))
    })
}
