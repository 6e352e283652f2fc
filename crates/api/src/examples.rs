//! Values that the examples of the OpenAPI document share; the configurations are the documented examples.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// An example id.
pub(crate) fn id(last: u8) -> Uuid {
    Uuid::from_u128(0x0192_f5c2_4a10_7c3e_9b1d_3f2a_6c00_0000 + u128::from(last))
}

/// An example timestamp.
pub(crate) fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_400_000_123).unwrap_or_default()
}

/// The documented example "Enterprise compliance".
pub(crate) fn configuration() -> Value {
    serde_json::from_str(registry_core::examples::ENTERPRISE_COMPLIANCE).unwrap_or_default()
}

/// The same as stored text.
pub(crate) fn stored_configuration() -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(&configuration()).ok()
}

/// The metadata sent for it: the documented values, the defaults, the callback, the application type.
pub(crate) fn effective() -> Map<String, Value> {
    let mut members = Map::new();
    if let Value::Object(set) = configuration()["oauth_client_metadata"].take() {
        members.extend(set);
    }
    members.insert("grant_types".to_owned(), json!(["authorization_code", "refresh_token"]));
    members.insert("response_types".to_owned(), json!(["code"]));
    members.insert("token_endpoint_auth_method".to_owned(), json!("none"));
    members.insert("application_type".to_owned(), json!("web"));
    members.insert("redirect_uris".to_owned(), json!([CALLBACK]));
    members
}

/// A gateway callback.
pub(crate) const CALLBACK: &str = "https://gateway.acme.com/oauth/upstream-callback";
/// URL of an upstream MCP server.
pub(crate) const UPSTREAM: &str = "https://mcp.linear.app/mcp";
/// Its authorization server.
pub(crate) const ISSUER: &str = "https://mcp.linear.app";
/// A `client_id` of that server.
pub(crate) const CLIENT_ID: &str = "s6BhdRkqt3";
/// The digest of the metadata.
pub(crate) const DIGEST: &str = "5f0a3c5e4d1b8f1b1f6f0a3d6f4c7a0e9d2b4c6e8f0a1b3c5d7e9f1a2b4c6d8e";

/// A change of three servers: one client is updated, another one waits for approval.
pub(crate) fn affected() -> registry::Affected {
    registry::Affected {
        reached: 3,
        servers: 3,
        registrations: 2,
        updated: 1,
        asked: 1,
        ..registry::Affected::default()
    }
}
