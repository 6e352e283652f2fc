//! Rules that compare members with each other after resolution, when they may have come from several layers.

use super::effective::{EffectiveMetadata, Method};
use crate::finding::{Finding, Findings};
use crate::metadata::fields::names::CANONICAL_WRAPPER;
use crate::metadata::rules::cross::{check_grants, secret_unused};
use crate::metadata::rules::report::Report;
use serde_json::Value;

/// Findings about members of `effective` that do not fit each other. Pointers are those of an Advanced Configuration that
/// would hold all members. Auth method and secret are compared only if the client is pre-registered and an admin chose the
/// method.
pub(crate) fn check_result(effective: &EffectiveMetadata) -> Findings {
    let pointer = format!("/{CANONICAL_WRAPPER}");
    let mut report = Report::default();
    check_grants(&effective.client_metadata, &pointer, &mut report);
    let method = effective.client_metadata.get("token_endpoint_auth_method").and_then(Value::as_str);
    if let Some(credentials) = &effective.credentials {
        match (method, credentials.client_secret) {
            (Some("none"), Some(_)) if effective.is_admins("token_endpoint_auth_method") => {
                report.push(secret_unused(&pointer));
            }
            (Some(method), None) if method != "none" && effective.is_admins("token_endpoint_auth_method") => {
                report.push(Finding::warning(
                    format!("{pointer}/token_endpoint_auth_method"),
                    "auth_method_needs_secret",
                    format!("`{method}` needs a `client_secret` beside the `client_id`."),
                ));
            }
            _ => {}
        }
    } else if effective.registration.method == Method::PreRegistered {
        report.push(Finding::warning(
            "/registration/method",
            "method_needs_client",
            "The method `pre_registered` needs a `client_id` in `oauth_client_metadata`.",
        ));
    }
    report.into_findings()
}
