//! An integration as the API shows it.

use crate::examples;
use crate::http::answer::{self};
use crate::http::failure::Failure;
use crate::v1::access::GlobalAccess;
use crate::v1::secret_mappings::{self, MappingView};
use crate::v1::server_info::ServerInfoView;
use chrono::{DateTime, Utc};
use registry::{Integration, KnownServerInfo};
use registry_core::registration::{AuthType, Transport};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whether an integration is enabled.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IntegrationStatus)]
pub(crate) enum IntegrationStatus {
    /// Enabled.
    Active,
    /// Disabled.
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
    /// Id of the integration.
    id: Uuid,
    /// Slug of the integration, used in URLs.
    slug: String,
    /// Display name.
    name: String,
    /// Description.
    description: Option<String>,
    /// Owner of the integration: `workspace` or `organisation`.
    r#type: &'static str,
    /// Whether the integration is enabled.
    status: IntegrationStatus,
    /// Id of the workspace that owns the integration.
    workspace_id: Option<Uuid>,
    /// Slug of the workspace that owns the integration.
    workspace_slug: Option<String>,
    /// URL of the upstream MCP server.
    #[schema(format = "uri")]
    url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The MCP transport.
    transport: Transport,
    /// The Advanced Configuration as it was written, with secrets replaced by markers.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Whether workspaces without an access row may use the integration.
    global_workspace_access: GlobalAccess,
    /// Members that come from the operator's secret store.
    secret_mappings: Vec<MappingView>,
    /// Number of workspaces that may use the integration.
    workspaces_count: u64,
    /// Number of servers of the integration.
    servers_count: u64,
    /// Number of servers with a registered client.
    registered_count: u64,
    /// Number of registrations that need attention.
    attention_count: u64,
    /// What the upstream server says about itself: title, icons, version; null while nobody has connected.
    metadata: Option<ServerInfoView>,
    /// Version of the integration, for `If-Match`; grows with each change.
    version: i64,
    /// Name of the actor who created the integration.
    created_by: String,
    /// Name of the actor who last changed the integration.
    updated_by: String,
    /// When the integration was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the integration last changed (RFC 3339).
    updated_at: DateTime<Utc>,
    /// The same timestamp, by the hosted product's name.
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
            metadata: None,
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
    /// The same with what is known of its upstream.
    pub(super) fn with_metadata(self, known: Option<KnownServerInfo>) -> Self {
        Self { metadata: known.map(Into::into), ..self }
    }

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
            metadata: Some(ServerInfoView::example()),
            version: 4,
            created_by: "Ada".to_owned(),
            updated_by: "Ada".to_owned(),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}
