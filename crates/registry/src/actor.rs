//! Who acts, through which channel, and what they may do.

use crate::{Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{SessionId, WorkspaceId};
use registry_core::permission::{INVOKE, Permission, Role};

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// REST.
    Api,
    /// Pages.
    Web,
    /// The registration worker.
    Worker,
    /// A command on the machine.
    Cli,
}

impl Channel {
    /// The word used in revisions and audit events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Web => "web",
            Self::Worker => "worker",
            Self::Cli => "cli",
        }
    }
}

/// Where a request came from, for the audit log.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// How it came in.
    pub door: Channel,
    /// The id of the request, as in the log and in the response.
    pub request_id: Option<String>,
    /// The peer's address.
    pub address: Option<String>,
    /// The `User-Agent` header; a part of it is kept with sessions.
    pub user_agent: Option<String>,
}

impl RequestContext {
    /// A context of which only the channel is known.
    pub fn new(door: Channel) -> Self {
        Self { door, request_id: None, address: None, user_agent: None }
    }
}

/// A caller whose identity is established. Made only by [`crate::Registry::authenticate`] and by the program itself.
#[derive(Clone, Debug)]
pub struct Actor {
    pub(crate) kind: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) scopes: Vec<String>,
    pub(crate) workspace: Option<WorkspaceId>,
    /// The browser session this came through.
    pub(crate) session: Option<SessionId>,
    /// When the key or token of the caller ends; `None`: it has no end, or the caller is a signed-in user.
    pub(crate) until: Option<Timestamp>,
    pub(crate) origin: RequestContext,
}

impl Actor {
    /// The name shown in history and audit.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the user or API key; `None` for tokens and programs.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What tells callers apart: the id, or the name of a caller without an id.
    pub(crate) fn who(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }

    /// `user`, `api_key`, `token`, `operator` or `system`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The request it came with.
    pub fn origin(&self) -> &RequestContext {
        &self.origin
    }

    /// The role, in the whole organisation or in the workspace it is bound to.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The workspace this caller is bound to; `None` for the whole organisation.
    pub fn workspace(&self) -> Option<WorkspaceId> {
        self.workspace
    }

    /// Whether role and scopes allow `permission` (on the rows this caller can see).
    pub fn can(&self, permission: Permission) -> bool {
        self.role.allows(permission)
            && (self.scopes.is_empty() || permission.is_given_by(&self.scopes, self.workspace.is_some()))
    }

    /// Whether it may use servers through a gateway: a key or token with a scope list needs `mcp.invoke`.
    pub fn may_invoke(&self) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope == INVOKE)
    }

    /// The scopes it is limited to; empty: everything that its role allows.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// When the key or token ends; `None`: it has no end.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The registration worker.
    pub(crate) fn worker(name: &str) -> Self {
        Self::program("system", name, Channel::Worker)
    }

    /// The operator on the machine, and the program itself.
    pub(crate) fn program(kind: &'static str, name: &str, door: Channel) -> Self {
        Self {
            kind,
            id: None,
            name: name.to_owned(),
            role: Role::Admin,
            scopes: Vec::new(),
            workspace: None,
            session: None,
            until: None,
            origin: RequestContext::new(door),
        }
    }

    /// Refuses a caller without the permission. The first line of every use case.
    pub fn require(&self, needed: Permission) -> Result<()> {
        if self.can(needed) {
            return Ok(());
        }
        let message = if self.role.allows(needed) {
            format!("This key or token lacks the scope `{}`.", needed.scope())
        } else {
            let roles: Vec<_> = Role::ALL
                .into_iter()
                .filter(|role| role.allows(needed))
                .map(|role| format!("`{}`", role.as_str()))
                .collect();
            format!("The role `{}` may not do this; it needs {}.", self.role.as_str(), roles.join(" or "))
        };
        Err(Error::Forbidden { needed, message })
    }

    /// Refuses a caller without the permission, but for gateways: for what they read and tell of servers.
    pub(crate) fn require_unless_gateway(&self, needed: Permission) -> Result<()> {
        if self.can(Permission::FetchGatewayDocument) { Ok(()) } else { self.require(needed) }
    }

    /// Refuses also a caller that is bound to a workspace: for what belongs to the whole organisation.
    pub fn require_organisation(&self, needed: Permission) -> Result<()> {
        self.require(needed)?;
        if self.workspace.is_some() {
            return Err(Error::Forbidden {
                needed,
                message: "This concerns the whole organisation; your access is bound to one workspace."
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Whether this caller may know of what is in `workspace`.
    pub(crate) fn sees(&self, workspace: WorkspaceId) -> bool {
        self.workspace.is_none_or(|own| own == workspace)
    }
}

impl Registry {
    /// The operator at the machine.
    pub fn operator(&self) -> Actor {
        Actor::program("operator", "operator", Channel::Cli)
    }
}
