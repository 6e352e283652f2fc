//! Authentication: the credential of a request becomes an actor.

use crate::http::failure::Failure;
use crate::http::open_gateway;
use crate::http::problem_kinds;
use crate::http::query;
use crate::http::scheme::bearer;
use crate::http::security_headers::request_id;
use crate::state::ApiState;
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use registry::{Actor, Channel, Credential, Error, RequestContext};
use registry_core::permission::Permission;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use utoipa::IntoParams;

/// The API key header of the hosted product.
const API_KEY: &str = "x-portkey-api-key";
/// A version that no row has, so that it never matches.
const NO_VERSION: i64 = -1;

/// An authenticated caller, with query and headers of its request.
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    request: HttpRequest,
}

impl FromRequest for Caller {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(Self::authenticate(request))
    }
}

impl Caller {
    /// Authenticates `request`.
    pub(crate) async fn authenticate(request: HttpRequest) -> Result<Self, Failure> {
        let state = state(&request)?;
        let address = sender(&state, &request);
        let origin = RequestContext {
            door: Channel::Api,
            request_id: request_id(&request),
            address: address.map(|address| address.to_string()),
            user_agent: None,
        };
        let found = if open_gateway::is_from_gateway(request.path()) {
            open_gateway::require_enabled(&state)?;
            open_gateway::gateway(request.headers())
        } else {
            credential(request.headers())
        };
        let token = match found {
            Ok(token) => token,
            Err(error) => {
                state.registry.limits().count_anonymous(address)?;
                return Err(error.into());
            }
        };
        let actor = state.registry.callers().authenticate(Credential::Token(token), origin).await?;
        tracing::Span::current().record(
            "caller",
            tracing::field::display(format_args!("{} {}", actor.kind(), actor.id().unwrap_or("-"))),
        );
        if let Some(allowance) = state.registry.limits().count_request(&actor) {
            request.extensions_mut().insert(allowance);
            allowance.admit()?;
        }
        Ok(Self { actor, request })
    }

    /// Refuses a caller without the permission before the body is read; the use case checks it again.
    pub(crate) fn require(&self, needed: Permission) -> Result<(), Failure> {
        if self.actor.can(needed) {
            return Ok(());
        }
        let message =
            format!("This needs the permission `{}`, which your role or key does not have.", needed.scope());
        Err(Error::Forbidden { needed, message }.into())
    }

    /// Parses the query parameters.
    pub(crate) fn query<T: DeserializeOwned + IntoParams + 'static>(&self) -> Result<T, Failure> {
        query::parse(self.request.query_string())
    }

    /// The version in `If-Match` (RFC 9110 §13.1.1); `None` when any version is accepted.
    pub(crate) fn expected_version(&self) -> Result<Option<i64>, Failure> {
        expected_version(self.request.headers())
    }
}

/// The IP address of the client, behind trusted proxies.
pub(crate) fn sender(state: &ApiState, request: &HttpRequest) -> Option<IpAddr> {
    let noted = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let noted: Vec<&str> = noted.collect();
    let proxies = &state.registry.settings().trusted_proxies;
    request.peer_addr().map(|peer| proxies.sender(peer.ip(), noted.into_iter()))
}

/// The state that `configure` put on the app.
pub(crate) fn state(request: &HttpRequest) -> Result<web::Data<ApiState>, Failure> {
    request
        .app_data::<web::Data<ApiState>>()
        .cloned()
        .ok_or_else(|| Error::Internal("the API was mounted without its state".into()).into())
}

/// The key or token. The hosted product's header wins: its SDK also sends an `Authorization` header for another server.
pub(crate) fn credential(headers: &HeaderMap) -> Result<&str, Error> {
    const UNREADABLE: &str = "The credential has characters that API keys and tokens cannot have. Send it exactly as it was shown.";
    if let Some(value) = headers.get(API_KEY) {
        let text = value.to_str().map_err(|_| Error::Unauthenticated(UNREADABLE))?.trim();
        return Ok(bearer(text).unwrap_or(text));
    }
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(Error::Unauthenticated(
            "Send an API key in `x-portkey-api-key`, or a key or token in `Authorization: Bearer`.",
        ));
    };
    let text = value.to_str().map_err(|_| Error::Unauthenticated(UNREADABLE))?;
    bearer(text.trim()).ok_or(Error::Unauthenticated("`Authorization` must use the scheme `Bearer`."))
}

fn expected_version(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    // A proxy that compresses makes the `ETag` weak; the version in it is still valid.
    let tag = text.strip_prefix("W/").unwrap_or(text);
    match tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
        // An `ETag` of another origin matches no version.
        Some(inner) if !inner.contains('"') => Ok(Some(inner.parse().unwrap_or(NO_VERSION))),
        _ => Err(Failure::request(
            &problem_kinds::INVALID_PARAMETER,
            "`If-Match` takes one entity tag as it came in `ETag`, quotes included, e.g. \"7\"; or *.",
        )),
    }
}

/// Whether `If-None-Match` names `etag` (RFC 9110 §13.1.2: compared weakly).
pub(crate) fn if_none_match(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn credentials_have_three_forms() {
        let of = |headers: &[(&str, &str)]| {
            let mut request = TestRequest::default();
            for (name, value) in headers {
                request = request.insert_header((*name, *value));
            }
            credential(request.to_http_request().headers())
                .map(str::to_owned)
                .map_err(|error| error.to_string())
        };
        assert_eq!(of(&[(API_KEY, "mcpr_x")]).unwrap(), "mcpr_x");
        assert_eq!(of(&[(API_KEY, "Bearer ey.J.x")]).unwrap(), "ey.J.x");
        assert_eq!(of(&[("authorization", "bearer  ey.J.x")]).unwrap(), "ey.J.x");
        assert_eq!(of(&[("authorization", "Bearer other"), (API_KEY, "mcpr_x")]).unwrap(), "mcpr_x");
        assert!(of(&[("authorization", "Basic eDp5")]).unwrap_err().contains("Bearer"));
        assert!(of(&[]).unwrap_err().contains("x-portkey-api-key"));
    }

    #[test]
    fn if_match_is_one_tag_or_a_star() {
        let of = |value: &str| {
            expected_version(
                TestRequest::default().insert_header((IF_MATCH, value)).to_http_request().headers(),
            )
            .map_err(|failure| failure.to_string())
        };
        assert_eq!(of("\"7\""), Ok(Some(7)));
        assert_eq!(of("W/\"7\""), Ok(Some(7)));
        assert_eq!(of("*"), Ok(None));
        assert_eq!(of("\"abc\""), Ok(Some(NO_VERSION)));
        for bad in ["7", "\"7\", \"8\"", "\"7"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn known_tags_are_recognised() {
        let knows = |value: &str| {
            let request = TestRequest::default().insert_header((IF_NONE_MATCH, value)).to_http_request();
            if_none_match(request.headers(), "\"abc\"")
        };
        for yes in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(knows(yes), "{yes}");
        }
        assert!(!knows("\"abcd\""));
    }
}
