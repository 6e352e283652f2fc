//! From the session cookie to the signed-in user.

use crate::http::failure::Failure;
use crate::state::AdminState;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::Payload;
use actix_web::http::header::{REFERER, USER_AGENT};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use registry::{Actor, Channel, Credential, Overview, RateLimitStatus, Registry, RequestContext};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

/// The user of the session that sent a request.
#[derive(Clone, Debug)]
pub(crate) struct SignedInUser {
    /// The user with role and workspace.
    pub(crate) actor: Actor,
    /// The application.
    pub(crate) registry: Registry,
    /// The counts in the side bar of every page.
    pub(crate) overview: Overview,
}

impl FromRequest for SignedInUser {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // `session_gate` authenticated before the page was called.
        let known = request.extensions().get::<Self>().cloned();
        match known {
            Some(signed_in) => Box::pin(std::future::ready(Ok(signed_in))),
            None => Box::pin(Self::find(request.clone())),
        }
    }
}

impl SignedInUser {
    /// The user who sent `request`.
    pub(crate) async fn find(request: HttpRequest) -> Result<Self, Failure> {
        let state = state(&request);
        let to_sign_in = |ended| {
            // A form cannot be repeated from a URL: return to the page of the form instead.
            let here = request.uri().path_and_query().map(ToString::to_string);
            let next = if request.method().is_safe() { here } else { referer(&request) }.unwrap_or_default();
            Failure::SignIn { next, ended }
        };
        let token = cookie(&request).ok_or_else(|| to_sign_in(false))?;
        match state.registry.callers().authenticate(Credential::Session(&token), origin(&request)).await {
            Ok(actor) => {
                tracing::Span::current().record(
                    "caller",
                    tracing::field::display(format_args!("{} {}", actor.kind(), actor.id().unwrap_or("-"))),
                );
                state.registry.limits().count_request(&actor).map_or(Ok(()), RateLimitStatus::admit)?;
                Self::of(&state, actor).await
            }
            Err(registry::Error::Unauthenticated(_)) => {
                state.registry.limits().count_anonymous(sender(&request))?;
                Err(to_sign_in(true))
            }
            Err(error) => Err(Failure::from(error)),
        }
    }

    /// The user `actor`, with the counts that every page shows.
    pub(crate) async fn of(state: &AdminState, actor: Actor) -> Result<Self, Failure> {
        let registry = state.registry.clone();
        let overview = registry.dashboard().overview(&actor).await?;
        Ok(Self { actor, registry, overview })
    }
}

/// Path and query of the page that contained the form.
pub(crate) fn referer(request: &HttpRequest) -> Option<String> {
    let header = request.headers().get(REFERER)?.to_str().ok()?;
    let url = url::Url::parse(header).ok()?;
    Some(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

/// The id of this request, as logged.
pub(crate) fn request_id(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<tracing_actix_web::RequestId>().map(ToString::to_string)
}

/// The state of the pages; `configure` puts it there.
pub(crate) fn state(request: &HttpRequest) -> web::Data<AdminState> {
    request
        .app_data::<web::Data<AdminState>>()
        .cloned()
        .unwrap_or_else(|| unreachable!("configure() adds it"))
}

/// The context of a request for the audit log.
pub(crate) fn origin(request: &HttpRequest) -> RequestContext {
    RequestContext {
        door: Channel::Web,
        request_id: request_id(request),
        address: sender(request).map(|address| address.to_string()),
        user_agent: request
            .headers()
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
    }
}

/// The address of the client, behind trusted proxies.
pub(crate) fn sender(request: &HttpRequest) -> Option<IpAddr> {
    let noted: Vec<&str> =
        request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect();
    let state = state(request);
    let proxies = &state.registry.settings().trusted_proxies;
    request.peer_addr().map(|peer| proxies.sender(peer.ip(), noted.into_iter()))
}

fn name(secure: bool) -> &'static str {
    // The `__Host-` prefix makes browsers accept the cookie only from this host over https.
    if secure { "__Host-mcp_registry_session" } else { "mcp_registry_session" }
}

/// The session's token, if the browser sent one.
pub(crate) fn cookie(request: &HttpRequest) -> Option<String> {
    request.cookie(name(state(request).secure_cookies)).map(|cookie| cookie.value().to_owned())
}

/// A cookie that holds a session.
pub(crate) fn opened(state: &AdminState, token: String) -> Cookie<'static> {
    Cookie::build(name(state.secure_cookies), token)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.secure_cookies)
        .finish()
}

/// A cookie that deletes the session cookie.
pub(crate) fn closed(state: &AdminState) -> Cookie<'static> {
    let mut cookie = opened(state, String::new());
    cookie.set_max_age(Duration::ZERO);
    cookie
}

/// Where to go after sign-in: a path of these pages, else the first page; never another site.
pub(crate) fn local(next: Option<&str>) -> String {
    let fine = |path: &&str| {
        path.starts_with("/ui")
            && !path.contains("//")
            && !path.contains('\\')
            && !path.chars().any(char::is_control)
    };
    next.filter(fine).unwrap_or("/ui/integrations").to_owned()
}

/// A cookie for a choice of this browser, valid for a year. Scripts cannot read it.
pub(crate) fn kept(name: &'static str, value: &'static str) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/ui")
        .same_site(SameSite::Lax)
        .http_only(true)
        .max_age(Duration::days(365))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn sign_in_redirects_only_to_own_pages() {
        assert_eq!(local(Some("/ui/registrations?state=failed")), "/ui/registrations?state=failed");
        for foreign in ["https://evil", "//evil", "/ui//evil", "/\\evil", "/v1/x", "", "/ui\r\nx"] {
            assert_eq!(local(Some(foreign)), "/ui/integrations", "{foreign}");
        }
    }
}
