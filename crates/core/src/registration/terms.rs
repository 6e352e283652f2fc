//! On which terms a client that was entered by hand is taken over.

use crate::metadata::EffectiveMetadata;
use crate::oauth::{Discovery, Failure, negotiate_auth_method, unusable_setting, usable_auth_method};

/// How a client that was entered by hand authenticates: as the admin says; else without a secret not at all, and with
/// one in the first way that the authorization server lists.
pub fn adopted_auth_method(
    effective: &EffectiveMetadata,
    discovery: &Discovery,
    has_secret: bool,
) -> Result<String, Failure> {
    let configured = effective
        .client_metadata
        .get("token_endpoint_auth_method")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("none");
    if !usable_auth_method(configured) && effective.is_admins("token_endpoint_auth_method") {
        return Err(unusable_setting(configured));
    }
    if effective.is_admins("token_endpoint_auth_method") || !has_secret {
        return Ok(configured.to_owned());
    }
    let server = discovery.authorization_server();
    let supported = server.token_endpoint_auth_methods_supported();
    // RFC 8414 §2: a list that is absent means `client_secret_basic`.
    let listed = supported.as_deref();
    let post = "client_secret_post";
    if listed.is_some_and(|methods| methods.iter().any(|method| method == post)) {
        return Ok(post.to_owned());
    }
    negotiate_auth_method("client_secret_basic", false, listed).map(|negotiated| negotiated.method)
}
