//! Checks the section `auth.jwt` and makes the settings for bearer tokens of it.

use crate::config::Jwt;
use registry::{JwtSettings, KeySource};
use registry_core::finding::{Finding, Findings};
use registry_core::permission::Role;
use registry_outbound::check_trusted_url;
use std::collections::BTreeMap;
use std::time::Duration;

/// The settings for tokens of the configured issuer; reads the key set file. Every fault becomes a finding. `None`: no issuer
/// is configured, or there is no key set.
pub(super) fn settings(jwt: &Jwt, findings: &mut Findings) -> Option<JwtSettings> {
    let Some(issuer) = jwt.issuer.clone() else {
        if jwt.key_set_file.is_some()
            || jwt.key_set_url.is_some()
            || !jwt.audience.is_empty()
            || !jwt.roles.is_empty()
        {
            findings.push(Finding::error(
                "/auth/jwt/issuer",
                "missing_value",
                "`auth.jwt` is in force only with `auth.jwt.issuer`: set the exact `iss` of the tokens.",
            ));
        }
        return None;
    };
    if jwt.audience.is_empty() {
        findings.push(Finding::error(
            "/auth/jwt/audience",
            "missing_value",
            "`auth.jwt.audience` names at least one `aud`, so that tokens meant for others are not accepted.",
        ));
    }
    let mut roles = BTreeMap::new();
    for (value, name) in &jwt.roles {
        match Role::parse(name) {
            Some(role) => drop(roles.insert(value.clone(), role)),
            None => findings.push(Finding::error(
                "/auth/jwt/roles",
                "invalid_value",
                format!("`{name}` is not a role; there are admin, manager, viewer and gateway."),
            )),
        }
    }
    let key_set = match (&jwt.key_set_file, &jwt.key_set_url) {
        (None, Some(url)) => {
            if let Err(why) = check_trusted_url(url) {
                findings.push(Finding::error(
                    "/auth/jwt/key_set_url",
                    "invalid_url",
                    format!("`auth.jwt.key_set_url` may not be asked: {why}."),
                ));
            }
            KeySource::Url(url.clone())
        }
        (None, None) | (Some(_), Some(_)) => {
            findings.push(Finding::error(
                "/auth/jwt/key_set_url",
                "missing_value",
                "Set one of `auth.jwt.key_set_url` and `auth.jwt.key_set_file`: where the issuer's JWK Set is.",
            ));
            return None;
        }
        (Some(path), None) => match std::fs::read_to_string(path) {
            Ok(text) => KeySource::Text(text),
            Err(error) => {
                findings.push(Finding::error(
                    "/auth/jwt/key_set_file",
                    "unreadable_file",
                    format!("The key set file {} cannot be read: {error}.", path.display()),
                ));
                return None;
            }
        },
    };
    Some(JwtSettings {
        issuer,
        audience: jwt.audience.clone(),
        algorithms: jwt.algorithms.clone(),
        key_set,
        role_claim: jwt.role_claim.clone(),
        roles,
        workspace_claim: jwt.workspace_claim.clone(),
        scope_claim: jwt.scope_claim.clone(),
        leeway: Duration::from_secs(jwt.leeway),
    })
}
