//! Grants by the auth type of the integration: client credentials (RFC 6749 §4.4) need no user and no code.

use super::effective::EffectiveMetadata;
use super::resolution::{Origin, Resolution};
use crate::finding::Finding;
use crate::metadata::fields::names::CANONICAL_WRAPPER;
use serde_json::{Value, json};

/// Fits the grants that no layer sets to the integration's auth type, and reports grants of an admin that contradict it.
/// `client_credentials`: gateways authenticate as the client itself, not for users.
pub fn fit_grants(resolution: &mut Resolution, client_credentials: bool) {
    let effective = &mut resolution.effective;
    if client_credentials {
        let mut computed = Vec::new();
        for (name, value) in [("grant_types", json!(["client_credentials"])), ("response_types", json!([]))] {
            let is_open = !effective.is_admins(name) && !effective.registration.omits(name);
            if is_open && effective.client_metadata.contains_key(name) {
                effective.client_metadata.insert(name.to_owned(), value);
                computed.push(name);
            }
        }
        for name in computed {
            resolution.origins.insert(name.to_owned(), Origin::Computed);
        }
    }
    let effective = &resolution.effective;
    if !effective.is_admins("grant_types") {
        return;
    }
    let message = match (
        client_credentials,
        grants(effective, "client_credentials"),
        grants(effective, "authorization_code"),
    ) {
        (true, false, _) => {
            "The integration's auth type is `oauth_client_credentials`, but `grant_types` does not name `client_credentials`. Set `grant_types` to [\"client_credentials\"] and `response_types` to [], or remove both."
        }
        (false, true, false) => {
            "`grant_types` names `client_credentials` and not `authorization_code`, so no user can sign in. Change the integration's auth type to `oauth_client_credentials`, or add `authorization_code`."
        }
        _ => return,
    };
    let pointer = format!("/{CANONICAL_WRAPPER}/grant_types");
    resolution.findings.push(Finding::warning(pointer, "grants_contradict_auth_type", message));
}

fn grants(effective: &EffectiveMetadata, wanted: &str) -> bool {
    let grants = effective.client_metadata.get("grant_types").and_then(Value::as_array);
    grants.is_some_and(|grants| grants.iter().any(|grant| grant == wanted))
}
