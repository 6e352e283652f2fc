//! A server as the API shows it.

use crate::examples;
use crate::http::answer::{self};
use crate::http::failure::Failure;
use crate::v1::secret_mappings::{self, MappingView};
use crate::v1::server_info::ServerInfoView;
use chrono::{DateTime, Utc};
use registry::{KnownServerInfo, RegistrationBrief, Server};
use registry_core::registration::{AuthType, State, Transport};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// The state of a server's registration.
#[derive(Serialize, ToSchema)]
#[schema(as = RegistrationSummary)]
pub(crate) struct RegistrationSummary {
    /// Id of the registration.
    pub(crate) id: Uuid,
    /// State of the registration.
    pub(crate) state: State,
    /// Whether there is an active, unexpired client.
    pub(crate) usable: bool,
}

impl From<RegistrationBrief> for RegistrationSummary {
    fn from(brief: RegistrationBrief) -> Self {
        Self { id: brief.id.0, state: brief.state, usable: brief.usable }
    }
}

/// A server.
#[derive(Serialize, ToSchema)]
#[schema(as = McpServer)]
pub(crate) struct ServerView {
    /// Always `mcp-server`.
    #[schema(example = "mcp-server")]
    object: &'static str,
    /// Id of the server.
    id: Uuid,
    /// Slug of the server, used in URLs, unique in the workspace.
    slug: String,
    /// Display name.
    name: String,
    /// Description.
    description: Option<String>,
    /// Always `active`.
    status: &'static str,
    /// Id of the integration.
    mcp_integration_id: Uuid,
    /// Slug of the integration.
    mcp_integration_slug: String,
    /// Name of the integration.
    mcp_integration_name: String,
    /// URL of the upstream MCP server.
    #[schema(format = "uri")]
    mcp_integration_url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The MCP transport.
    transport: Transport,
    /// Id of the workspace.
    workspace_id: Uuid,
    /// Slug of the workspace.
    workspace_slug: String,
    /// Name of the workspace.
    workspace_name: String,
    /// URL where users reach the server, at the first gateway; null when no gateway is configured.
    #[schema(format = "uri")]
    url: Option<String>,
    /// The server layer of the Advanced Configuration as it was written, with secrets replaced by markers.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Members that come from the operator's secret store.
    secret_mappings: Vec<MappingView>,
    /// The registration; null when no client is needed.
    registration: Option<RegistrationSummary>,
    /// What the upstream server says about itself: title, icons, version; null while nobody has connected.
    metadata: Option<ServerInfoView>,
    /// Version of the server, for `If-Match`; grows with each change.
    version: i64,
    /// Name of the actor who created the server.
    created_by: String,
    /// When the server was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the server last changed (RFC 3339).
    updated_at: DateTime<Utc>,
    /// The same timestamp, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
}

impl ServerView {
    /// The same with what is known of its upstream.
    pub(super) fn with_metadata(self, known: Option<KnownServerInfo>) -> Self {
        Self { metadata: known.map(Into::into), ..self }
    }

    pub(super) fn new(server: Server, gateway_url: Option<&String>) -> Result<Self, Failure> {
        let (workspace, integration) = (server.workspace, server.integration);
        Ok(Self {
            object: "mcp-server",
            id: server.id.0,
            url: gateway_url.map(|url| format!("{url}/{}/{}/mcp", workspace.slug, server.slug)),
            slug: server.slug.into(),
            name: server.name,
            description: server.description,
            status: "active",
            mcp_integration_id: integration.id.0,
            mcp_integration_slug: integration.slug.into(),
            mcp_integration_name: integration.name,
            mcp_integration_url: integration.url,
            auth_type: integration.auth_type,
            transport: integration.transport,
            workspace_id: workspace.id.0,
            workspace_slug: workspace.slug.into(),
            workspace_name: workspace.name,
            configurations: answer::stored(server.configuration)?,
            secret_mappings: secret_mappings::show(server.secret_mappings),
            registration: server.registration.map(Into::into),
            metadata: None,
            version: server.version,
            created_by: server.created_by,
            created_at: server.created_at,
            updated_at: server.updated_at,
            last_updated_at: server.updated_at,
        })
    }

    pub(super) fn example() -> Self {
        Self {
            object: "mcp-server",
            id: examples::id(4),
            slug: "linear".to_owned(),
            name: "Linear".to_owned(),
            description: Some("Issues of the Acme team.".to_owned()),
            status: "active",
            mcp_integration_id: examples::id(1),
            mcp_integration_slug: "linear".to_owned(),
            mcp_integration_name: "Linear".to_owned(),
            mcp_integration_url: examples::UPSTREAM.to_owned(),
            auth_type: AuthType::OauthAuto,
            transport: Transport::Http,
            workspace_id: examples::id(2),
            workspace_slug: "acme".to_owned(),
            workspace_name: "Acme".to_owned(),
            url: Some("https://gateway.acme.com/acme/linear/mcp".to_owned()),
            configurations: None,
            secret_mappings: Vec::new(),
            registration: Some(RegistrationSummary {
                id: examples::id(5),
                state: State::Registered,
                usable: true,
            }),
            metadata: Some(ServerInfoView::example()),
            version: 1,
            created_by: "Ada".to_owned(),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}
