//! An integration as the API shows it.

use crate::examples;
use crate::http::answer::{self};
use crate::http::failure::Failure;
use crate::v1::access::GlobalAccess;
use crate::v1::secret_mappings::{self, MappingView};
use chrono::{DateTime, Utc};
use registry::Integration;
use registry_core::registration::{AuthType, Transport};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whether an integration is in use.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IntegrationStatus)]
pub(crate) enum IntegrationStatus {
    /// It is.
    Active,
    /// It is switched off.
    Disabled,
}

impl IntegrationStatus {
    pub(super) fn of(enabled: bool) -> Self {
        if enabled { Self::Active } else { Self::Disabled }
    }
}

/// An integration.
#[derive(Serialize, ToSchema)]
#[schema(as = McpIntegration)]
pub(crate) struct IntegrationView {
    /// Always `mcp-integration`.
    #[schema(example = "mcp-integration")]
    object: &'static str,
    /// Its id.
    id: Uuid,
    /// Its name in URLs.
    slug: String,
    /// Display name.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// `workspace` or `organisation`: whose it is.
    r#type: &'static str,
    /// Whether it is in use.
    status: IntegrationStatus,
    /// The workspace it belongs to.
    workspace_id: Option<Uuid>,
    /// Slug of the workspace it belongs to.
    workspace_slug: Option<String>,
    /// The upstream MCP server.
    #[schema(format = "uri")]
    url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The MCP transport.
    transport: Transport,
    /// The Advanced Configuration as it was written, secrets replaced by markers.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Whether workspaces without an access row of their own may use it.
    global_workspace_access: GlobalAccess,
    /// Members that come from where the operator keeps secrets.
    secret_mappings: Vec<MappingView>,
    /// Workspaces that may use it.
    workspaces_count: u64,
    /// Servers made of it.
    servers_count: u64,
    /// Servers with a registered client.
    registered_count: u64,
    /// Registrations that need attention.
    attention_count: u64,
    /// Counts its changes, for `If-Match`.
    version: i64,
    /// Who made it.
    created_by: String,
    /// Who changed it last.
    updated_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// The same, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
}

impl TryFrom<Integration> for IntegrationView {
    type Error = Failure;

    fn try_from(integration: Integration) -> Result<Self, Failure> {
        Ok(Self {
            object: "mcp-integration",
            id: integration.id.0,
            slug: integration.slug.into(),
            name: integration.name,
            description: integration.description,
            r#type: if integration.workspace.is_some() { "workspace" } else { "organisation" },
            status: IntegrationStatus::of(integration.enabled),
            workspace_id: integration.workspace.as_ref().map(|workspace| workspace.id.0),
            workspace_slug: integration.workspace.map(|workspace| workspace.slug.into()),
            url: integration.url,
            auth_type: integration.auth_type,
            transport: integration.transport,
            configurations: answer::stored(integration.configuration)?,
            global_workspace_access: GlobalAccess { enabled: integration.global_access },
            secret_mappings: secret_mappings::show(integration.secret_mappings),
            workspaces_count: integration.counts.workspaces,
            servers_count: integration.counts.servers,
            registered_count: integration.counts.registered,
            attention_count: integration.counts.attention,
            version: integration.version,
            created_by: integration.created_by,
            updated_by: integration.updated_by,
            created_at: integration.created_at,
            updated_at: integration.updated_at,
            last_updated_at: integration.updated_at,
        })
    }
}

impl IntegrationView {
    pub(super) fn example() -> Self {
        Self {
            object: "mcp-integration",
            id: examples::id(1),
            slug: "linear".to_owned(),
            name: "Linear".to_owned(),
            description: Some("Issues and projects.".to_owned()),
            r#type: "organisation",
            status: IntegrationStatus::Active,
            workspace_id: None,
            workspace_slug: None,
            url: examples::UPSTREAM.to_owned(),
            auth_type: AuthType::OauthAuto,
            transport: Transport::Http,
            configurations: examples::stored_configuration(),
            global_workspace_access: GlobalAccess { enabled: false },
            secret_mappings: Vec::new(),
            workspaces_count: 2,
            servers_count: 3,
            registered_count: 3,
            attention_count: 0,
            version: 4,
            created_by: "Ada".to_owned(),
            updated_by: "Ada".to_owned(),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}
