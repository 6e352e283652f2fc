//! Where a client is managed (RFC 7592 §3): at the origin of the endpoint that answered, and nowhere else.

use super::clean::clean;
use super::discovery::endpoint_is_sane;
use super::sanitize::is_plain;
use crate::origin::is_same_origin;
use crate::secret::Secret;
use url::Url;

/// Where and with what the client is managed that `endpoint` answered with: both or neither, for one alone manages nothing,
/// and a relative URI may not be completed. The token is sent to this address with requests that change things, so the
/// address must have the origin of the endpoint.
pub(super) fn management(
    uri: Option<String>,
    token: Option<Secret>,
    endpoint: &str,
    warnings: &mut Vec<String>,
) -> (Option<String>, Option<Secret>) {
    let (Some(uri), Some(token)) = (uri.filter(|uri| endpoint_is_sane(uri)), token) else {
        return (None, None);
    };
    if !is_same_origin(endpoint, &uri) {
        warnings.push(foreign_management(endpoint, &uri));
        return (None, None);
    }
    if !is_plain(token.expose()) {
        warnings.push("The registration access token contains control or invisible characters, so it cannot be sent: the client is used, but cannot be updated or deleted there.".to_owned());
        return (None, None);
    }
    (Some(uri), Some(token))
}

/// The warning about a management address on another origin than the endpoint that answered.
pub(super) fn foreign_management(endpoint: &str, uri: &str) -> String {
    let origin = |url: &str| match Url::parse(url) {
        Ok(url) if url.origin().is_tuple() => clean(&url.origin().ascii_serialization(), 300),
        _ => "no web address".to_owned(),
    };
    format!(
        "The management address that was answered is at {}, but {} answered. It is not used, and no token is sent there.",
        origin(uri),
        origin(endpoint)
    )
}
