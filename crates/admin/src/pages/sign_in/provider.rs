//! Signing in by the organisation's identity provider: there and back.

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

/// How long somebody may take at the provider.
const LOGIN_STATE_TTL: Duration = Duration::minutes(15);

/// Mounts the routes of these pages.
pub(in crate::pages) fn routes(config: &mut ServiceConfig) {
    config.service(depart).service(arrive);
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: Option<String>,
}

#[get("/sign-in/provider")]
async fn depart(request: HttpRequest, query: web::Query<Next>) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let next = local(query.next.as_deref());
    match state.registry.login().begin_login().await {
        Ok(redirect) => {
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let mut response = go(redirect.url);
            sign_in::add(&mut response, &login_cookie(&state, format!("{}~{next}", redirect.login_state)))?;
            Ok(response)
        }
        Err(error) => sign_in::problem(&request, next, &error).ok_or(error.into()),
    }
}

#[get("/sign-in/provider/callback")]
async fn arrive(
    request: HttpRequest,
    query: web::Query<AuthorizationCallback>,
) -> Result<HttpResponse, Failure> {
    let state = state(&request);
    let cookie = request.cookie(name(&state));
    let (kept, next) = match cookie.as_ref().and_then(|cookie| cookie.value().split_once('~')) {
        Some((kept, next)) => (Some(kept), url::form_urlencoded::parse(next.as_bytes()).next()),
        None => (None, None),
    };
    let next = local(next.as_ref().map(|(next, _)| &**next));
    let mut response = match state.registry.login().complete_login(kept, &query, origin(&request)).await {
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
    let mut used = login_cookie(&state, String::new());
    used.set_max_age(Duration::ZERO);
    sign_in::add(&mut response, &used)?;
    Ok(response)
}

fn name(state: &AdminState) -> &'static str {
    if state.secure_cookies { "__Host-mcp_registry_departure" } else { "mcp_registry_departure" }
}

/// What the browser keeps until it comes back. `Lax`, because it comes back from another site.
fn login_cookie(state: &AdminState, value: String) -> Cookie<'static> {
    Cookie::build(name(state), value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.secure_cookies)
        .max_age(LOGIN_STATE_TTL)
        .finish()
}
