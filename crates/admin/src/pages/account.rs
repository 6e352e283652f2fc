//! One's own account: password, theme.

use crate::failure::Failure;
use crate::session::{Visitor, local};
use crate::view::{Shell, THEME_COOKIE, go, html};
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::User;
use registry_core::finding::Finding;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(set_password).service(theme);
}

#[derive(Template)]
#[template(path = "pages/account.html")]
struct Page {
    shell: Shell,
    user: User,
    problems: Vec<Finding>,
}

#[get("/account")]
async fn show(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let user = visitor.registry.current_user(&visitor.actor).await?;
    let shell = Shell::of(&request, &visitor, "account", "Your account");
    Ok(html(StatusCode::OK, &Page { shell, user, problems: Vec::new() })?)
}

#[derive(Deserialize)]
struct Passwords {
    #[serde(default)]
    current: String,
    password: String,
}

#[post("/account/password")]
async fn set_password(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Passwords>,
) -> Result<HttpResponse, Failure> {
    match visitor.registry.set_password(&visitor.actor, Some(&form.current), &form.password).await {
        Ok(()) => Ok(go("/ui/account?done=password")),
        Err(registry::Error::Invalid(findings)) => {
            let user = visitor.registry.current_user(&visitor.actor).await?;
            let shell = Shell::of(&request, &visitor, "account", "Problem: your account");
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &Page { shell, user, problems: findings.0 })?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Theme {
    theme: String,
    #[serde(default)]
    next: Option<String>,
}

#[post("/theme")]
async fn theme(form: web::Form<Theme>) -> HttpResponse {
    let chosen = match form.theme.as_str() {
        "light" => "light",
        "dark" => "dark",
        _ => "system",
    };
    let cookie = Cookie::build(THEME_COOKIE, chosen)
        .path("/ui")
        .same_site(SameSite::Lax)
        .http_only(true)
        .max_age(Duration::days(365))
        .finish();
    let mut response = go(local(form.next.as_deref()));
    drop(response.add_cookie(&cookie));
    response
}
