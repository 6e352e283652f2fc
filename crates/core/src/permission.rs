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
        use Permission as P;
        match permission {
            P::FetchGatewayDocument => self == Self::Gateway,
            P::ReadWorkspaces
            | P::ReadIntegrations
            | P::ReadServers
            | P::ReadRegistrations
            | P::CheckConfiguration
            | P::ReadOrganisation => matches!(self, Self::Viewer | Self::Manager | Self::Admin),
            P::WriteIntegrations | P::WriteServers | P::OperateRegistrations => {
                matches!(self, Self::Manager | Self::Admin)
            }
            P::WriteWorkspaces | P::WriteOrganisation | P::ManageKeys | P::ManagePeople | P::ReadAudit => {
                self == Self::Admin
            }
        }
    }
}

/// One thing a use case asks for before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// List and read workspaces.
    ReadWorkspaces,
    /// Create, change and delete workspaces.
    WriteWorkspaces,
    /// List and read integrations, their access rows and revisions.
    ReadIntegrations,
    /// Create, change and delete integrations and access rows.
    WriteIntegrations,
    /// List and read servers and what will be sent for them.
    ReadServers,
    /// Create, change and delete servers.
    WriteServers,
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
    /// Invite people, change what they may do, end their access.
    ManagePeople,
    /// Read the audit log.
    ReadAudit,
    /// Fetch resolved documents, with secrets.
    FetchGatewayDocument,
}

impl Permission {
    /// All of them, as lists show them.
    pub const ALL: [Self; 15] = [
        Self::ReadWorkspaces,
        Self::WriteWorkspaces,
        Self::ReadIntegrations,
        Self::WriteIntegrations,
        Self::ReadServers,
        Self::WriteServers,
        Self::ReadOrganisation,
        Self::WriteOrganisation,
        Self::CheckConfiguration,
        Self::ReadRegistrations,
        Self::OperateRegistrations,
        Self::ManageKeys,
        Self::ManagePeople,
        Self::ReadAudit,
        Self::FetchGatewayDocument,
    ];

    /// The scope that a key or token with a scope list needs for this (`portkey.md` §2.3 names; ours where it has none).
    pub fn scope(self) -> &'static str {
        match self {
            Self::ReadWorkspaces => "workspaces.read",
            Self::WriteWorkspaces => "workspaces.write",
            Self::ReadIntegrations => "mcp_integrations.read",
            Self::WriteIntegrations => "mcp_integrations.write",
            Self::ReadServers => "mcp_servers.read",
            Self::WriteServers => "mcp_servers.write",
            Self::ReadOrganisation => "organisation.read",
            Self::WriteOrganisation => "organisation.write",
            Self::CheckConfiguration => "advanced_configuration.check",
            Self::ReadRegistrations => "registrations.read",
            Self::OperateRegistrations => "registrations.operate",
            Self::ManageKeys => "api_keys.manage",
            Self::ManagePeople => "people.manage",
            Self::ReadAudit => "audit_events.read",
            Self::FetchGatewayDocument => "gateway.fetch",
        }
    }
}
