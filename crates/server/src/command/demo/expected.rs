//! The documented example, and what an authorization server must receive for it.

use crate::command::CommandError;
use crate::config::Config;
use serde_json::{Value, json};

/// The name shown on the consent page.
pub(super) const ACME_NAME: &str = "Acme Corp MCP Gateway";

/// The configuration that the demo saves.
pub(super) use registry_core::examples::ENTERPRISE_COMPLIANCE as ACME;

/// The example, plus the documented defaults for what it leaves open, plus the gateway's callback and the
/// `application_type` that goes with it.
pub(super) fn expected_request(config: &Config) -> Result<Value, CommandError> {
    let example: Value = serde_json::from_str(ACME)
        .map_err(|error| CommandError::new(format!("The documented example is not JSON: {error}.")))?;
    let mut request = example["oauth_client_metadata"].clone();
    let callbacks: Vec<String> =
        config.gateway.urls.iter().map(|url| format!("{url}/oauth/upstream-callback")).collect();
    request["grant_types"] = json!(["authorization_code", "refresh_token"]);
    request["response_types"] = json!(["code"]);
    request["token_endpoint_auth_method"] = json!("none");
    request["redirect_uris"] = json!(callbacks);
    // The demo's gateway is on this machine, so its client is a native one (OpenID Connect Registration §2).
    request["application_type"] = json!("native");
    Ok(request)
}
