//! What upstream servers say about themselves.

use crate::examples;
use crate::http::answer::{self, Answer, Done};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::responses::{ChangeProblems, LookProblems, ReadProblems};
use crate::state::ApiState;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use registry::KnownServerInfo;
use registry_core::permission::Permission;
use registry_core::server_info::{ServerInfo, SyncStatus};
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(read_integration_metadata)
        .service(look_at_integration)
        .service(read_server_metadata)
        .service(sync_server_metadata);
}

/// What is known of an upstream server.
#[derive(Serialize, ToSchema)]
#[schema(as = UpstreamMetadata)]
pub(crate) struct ServerInfoView {
    /// Always `metadata`.
    #[schema(example = "metadata")]
    object: &'static str,
    /// The name that the server gives itself.
    #[schema(example = "linear-mcp")]
    server_name: Option<String>,
    /// The version of the server.
    #[schema(example = "1.4.0")]
    server_version: Option<String>,
    /// The negotiated version of the Model Context Protocol.
    #[schema(example = "2025-11-25")]
    protocol_version: Option<String>,
    /// Name for display.
    #[schema(example = "Linear")]
    title: Option<String>,
    /// What the server is for.
    description: Option<String>,
    /// Page about the server.
    #[schema(format = "uri")]
    website_url: Option<String>,
    /// Icons, as the server names them: `src`, `mimeType`, `sizes`.
    #[schema(value_type = Option<Vec<Object>>)]
    icons: Option<Vec<Value>>,
    /// The capabilities that were negotiated, e.g. `tools.listChanged`.
    #[schema(value_type = Option<Object>)]
    capability_flags: Option<Map<String, Value>>,
    /// How clients shall use the server.
    instructions: Option<String>,
    /// Whether the values are those of the last connection.
    sync_status: SyncStatus,
    /// When they were last confirmed (RFC 3339), to about ten minutes; null: never.
    last_synced_at: Option<DateTime<Utc>>,
    /// Why the last try to connect failed; null: it did not.
    sync_error: Option<String>,
}

impl From<KnownServerInfo> for ServerInfoView {
    fn from(known: KnownServerInfo) -> Self {
        let info = known.info;
        Self {
            object: "metadata",
            server_name: info.server_name,
            server_version: info.server_version,
            protocol_version: info.protocol_version,
            title: info.title,
            description: info.description,
            website_url: info.website_url,
            icons: info.icons,
            capability_flags: info.capability_flags,
            instructions: info.instructions,
            sync_status: known.status,
            last_synced_at: known.synced_at,
            sync_error: known.error,
        }
    }
}

impl ServerInfoView {
    pub(crate) fn example() -> Self {
        let info = ServerInfo {
            server_name: Some("linear-mcp".to_owned()),
            server_version: Some("1.4.0".to_owned()),
            protocol_version: Some("2025-11-25".to_owned()),
            title: Some("Linear".to_owned()),
            ..ServerInfo::default()
        };
        let at = Some(examples::moment());
        KnownServerInfo { info, status: SyncStatus::Synced, synced_at: at, error: None }.into()
    }
}

/// What a server said about itself when a client connected. Members of another type are left out.
#[derive(Deserialize, ToSchema)]
#[schema(as = SyncMcpServerMetadata)]
pub(crate) struct ServerInfoBody {
    /// The name that the server gives itself.
    #[schema(example = "linear-mcp")]
    server_name: Option<String>,
    /// The version of the server.
    #[schema(example = "1.4.0")]
    server_version: Option<String>,
    /// The negotiated version of the Model Context Protocol.
    #[schema(example = "2025-11-25")]
    protocol_version: Option<String>,
    /// Name for display.
    #[schema(example = "Linear")]
    title: Option<String>,
    /// What the server is for.
    #[schema(max_length = 100_000)]
    description: Option<String>,
    /// Page about the server.
    website_url: Option<String>,
    /// Icons: a list of objects with `src`.
    #[schema(value_type = Option<Value>)]
    icons: Option<Value>,
    /// The capabilities that were negotiated.
    #[schema(value_type = Option<Object>)]
    capability_flags: Option<Value>,
    /// How clients shall use the server.
    #[schema(max_length = 100_000)]
    instructions: Option<String>,
}

/// What the server of an integration said about itself. Three members have a second name, which the hosted product's SDK for
/// Node.js uses.
#[derive(Deserialize, ToSchema)]
#[schema(as = McpIntegrationServerInfo)]
pub(crate) struct IntegrationServerInfo {
    /// The name that the server gives itself.
    #[schema(example = "linear-mcp")]
    server_name: Option<String>,
    /// The same; used where `server_name` is absent.
    name: Option<String>,
    /// The version of the server.
    #[schema(example = "1.4.0")]
    server_version: Option<String>,
    /// The same; used where `server_version` is absent.
    version: Option<String>,
    /// The negotiated version of the Model Context Protocol.
    #[schema(example = "2025-11-25")]
    protocol_version: Option<String>,
    /// Name for display.
    #[schema(example = "Linear")]
    title: Option<String>,
    /// What the server is for.
    #[schema(max_length = 100_000)]
    description: Option<String>,
    /// Page about the server.
    website_url: Option<String>,
    /// Icons: a list of objects with `src`.
    #[schema(value_type = Option<Value>)]
    icons: Option<Value>,
    /// The capabilities that were negotiated.
    #[schema(value_type = Option<Object>)]
    capability_flags: Option<Value>,
    /// The same; used where `capability_flags` is absent.
    #[schema(value_type = Option<Object>)]
    capabilities: Option<Value>,
    /// How clients shall use the server.
    #[schema(max_length = 100_000)]
    instructions: Option<String>,
}

impl From<IntegrationServerInfo> for ServerInfo {
    fn from(info: IntegrationServerInfo) -> Self {
        ServerInfoBody {
            server_name: info.server_name.or(info.name),
            server_version: info.server_version.or(info.version),
            protocol_version: info.protocol_version,
            title: info.title,
            description: info.description,
            website_url: info.website_url,
            icons: info.icons,
            capability_flags: info.capability_flags.or(info.capabilities),
            instructions: info.instructions,
        }
        .into()
    }
}

impl RequestBody for ServerInfoBody {
    const NEEDS: Permission = Permission::UpdateServers;
    const OR_NEEDS: Option<Permission> = Some(Permission::FetchGatewayDocument);
}

impl From<ServerInfoBody> for ServerInfo {
    fn from(body: ServerInfoBody) -> Self {
        Self {
            server_name: body.server_name,
            server_version: body.server_version,
            protocol_version: body.protocol_version,
            title: body.title,
            description: body.description,
            website_url: body.website_url,
            icons: match body.icons {
                Some(Value::Array(icons)) => Some(icons),
                // An SDK sends one icon as an object.
                Some(icon @ Value::Object(_)) => Some(vec![icon]),
                _ => None,
            },
            capability_flags: match body.capability_flags {
                Some(Value::Object(flags)) => Some(flags),
                _ => None,
            },
            instructions: body.instructions,
        }
    }
}

/// Read what is known of the upstream of an integration
#[utoipa::path(
    tag = "capabilities",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    responses((status = 200, description = "What it says about itself.", body = ServerInfoView, example = json!(ServerInfoView::example())), ReadProblems)
)]
#[get("/mcp-integrations/{integration}/metadata")]
pub(crate) async fn read_integration_metadata(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let reference = Reference::parse(&path);
    let known = state.registry.capabilities().info_of_integration(&caller.actor, &reference).await?;
    Ok(answer::ok(&ServerInfoView::from(known)))
}

/// Look at the upstream of an integration now
///
/// Asks the MCP server what it is and what it offers (`initialize` and its lists), with the headers that organisation and
/// integration configure, and stores the answer; takes up to 30 seconds. For `auth_type` `none` and `headers` with the transport
/// `http`. The status is 200 also where nothing was seen: read `sync_status` and `sync_error`. A server that needs a user stays
/// `pending`.
#[utoipa::path(
    tag = "capabilities",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    responses((status = 200, description = "What is known now.", body = ServerInfoView, example = json!(ServerInfoView::example())), LookProblems)
)]
#[post("/mcp-integrations/{integration}/look")]
pub(crate) async fn look_at_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let known = state.registry.capabilities().look(&caller.actor, &Reference::parse(&path)).await?;
    Ok(answer::ok(&ServerInfoView::from(known)))
}

/// Read what is known of the upstream of a server
///
/// What gateways saw at this server; before they did, what is known of its integration.
#[utoipa::path(
    tag = "capabilities",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "What it says about itself.", body = ServerInfoView, example = json!(ServerInfoView::example())), ReadProblems)
)]
#[get("/mcp-servers/{server}/metadata")]
pub(crate) async fn read_server_metadata(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let server = named(&caller, &path)?;
    let known = state.registry.capabilities().info_of_server(&caller.actor, &server).await?;
    Ok(answer::ok(&ServerInfoView::from(known)))
}

/// Report what a server said about itself
///
/// For gateways. The same report within ten minutes is accepted and not looked at.
#[utoipa::path(
    tag = "capabilities",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    request_body(content = ServerInfoBody, description = "What it said.", example = json!({ "server_name": "linear-mcp", "server_version": "1.4.0", "protocol_version": "2025-11-25" })),
    responses((status = 200, description = "It is stored.", body = Done, example = json!(Done::yes())), ChangeProblems)
)]
#[post("/mcp-servers/{server}/metadata/sync")]
pub(crate) async fn sync_server_metadata(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<ServerInfoBody>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let server = named(&caller, &path)?;
    state.registry.capabilities().sync_info(&caller.actor, &server, body.into()).await?;
    Ok(answer::ok(&Done::yes()))
}
