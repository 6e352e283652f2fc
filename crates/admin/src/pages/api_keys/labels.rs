//! Display texts for the access and expiry of a key.

use chrono::Duration;
use registry::ApiKey;
use registry_core::clock::Timestamp;
use registry_core::permission::{Permission, Role, SCOPES};

/// Scopes that presets leave out; they must be chosen individually.
const SENSITIVE_SCOPES: [&str; 3] = ["api_keys.manage", "people.manage", "audit_events.read"];

/// A named set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// Reads everything except the audit log.
    Read,
    /// Reads and changes everything except keys, users and the audit log.
    Write,
}

impl Preset {
    /// The scopes of this preset that `role` allows.
    pub(crate) fn scopes(self, role: Role) -> Vec<String> {
        let reads = |scope: &str| {
            scope.rsplit_once('.').is_some_and(|(_, verb)| verb == "read")
                || scope == "advanced_configuration.check"
        };
        SCOPES
            .iter()
            .filter(|(scope, given)| allows(role, given) && !SENSITIVE_SCOPES.contains(scope))
            .filter(|(scope, _)| self == Self::Write || reads(scope))
            .map(|(scope, _)| (*scope).to_owned())
            .collect()
    }
}

/// Whether a role allows some of what a scope grants.
pub(crate) fn allows(role: Role, given: &[Permission]) -> bool {
    given.iter().any(|permission| role.allows(*permission))
}

/// The display name of a scope.
pub(crate) fn scope(name: &str) -> &'static str {
    match name {
        "workspaces.read" => "Read workspaces",
        "workspaces.write" => "Create, change and delete workspaces",
        "mcp_integrations.read" => "Read integrations and access",
        "mcp_integrations.write" => "Create, change and delete integrations and access",
        "mcp_servers.read" => "Read servers and what is sent for them",
        "mcp_servers.write" => "Create, change and delete servers",
        "organisation.read" => "Read the organisation's layer",
        "organisation.write" => "Change the organisation's layer",
        "advanced_configuration.check" => "Check a configuration without saving it",
        "registrations.read" => "Read registrations",
        "registrations.operate" => "Retry, register again, approve, withdraw",
        "api_keys.manage" => "Create, rotate and revoke API keys",
        "people.manage" => "See users, rename and deactivate them, end their sessions",
        "audit_events.read" => "Read the audit log",
        _ => "Fetch resolved documents, with secrets",
    }
}

/// The access of a key.
pub(crate) fn may(key: &ApiKey) -> String {
    let same = |preset: Preset| {
        let scopes = preset.scopes(key.role);
        scopes.len() == key.scopes.len() && scopes.iter().all(|scope| key.scopes.contains(scope))
    };
    match key.role {
        Role::Gateway => "Fetch resolved documents".to_owned(),
        role if key.scopes.is_empty() => format!("Everything a role {} may", role.as_str()),
        _ if same(Preset::Read) => "Read".to_owned(),
        _ if same(Preset::Write) => "Read and write".to_owned(),
        _ => key.scopes.join(", "),
    }
}

/// Role and workspace, as the second line.
pub(crate) fn may_beside(key: &ApiKey) -> String {
    match &key.workspace {
        Some(workspace) => format!("{}, in {}", key.role.as_str(), workspace.slug),
        None => format!("{}, whole organisation", key.role.as_str()),
    }
}

/// CSS class and text of a key's expiry: amber in the last 14 days.
pub(crate) fn expiry(key: &ApiKey, now: &Timestamp) -> (&'static str, String) {
    if let Some(moment) = key.revoked_at {
        return ("muted", format!("Revoked {}", date(&moment)));
    }
    match key.expires_at {
        None => ("", "Never".to_owned()),
        Some(end) if end <= *now => ("muted", format!("Expired {}", date(&end))),
        Some(end) if end - *now <= Duration::days(14) => ("warn-t", crate::view::ago(&end, now)),
        Some(end) => ("", date(&end)),
    }
}

fn date(moment: &Timestamp) -> String {
    moment.format("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_contain_only_allowed_and_no_sensitive_scopes() {
        let read = Preset::Read.scopes(Role::Admin);
        assert!(read.contains(&"servers.read".to_owned()) || read.contains(&"mcp_servers.read".to_owned()));
        assert!(
            !read
                .iter()
                .any(|scope| scope.rsplit('.').next() == Some("write") || scope == "audit_events.read")
        );
        let write = Preset::Write.scopes(Role::Manager);
        assert!(write.contains(&"mcp_integrations.write".to_owned()));
        assert!(!write.contains(&"workspaces.write".to_owned()), "a manager may not");
        assert!(!Preset::Write.scopes(Role::Admin).contains(&"api_keys.manage".to_owned()));
    }
}
