//! Makes of the section `auth.oidc` what the application needs.

use crate::config::{Config, Oidc};
use registry::ProviderSettings;
use registry_core::finding::{Finding, Findings};
use registry_core::permission::Role;
use registry_core::secret::Secret;
use registry_outbound::check_trusted_url;
use std::collections::BTreeMap;
use std::time::Duration;

/// The path of the redirect URI, below `server.public_url`.
const CALLBACK: &str = "/ui/sign-in/provider/callback";

impl Config {
    /// The identity provider, if one is configured.
    pub(super) fn provider(&self, findings: &mut Findings) -> Option<ProviderSettings> {
        let oidc = &self.auth.oidc;
        let mut refuse = |key: &str, code: &'static str, why: String| {
            findings.push(Finding::error(format!("/auth/oidc/{key}"), code, why));
        };
        let Some(issuer) = oidc.issuer.clone() else {
            if !oidc.client_id.is_empty() || !oidc.groups.is_empty() {
                refuse(
                    "issuer",
                    "missing_value",
                    "`auth.oidc` is in force only with `auth.oidc.issuer`.".to_owned(),
                );
            }
            if !self.auth.passwords {
                findings.push(Finding::error(
                    "/auth/passwords",
                    "missing_value",
                    "Without `auth.oidc.issuer` no user could sign in: set it, or enable `auth.passwords`.",
                ));
            }
            return None;
        };
        if let Err(why) = check_trusted_url(&issuer) {
            refuse("issuer", "invalid_url", format!("`auth.oidc.issuer` may not be asked: {why}."));
        }
        if oidc.client_id.is_empty() {
            refuse(
                "client_id",
                "missing_value",
                "`auth.oidc.client_id` is what this deployment is registered as at the identity provider."
                    .to_owned(),
            );
        }
        if !oidc.scopes.iter().any(|scope| scope == "openid") {
            refuse(
                "scopes",
                "missing_value",
                "`auth.oidc.scopes` must contain `openid`: without it there is no ID token.".to_owned(),
            );
        }
        let client_secret = client_secret(oidc, &mut refuse);
        let groups = groups(oidc, &mut refuse);
        let default_role = oidc.default_role.as_deref().and_then(|word| {
            let role = person_role(word);
            if role.is_none() {
                refuse(
                    "default_role",
                    "invalid_value",
                    format!("`{word}` is not a role; use `admin`, `manager` or `viewer`."),
                );
            }
            role
        });
        // Browsers must come back to the very address that is registered at the provider.
        let base = self.server.public_url.clone().unwrap_or_else(|| format!("http://{}", self.server.listen));
        Some(ProviderSettings {
            issuer,
            client_id: oidc.client_id.clone(),
            client_secret,
            scopes: oidc.scopes.clone(),
            redirect_uri: format!("{base}{CALLBACK}"),
            algorithms: oidc.algorithms.clone(),
            groups_claim: oidc.groups_claim.clone(),
            groups,
            default_role,
            trust_email: oidc.trust_email,
            label: oidc.label.clone(),
            leeway: Duration::from_secs(oidc.leeway),
        })
    }
}

/// A role that a user can have.
fn person_role(word: &str) -> Option<Role> {
    Role::parse(word).filter(|role| *role != Role::Gateway)
}

/// What refuses a setting of the section: its key, a code, and why.
type Refuse<'a> = dyn FnMut(&str, &'static str, String) + 'a;

fn client_secret(oidc: &Oidc, refuse: &mut Refuse<'_>) -> Option<Secret> {
    match (&oidc.client_secret, &oidc.client_secret_file) {
        (Some(_), Some(_)) => {
            refuse(
                "client_secret_file",
                "conflict",
                "Set one of `auth.oidc.client_secret` and `auth.oidc.client_secret_file`.".to_owned(),
            );
            None
        }
        (Some(secret), None) => Some(secret.clone()),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Some(Secret::new(text.trim())),
            Err(error) => {
                refuse(
                    "client_secret_file",
                    "unreadable_file",
                    format!("The file {} cannot be read: {error}.", path.display()),
                );
                None
            }
        },
        (None, None) => None,
    }
}

/// Maps groups to roles and workspaces.
fn groups(oidc: &Oidc, refuse: &mut Refuse<'_>) -> BTreeMap<String, (Role, Option<String>)> {
    let mut groups = BTreeMap::new();
    for (group, word) in &oidc.groups {
        let (role, workspace) = match word.split_once('@') {
            Some((role, workspace)) => (role, Some(workspace.to_owned())),
            None => (word.as_str(), None),
        };
        match person_role(role) {
            Some(role) => drop(groups.insert(group.clone(), (role, workspace))),
            None => refuse(
                "groups",
                "invalid_value",
                format!(
                    "`{word}` is not a role; use `admin`, `manager` or `viewer`, or one of them in a workspace: `manager@acme`."
                ),
            ),
        }
    }
    groups
}
