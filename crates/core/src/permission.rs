//! Who may do what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a caller is in this deployment, or in the one workspace it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Fetches resolved documents, nothing else.
    Gateway,
    /// Reads everything but keys and the audit log.
    Viewer,
    /// Writes integrations, servers and overrides of workspaces, and acts on registrations.
    Manager,
    /// Everything except what only gateways may fetch.
    Admin,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Viewer, Self::Manager, Self::Admin];

    /// The word used on the wire, in tokens and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Viewer => "viewer",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether this role holds `permission` (which rows it then sees is decided by the workspace it is bound to).
    pub fn allows(self, permission: Permission) -> bool {
        match permission {
            P::FetchGatewayDocument => self == Self::Gateway,
            P::ListWorkspaces
            | P::ReadWorkspaces
            | P::ListIntegrations
            | P::ReadIntegrations
            | P::ListServers
            | P::ReadServers
            | P::ReadRegistrations
            | P::CheckConfiguration
            | P::ReadOrganisation => matches!(self, Self::Viewer | Self::Manager | Self::Admin),
            P::CreateIntegrations
            | P::UpdateIntegrations
            | P::DeleteIntegrations
            | P::CreateServers
            | P::UpdateServers
            | P::DeleteServers
            | P::OperateRegistrations => matches!(self, Self::Manager | Self::Admin),
            P::CreateWorkspaces
            | P::UpdateWorkspaces
            | P::DeleteWorkspaces
            | P::WriteOrganisation
            | P::ManageKeys
            | P::ManagePeople
            | P::ReadAudit => self == Self::Admin,
        }
    }
}

/// One thing a use case asks for before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// List workspaces.
    ListWorkspaces,
    /// Read a workspace.
    ReadWorkspaces,
    /// Create workspaces.
    CreateWorkspaces,
    /// Change workspaces.
    UpdateWorkspaces,
    /// Delete workspaces.
    DeleteWorkspaces,
    /// List integrations and what leads to them.
    ListIntegrations,
    /// Read an integration, its access rows and revisions.
    ReadIntegrations,
    /// Create integrations.
    CreateIntegrations,
    /// Change integrations and access rows.
    UpdateIntegrations,
    /// Delete integrations.
    DeleteIntegrations,
    /// List servers.
    ListServers,
    /// Read a server and what will be sent for it.
    ReadServers,
    /// Create servers.
    CreateServers,
    /// Change servers.
    UpdateServers,
    /// Delete servers.
    DeleteServers,
    /// Read the organisation's layer.
    ReadOrganisation,
    /// Write the organisation's layer.
    WriteOrganisation,
    /// Check an Advanced Configuration without saving it.
    CheckConfiguration,
    /// List and read registrations.
    ReadRegistrations,
    /// Retry, re-register.
    OperateRegistrations,
    /// Create, list, rotate and revoke API keys.
    ManageKeys,
    /// Invite users, change their roles, end their access.
    ManagePeople,
    /// Read the audit log.
    ReadAudit,
    /// Fetch resolved documents, with secrets.
    FetchGatewayDocument,
}

use Permission as P;

/// Scopes that hold everything that is done with a noun, as pages offer them, each with what it gives.
pub const SCOPES: [(&str, &[Permission]); 15] = [
    ("workspaces.read", &[P::ListWorkspaces, P::ReadWorkspaces]),
    ("workspaces.write", &[P::CreateWorkspaces, P::UpdateWorkspaces, P::DeleteWorkspaces]),
    ("mcp_integrations.read", &[P::ListIntegrations, P::ReadIntegrations]),
    ("mcp_integrations.write", &[P::CreateIntegrations, P::UpdateIntegrations, P::DeleteIntegrations]),
    ("mcp_servers.read", &[P::ListServers, P::ReadServers]),
    ("mcp_servers.write", &[P::CreateServers, P::UpdateServers, P::DeleteServers]),
    ("organisation.read", &[P::ReadOrganisation]),
    ("organisation.write", &[P::WriteOrganisation]),
    ("advanced_configuration.check", &[P::CheckConfiguration]),
    ("registrations.read", &[P::ReadRegistrations]),
    ("registrations.operate", &[P::OperateRegistrations]),
    ("api_keys.manage", &[P::ManageKeys]),
    ("people.manage", &[P::ManagePeople]),
    ("audit_events.read", &[P::ReadAudit]),
    ("gateway.fetch", &[P::FetchGatewayDocument]),
];

/// Single verbs. `read` of a noun lists it too.
const VERBS: [(&str, Permission); 12] = [
    ("workspaces.list", P::ListWorkspaces),
    ("workspaces.create", P::CreateWorkspaces),
    ("workspaces.update", P::UpdateWorkspaces),
    ("workspaces.delete", P::DeleteWorkspaces),
    ("mcp_integrations.list", P::ListIntegrations),
    ("mcp_integrations.create", P::CreateIntegrations),
    ("mcp_integrations.update", P::UpdateIntegrations),
    ("mcp_integrations.delete", P::DeleteIntegrations),
    ("mcp_servers.list", P::ListServers),
    ("mcp_servers.create", P::CreateServers),
    ("mcp_servers.update", P::UpdateServers),
    ("mcp_servers.delete", P::DeleteServers),
];

/// The hosted product's names for integrations (INV-42): the first is for callers of the whole organisation,
/// the second for those who are bound to a workspace.
const PREFIXES: [(&str, bool); 2] = [("organisation_", false), ("workspace_", true)];

/// The scope of keys that may call through a gateway. It gives no right here: gateways ask for it.
pub const INVOKE: &str = "mcp.invoke";

/// Nouns of scopes that the hosted product has. Those of its other parts have no meaning here; rights on users and keys are
/// not divided here (`people.manage`, `api_keys.manage`), and a narrower name must not give the whole.
const HOSTED_NOUNS: [&str; 24] = [
    "analytics",
    "audit_logs",
    "collections",
    "completions",
    "configs",
    "generations",
    "guardrails",
    "logs",
    "organisation_integrations",
    "organisation_secret_references",
    "organisation_service_api_keys",
    "organisation_users",
    "organisations",
    "policies",
    "prompts",
    "providers",
    "secret_references",
    "virtual_keys",
    "workspace_integrations",
    "workspace_secret_references",
    "workspace_service_api_keys",
    "workspace_user_api_keys",
    "workspace_users",
    "mcp",
];

/// Verbs of these scopes.
const HOSTED_VERBS: [&str; 14] = [
    "copy",
    "create",
    "delete",
    "duplicate",
    "export",
    "invoke",
    "list",
    "publish",
    "read",
    "render",
    "run",
    "update",
    "view",
    "write",
];

/// Whether there is a scope of this name: one that gives something, or one of the hosted product.
pub fn is_scope(name: &str) -> bool {
    gives_something(name) || is_hosted_scope(name)
}

/// Whether a scope of this name gives a permission to some caller.
pub fn gives_something(name: &str) -> bool {
    PREFIXES.iter().any(|(_, bound)| !given_by(name, *bound).is_empty())
}

/// Whether the hosted product has a scope of this name that gives nothing here.
pub fn is_hosted_scope(name: &str) -> bool {
    let Some((noun, verb)) = name.split_once('.') else { return false };
    !gives_something(name) && HOSTED_NOUNS.contains(&noun) && HOSTED_VERBS.contains(&verb)
}

/// Every name of a scope that gives something, and [`INVOKE`].
pub fn scope_names() -> Vec<String> {
    let ours = SCOPES.iter().map(|(name, _)| *name).chain(VERBS.iter().map(|(name, _)| *name));
    let hosted = PREFIXES.iter().flat_map(|(prefix, _)| {
        ["create", "read", "update", "delete", "list"].map(|verb| format!("{prefix}mcp_integrations.{verb}"))
    });
    ours.map(str::to_owned).chain(hosted).chain([INVOKE.to_owned()]).collect()
}

/// What a scope gives a caller who is bound to a workspace, or is not; nothing: no scope of theirs.
fn given_by(name: &str, bound: bool) -> &[Permission] {
    let mut plain = name;
    for (prefix, whose) in PREFIXES {
        if let Some(rest) = name.strip_prefix(prefix) {
            let verb = rest.strip_prefix("mcp_integrations.");
            if whose != bound || verb.is_none_or(|verb| verb == "write") {
                return &[];
            }
            plain = rest;
        }
    }
    if let Some((_, given)) = SCOPES.iter().find(|(scope, _)| *scope == plain) {
        return given;
    }
    VERBS.iter().find(|(scope, _)| *scope == plain).map_or(&[], |(_, given)| std::slice::from_ref(given))
}

impl Permission {
    /// Whether one of these scopes of a caller gives this.
    pub fn is_given_by(self, scopes: &[String], bound: bool) -> bool {
        scopes.iter().any(|scope| given_by(scope, bound).contains(&self))
    }

    /// The narrowest scope that gives this: what a key or token with a scope list lacks.
    pub fn scope(self) -> &'static str {
        let verb = VERBS.iter().find(|(_, given)| *given == self).map(|(scope, _)| *scope);
        let whole = || SCOPES.iter().find(|(_, given)| given.contains(&self)).map_or("", |(scope, _)| *scope);
        verb.unwrap_or_else(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_a_scope_that_gives_it_and_every_scope_gives_something() {
        let all: Vec<P> = SCOPES.iter().flat_map(|(_, given)| given.iter().copied()).collect();
        for permission in &all {
            assert!(permission.is_given_by(&[permission.scope().to_owned()], false), "{permission:?}");
            assert!(Role::ALL.into_iter().any(|role| role.allows(*permission)), "{permission:?}");
        }
        for name in scope_names() {
            assert!(is_scope(&name), "{name}");
        }
        for hosted in
            [INVOKE, "completions.write", "organisation_users.read", "workspace_user_api_keys.create"]
        {
            assert!(is_scope(hosted) && is_hosted_scope(hosted) && !gives_something(hosted), "{hosted}");
            assert!(!all.iter().any(|one| one.is_given_by(&[hosted.to_owned()], false)), "{hosted}");
        }
        for odd in [
            "",
            "mcp",
            "completions.everything",
            "organisation_mcp_servers.read",
            "organisation_mcp_integrations.write",
            "workspace_",
            "write",
        ] {
            assert!(!is_scope(odd), "{odd}");
        }
    }

    #[test]
    fn scopes_give_their_verbs_and_no_other() {
        let gives = |scope: &str, permission: P, bound| permission.is_given_by(&[scope.to_owned()], bound);
        for (scope, permission, bound, expected) in [
            ("mcp_servers.create", P::CreateServers, false, true),
            ("mcp_servers.create", P::UpdateServers, false, false),
            ("mcp_servers.list", P::ReadServers, false, false),
            ("mcp_servers.read", P::ListServers, false, true),
            ("mcp_servers.write", P::DeleteServers, true, true),
            ("mcp_servers.write", P::ReadServers, true, false),
            ("organisation_mcp_integrations.delete", P::DeleteIntegrations, false, true),
            ("organisation_mcp_integrations.delete", P::DeleteIntegrations, true, false),
            ("workspace_mcp_integrations.delete", P::DeleteIntegrations, true, true),
            ("workspace_mcp_integrations.delete", P::DeleteIntegrations, false, false),
            ("workspace_mcp_integrations.read", P::ListIntegrations, true, true),
        ] {
            assert_eq!(gives(scope, permission, bound), expected, "{scope} {permission:?} {bound}");
        }
    }
}
