//! Sign-in by the identity provider of the organisation: the redirect to the provider and its callback.

use crate::http::failure::Failure;
use crate::http::session::{local, opened, origin, state};
use crate::pages::sign_in;
use crate::state::AdminState;
use crate::view::go;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use registry::AuthorizationCallback;
use serde::Deserialize;

/// How long a user may take to sign in at the provider.
const LOGIN_STATE_TTL: Duration = Duration::minutes(15);

/// Mounts the routes of these pages.
pub(in crate::pages) fn routes(config: &mut ServiceConfig) {
    config.service(begin_login).service(complete_login);
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: Option<String>,
}

#[get("/sign-in/provider")]
async fn begin_login(request: HttpRequest, query: web::Query<Next>) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let next = local(query.next.as_deref());
    match state.registry.login().begin_login().await {
        Ok(login) => {
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let mut response = go(login.url);
            sign_in::add(
                &mut response,
                &login_state_cookie(&state, format!("{}~{next}", login.login_state)),
            )?;
            Ok(response)
        }
        Err(error) => sign_in::problem(&request, next, &error).ok_or(error.into()),
    }
}

#[get("/sign-in/provider/callback")]
async fn complete_login(
    request: HttpRequest,
    query: web::Query<AuthorizationCallback>,
) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let cookie = request.cookie(cookie_name(&state));
    let (login_state, next) = match cookie.as_ref().and_then(|cookie| cookie.value().split_once('~')) {
        Some((login_state, next)) => (Some(login_state), url::form_urlencoded::parse(next.as_bytes()).next()),
        None => (None, None),
    };
    let next = local(next.as_ref().map(|(next, _)| &**next));
    let mut response =
        match state.registry.login().complete_login(login_state, &query, origin(&request)).await {
            Ok(signed_in) => {
                let mut response = go(next);
                sign_in::add(&mut response, &opened(&state, signed_in.session))?;
                response
            }
            Err(error) => match sign_in::problem(&request, next, &error) {
                Some(response) => response,
                None => return Err(error.into()),
            },
        };
    let mut used = login_state_cookie(&state, String::new());
    used.set_max_age(Duration::ZERO);
    sign_in::add(&mut response, &used)?;
    Ok(response)
}

fn cookie_name(state: &AdminState) -> &'static str {
    if state.secure_cookies { "__Host-mcp_registry_departure" } else { "mcp_registry_departure" }
}

/// The cookie that holds the login state until the callback. `SameSite=Lax`: the callback is a navigation from another site.
fn login_state_cookie(state: &AdminState, value: String) -> Cookie<'static> {
    Cookie::build(cookie_name(state), value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.secure_cookies)
        .max_age(LOGIN_STATE_TTL)
        .finish()
}
