//! Which credential a request to the API of the open gateway's control plane carries: the gateway's own.

use crate::http::failure::Failure;
use crate::http::problem_kinds;
use crate::http::scheme::bearer;
use crate::state::ApiState;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use registry::Error;

/// The header of the gateway's setting `CLIENT_ID`.
const CLIENT_ID: &str = "x-client-id-mcp-gateway";

/// Paths on which a request comes from the open gateway.
const PREFIXES: [&str; 3] = ["/v2/", "/v1/logs/enterprise/", "/v1/analytics/enterprise/"];

/// Whether a request to this path comes from the open gateway.
pub(crate) fn is_from_gateway(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

/// Refuses everything where this API is switched off.
pub(crate) fn require_enabled(state: &ApiState) -> Result<(), Failure> {
    if state.registry.settings().portkey.is_some() {
        return Ok(());
    }
    Err(Failure::request(
        &problem_kinds::UNKNOWN_PATH,
        "The API of the open gateway's control plane is switched off. Set `gateway.portkey.enabled` to true.",
    ))
}

/// The gateway's own credential, as `CLIENT_ID` or `PORTKEY_CLIENT_AUTH` holds it, with or without `Bearer`.
pub(crate) fn gateway(headers: &HeaderMap) -> Result<&str, Error> {
    let text =
        headers.get(CLIENT_ID).or_else(|| headers.get(AUTHORIZATION)).and_then(|value| value.to_str().ok());
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Ok(bearer(text).unwrap_or(text)),
        None => Err(Error::Unauthenticated(
            "The gateway's own credential is missing; a user's key alone is not enough. Set its CLIENT_ID or PORTKEY_CLIENT_AUTH to an API key of the role `gateway`.",
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn gateway_has_its_own_credential() {
        let of = |headers: &[(&str, &str)]| {
            let mut request = TestRequest::default();
            for (name, value) in headers {
                request = request.insert_header((*name, *value));
            }
            gateway(request.to_http_request().headers()).map(str::to_owned).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[(CLIENT_ID, "mcpr_a"), ("authorization", "mcpr_b")]).unwrap(), "mcpr_a");
        assert_eq!(of(&[("authorization", "mcpr_b")]).unwrap(), "mcpr_b");
        assert_eq!(of(&[("authorization", "Bearer mcpr_b")]).unwrap(), "mcpr_b");
        assert!(of(&[("x-portkey-api-key", "mcpr_user")]).unwrap_err().contains("CLIENT_ID"));
        assert!(of(&[(CLIENT_ID, " ")]).is_err());
    }

    #[test]
    fn only_paths_of_the_gateway_are_its() {
        for (path, its) in [
            ("/v2/mcp-servers/linear", true),
            ("/v1/logs/enterprise/logs", true),
            ("/v1/mcp-servers", false),
            ("/v22/x", false),
        ] {
            assert_eq!(is_from_gateway(path), its, "{path}");
        }
    }
}
