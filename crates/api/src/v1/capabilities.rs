//! What upstream servers offer: listing, switching, and what gateways saw.

use crate::examples;
use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{ChangeProblems, ListProblems};
use crate::state::ApiState;
use crate::v1::server_info::IntegrationServerInfo;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{CapabilityItem, CapabilityPage, CapabilitySwitch, PageRequest, SyncedCapabilities};
use registry_core::capability::CapabilityKind;
use registry_core::finding::{Finding, Findings};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_integration_capabilities)
        .service(update_integration_capabilities)
        .service(sync_integration)
        .service(list_server_capabilities)
        .service(update_server_capabilities)
        .service(sync_server_capabilities);
}

/// The page and the kind.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListCapabilities {
    /// Only capabilities of this kind.
    #[param(example = "tool")]
    r#type: Option<CapabilityKind>,
    /// Page number, from 1.
    #[param(minimum = 1, example = 1)]
    page: Option<u64>,
    /// Page number, from 0; only when `page` is absent.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

impl ListCapabilities {
    fn page(&self) -> Result<PageRequest, Failure> {
        numbered(self.page, self.current_page, self.page_size)
    }
}

/// The page that a 1-based `page`, or else a 0-based `current_page`, selects.
pub(crate) fn numbered(
    page: Option<u64>,
    current_page: Option<u64>,
    page_size: Option<u64>,
) -> Result<PageRequest, Failure> {
    let page = match page {
        Some(0) => return Err(Failure::parameter("page", "begins with 1.")),
        Some(page) => Some(page - 1),
        None => current_page,
    };
    query::page(page, page_size)
}

/// How many capabilities of a kind there are.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = CapabilityCount)]
pub(crate) struct CountView {
    /// All of them.
    #[schema(example = 12)]
    total: u64,
    /// Those that may be offered.
    #[schema(example = 11)]
    enabled: u64,
}

/// How many capabilities there are, by kind.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = CapabilityCounts)]
pub(crate) struct CountsView {
    /// Tools.
    tools: CountView,
    /// Prompts.
    prompts: CountView,
    /// Resources.
    resources: CountView,
    /// Resource templates.
    resource_templates: CountView,
}

/// One capability, with every member that the server describes it with.
#[derive(Serialize, ToSchema)]
#[schema(as = Capability)]
pub(crate) struct CapabilityView {
    /// The name; of a resource its URI where it has one.
    #[schema(example = "create_issue")]
    name: String,
    /// The kind.
    r#type: CapabilityKind,
    /// Whether it may be offered here.
    #[schema(example = true)]
    enabled: bool,
    /// Whether the integration allows it; a server cannot widen that.
    #[schema(example = true)]
    integration_enabled: bool,
    /// When it was first seen or switched (RFC 3339).
    created_at: DateTime<Utc>,
    /// When it was last described differently or switched (RFC 3339).
    last_updated_at: DateTime<Utc>,
    /// `title`, `description`, `icons`, `input_schema`, `output_schema`, `annotations`, `arguments`, `uri`, `uri_template`,
    /// `mime_type`, `size`: as the server describes it.
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl CapabilityView {
    /// `by_key`: what gateways compare, also where the server has another name for it.
    pub(crate) fn new(item: CapabilityItem, by_key: bool) -> Self {
        let mut members = item.definition;
        let name = members.shift_remove("name").and_then(|name| name.as_str().map(str::to_owned));
        for own in ["type", "enabled", "integration_enabled", "created_at", "last_updated_at"] {
            members.shift_remove(own);
        }
        if matches!(item.kind, CapabilityKind::Resource) {
            members.entry("uri").or_insert_with(|| json!(item.key));
        }
        Self {
            name: name.filter(|_| !by_key).unwrap_or_else(|| item.key.clone()),
            r#type: item.kind,
            enabled: item.enabled,
            integration_enabled: item.integration_enabled,
            created_at: item.created_at,
            last_updated_at: item.updated_at,
            members,
        }
    }

    fn example() -> Self {
        let mut members = Map::new();
        members.insert("title".to_owned(), json!("Create an issue"));
        Self {
            name: "create_issue".to_owned(),
            r#type: CapabilityKind::Tool,
            enabled: true,
            integration_enabled: true,
            created_at: examples::moment(),
            last_updated_at: examples::moment(),
            members,
        }
    }
}

/// One page of capabilities.
#[derive(Serialize, ToSchema)]
#[schema(as = CapabilityList)]
pub(crate) struct CapabilitiesView {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The capabilities, by kind and name.
    data: Vec<CapabilityView>,
    /// Counts over all pages and kinds.
    counts: CountsView,
    /// Number of capabilities on all pages, of the chosen kind.
    #[schema(example = 1)]
    total: u64,
    /// Whether there are items after this page.
    #[schema(example = false)]
    has_more: bool,
}

impl CapabilitiesView {
    pub(crate) fn new(found: CapabilityPage, by_key: bool) -> Self {
        let count = |kind| {
            let count = found.counts.get(&kind).copied().unwrap_or_default();
            CountView { total: count.total, enabled: count.enabled }
        };
        Self {
            object: "list",
            counts: CountsView {
                tools: count(CapabilityKind::Tool),
                prompts: count(CapabilityKind::Prompt),
                resources: count(CapabilityKind::Resource),
                resource_templates: count(CapabilityKind::ResourceTemplate),
            },
            total: found.page.total,
            has_more: found.page.has_more,
            data: found.page.items.into_iter().map(|item| CapabilityView::new(item, by_key)).collect(),
        }
    }

    pub(crate) fn example() -> Self {
        let one = CountView { total: 1, enabled: 1 };
        Self {
            object: "list",
            data: vec![CapabilityView::example()],
            counts: CountsView { tools: one, ..CountsView::default() },
            total: 1,
            has_more: false,
        }
    }
}

/// Capabilities to switch; those that are not named stay as they are.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMcpIntegrationCapabilities)]
pub(crate) struct SwitchIntegration {
    /// The capabilities to switch.
    #[schema(min_items = 1, max_items = 2000)]
    capabilities: Vec<SwitchItem>,
}

impl RequestBody for SwitchIntegration {
    const NEEDS: Permission = Permission::UpdateIntegrations;
}

/// Capabilities to switch; those that are not named stay as they are.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMcpServerCapabilities)]
pub(crate) struct SwitchServer {
    /// The capabilities to switch.
    #[schema(min_items = 1, max_items = 2000)]
    capabilities: Vec<SwitchItem>,
}

impl RequestBody for SwitchServer {
    const NEEDS: Permission = Permission::UpdateServers;
}

/// A capability to switch.
#[derive(Deserialize, ToSchema)]
#[schema(as = CapabilitySwitch)]
pub(crate) struct SwitchItem {
    /// The name; of a resource its URI or its name. It need not have been seen yet.
    #[schema(min_length = 1, max_length = 1024, example = "create_issue")]
    name: String,
    /// The kind.
    r#type: CapabilityKind,
    /// Whether it may be offered.
    #[schema(example = false)]
    enabled: bool,
}

fn switches(items: Vec<SwitchItem>) -> Vec<CapabilitySwitch> {
    items
        .into_iter()
        .map(|item| CapabilitySwitch { kind: item.r#type, name: item.name, enabled: item.enabled })
        .collect()
}

/// What was seen at a server.
#[derive(Deserialize, ToSchema)]
#[schema(as = SyncMcpServerCapabilities)]
pub(crate) struct SyncServer {
    /// Capabilities with `name` and `type`, and every other member that describes them. Those that are not named stay.
    #[schema(value_type = Vec<Object>, max_items = 5000)]
    pub(crate) capabilities: Vec<Value>,
}

impl RequestBody for SyncServer {
    const NEEDS: Permission = Permission::UpdateServers;
    const OR_NEEDS: Option<Permission> = Some(Permission::FetchGatewayDocument);
}

/// What was seen at the upstream of an integration.
#[derive(Deserialize, ToSchema)]
#[schema(as = SyncMcpIntegration)]
pub(crate) struct SyncIntegration {
    /// What the server said about itself.
    server_info: Option<IntegrationServerInfo>,
    /// Capabilities with `name` and `type`, and every other member that describes them. Those that are not named stay.
    #[schema(value_type = Option<Vec<Object>>, max_items = 5000)]
    capabilities: Option<Vec<Value>>,
}

impl RequestBody for SyncIntegration {
    const NEEDS: Permission = Permission::UpdateIntegrations;
    const OR_NEEDS: Option<Permission> = Some(Permission::FetchGatewayDocument);
    const CHANGES: bool = true;
}

/// What came of a switch or of a sync.
#[derive(Serialize, ToSchema)]
#[schema(as = CapabilitiesChanged)]
pub(crate) struct SwitchedView {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// Number of capabilities that are new or described differently; of a switch 0.
    #[schema(example = 0)]
    changed: u64,
    /// What was left out, and why; what has no effect.
    findings: Vec<Finding>,
}

impl SwitchedView {
    fn new(findings: Findings, changed: u64) -> Self {
        Self { success: true, changed, findings: findings.bounded().0 }
    }

    pub(crate) fn synced(synced: SyncedCapabilities) -> Self {
        Self::new(synced.findings, synced.changed)
    }

    pub(crate) fn example() -> Self {
        Self::new(Findings::default(), 0)
    }
}

/// List the capabilities of an integration
///
/// The tools, prompts and resources that its upstream server offers, as gateways saw them and as the registry saw them
/// itself where no user is needed.
#[utoipa::path(
    tag = "capabilities",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), ListCapabilities),
    responses((status = 200, description = "The capabilities.", body = CapabilitiesView, example = json!(CapabilitiesView::example())), ListProblems)
)]
#[get("/mcp-integrations/{integration}/capabilities")]
pub(crate) async fn list_integration_capabilities(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let asked: ListCapabilities = caller.query()?;
    let (reference, page) = (Reference::parse(&path), asked.page()?);
    let found = state
        .registry
        .capabilities()
        .of_integration(&caller.actor, &reference, asked.r#type, Some(page))
        .await?;
    Ok(answer::ok(&CapabilitiesView::new(found, false)))
}

/// Switch capabilities of an integration
///
/// Holds for all its servers; gateways are told. A capability can be switched off before anybody has seen it.
#[utoipa::path(
    tag = "capabilities",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    request_body(content = SwitchIntegration, description = "The capabilities to switch.", example = json!({ "capabilities": [{ "name": "delete_issue", "type": "tool", "enabled": false }] })),
    responses((status = 200, description = "They are switched.", body = SwitchedView, example = json!(SwitchedView::example())), ChangeProblems)
)]
#[put("/mcp-integrations/{integration}/capabilities")]
pub(crate) async fn update_integration_capabilities(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<SwitchIntegration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let reference = Reference::parse(&path);
    let capabilities = state.registry.capabilities();
    let findings =
        capabilities.switch_of_integration(&caller.actor, &reference, switches(body.capabilities)).await?;
    Ok(answer::ok(&SwitchedView::new(findings, 0)))
}

/// Report what was seen at the upstream of an integration
///
/// For gateways. Additive: what is not named stays. The same report within ten minutes is accepted and not looked at.
#[utoipa::path(
    tag = "capabilities",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    request_body(content = SyncIntegration, description = "At least one member.", example = json!({ "server_info": { "server_name": "linear-mcp", "server_version": "1.4.0" }, "capabilities": [{ "name": "create_issue", "type": "tool" }] })),
    responses((status = 200, description = "It is stored.", body = SwitchedView, example = json!(SwitchedView::example())), ChangeProblems)
)]
#[post("/mcp-integrations/{integration}/sync")]
pub(crate) async fn sync_integration(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<SyncIntegration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let reference = Reference::parse(&path);
    let capabilities = state.registry.capabilities();
    if let Some(info) = body.server_info {
        capabilities.sync_integration_info(&caller.actor, &reference, info.into()).await?;
    }
    let items = body.capabilities.unwrap_or_default();
    let synced = capabilities.sync_integration(&caller.actor, &reference, items).await?;
    Ok(answer::ok(&SwitchedView::synced(synced)))
}

/// List the capabilities of a server
///
/// What gateways saw at this server; before they did, what is known of its integration. `enabled` is what holds here:
/// a server can only narrow what its integration allows.
#[utoipa::path(
    tag = "capabilities",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace, ListCapabilities),
    responses((status = 200, description = "The capabilities.", body = CapabilitiesView, example = json!(CapabilitiesView::example())), ListProblems)
)]
#[get("/mcp-servers/{server}/capabilities")]
pub(crate) async fn list_server_capabilities(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let asked: ListCapabilities = caller.query()?;
    let (server, page) = (named(&caller, &path)?, asked.page()?);
    let found =
        state.registry.capabilities().of_server(&caller.actor, &server, asked.r#type, Some(page)).await?;
    Ok(answer::ok(&CapabilitiesView::new(found, false)))
}

/// Switch capabilities of a server
///
/// Narrows what this server offers; gateways are told. What the integration switched off stays off.
#[utoipa::path(
    tag = "capabilities",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    request_body(content = SwitchServer, description = "The capabilities to switch.", example = json!({ "capabilities": [{ "name": "delete_issue", "type": "tool", "enabled": false }] })),
    responses((status = 200, description = "They are switched.", body = SwitchedView, example = json!(SwitchedView::example())), ChangeProblems)
)]
#[put("/mcp-servers/{server}/capabilities")]
pub(crate) async fn update_server_capabilities(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<SwitchServer>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let server = named(&caller, &path)?;
    let capabilities = state.registry.capabilities();
    let findings = capabilities.switch_of_server(&caller.actor, &server, switches(body.capabilities)).await?;
    Ok(answer::ok(&SwitchedView::new(findings, 0)))
}

/// Report the capabilities that were seen at a server
///
/// For gateways. Additive: what is not named stays, because users see different parts. A capability that cannot be kept
/// is left out with a warning. The same report within ten minutes is accepted and not looked at.
#[utoipa::path(
    tag = "capabilities",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    request_body(content = SyncServer, description = "What was seen.", example = json!({ "capabilities": [{ "name": "create_issue", "type": "tool", "title": "Create an issue" }] })),
    responses((status = 200, description = "It is stored.", body = SwitchedView, example = json!(SwitchedView::example())), ChangeProblems)
)]
#[post("/mcp-servers/{server}/capabilities/sync")]
pub(crate) async fn sync_server_capabilities(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<SyncServer>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let server = named(&caller, &path)?;
    let synced = state.registry.capabilities().sync_server(&caller.actor, &server, body.capabilities).await?;
    Ok(answer::ok(&SwitchedView::synced(synced)))
}
