//! Workspace access to an integration, and the workspace layer of its Advanced Configuration.

use crate::examples;
use crate::http::answer::{self, Answer, Changed, Listed};
use crate::http::body::{RequestBody, ValidatedJson, written};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::{ChangeProblems, ListProblems, ReadProblems, RevertProblems};
use crate::state::ApiState;
use crate::v1::revisions::{self, ListRevisions, RevisionView};
use crate::v1::save_options::SaveOptions;
use actix_web::{get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{Access, AccessChange, AccessUpdate, ConfigurationScope};
use registry_core::locate::placed;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::rollout::RolloutOptions;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(read_integration_workspaces)
        .service(update_integration_workspaces)
        .service(list_access_revisions)
        .service(revert_access);
}

/// Whether workspaces without an access row may use an integration.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = GlobalWorkspaceAccess)]
pub(crate) struct GlobalAccess {
    /// Whether they may use it.
    #[schema(example = false)]
    pub(crate) enabled: bool,
}

/// Changes to the access of workspaces. Workspaces that are not named stay unchanged.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMcpIntegrationWorkspaces)]
pub(crate) struct UpdateAccess {
    /// The workspaces to change, each at most once.
    #[schema(max_items = 1000)]
    workspaces: Option<Vec<AccessItem>>,
    /// Whether workspaces without an access row may use the integration.
    global_workspace_access: Option<GlobalAccess>,
    /// With `global_workspace_access`: also set every existing access row to that value.
    #[schema(example = false)]
    override_existing_workspace_access: Option<bool>,
}

impl RequestBody for UpdateAccess {
    const NEEDS: Permission = Permission::UpdateIntegrations;
    const CHANGES: bool = true;
}

/// A change to the access of one workspace.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMcpIntegrationWorkspace)]
pub(crate) struct AccessItem {
    /// Id or slug of the workspace.
    #[schema(example = "acme")]
    id: String,
    /// Whether the workspace may use the integration.
    #[schema(example = true)]
    enabled: Option<bool>,
    /// The workspace layer of the Advanced Configuration, replacing the old one; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    configurations: Patch<Box<RawValue>>,
}

/// The format of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadAccess {
    /// With any value the list is in `data` with its `total`, else in `workspaces`.
    #[param(example = "v2")]
    version: Option<String>,
}

/// The workspaces that may use an integration.
#[derive(Serialize, ToSchema)]
#[schema(as = McpIntegrationWorkspaces)]
pub(crate) struct AccessListView {
    /// Id of the integration.
    #[schema(example = "integration")]
    object: &'static str,
    /// Whether workspaces without an access row may use the integration.
    global_workspace_access: GlobalAccess,
    /// Every workspace that may use the integration or has an access row, sorted by slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspaces: Option<Vec<AccessView>>,
    /// The same list, when `version` is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<AccessView>>,
    /// Number of workspaces, when `version` is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

/// The access of one workspace to an integration.
#[derive(Serialize, ToSchema)]
#[schema(as = McpIntegrationWorkspace)]
pub(crate) struct AccessView {
    /// Id of the workspace; its slug for callers bound to a workspace, and where the last change named it so.
    id: String,
    /// Id of the workspace, for every caller.
    workspace_id: Uuid,
    /// Slug of the workspace.
    slug: String,
    /// Name of the workspace.
    name: String,
    /// Whether the workspace may use the integration.
    enabled: bool,
    /// Always `active`.
    status: &'static str,
    /// The workspace layer as it was written, with secrets replaced by markers.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Number of servers of the integration in this workspace.
    servers_count: u64,
    /// Version of the access row; grows with each change; 0 when there is no row.
    version: i64,
    /// When the access row was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the access row last changed (RFC 3339).
    updated_at: DateTime<Utc>,
    /// The same timestamp, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
}

impl AccessView {
    fn new(access: Access, slugs: bool) -> Result<Self, Failure> {
        let workspace = access.workspace;
        let slug = String::from(workspace.slug);
        Ok(Self {
            id: if slugs || access.by_slug { slug.clone() } else { workspace.id.to_string() },
            workspace_id: workspace.id.0,
            slug,
            name: workspace.name,
            enabled: access.enabled,
            status: "active",
            configurations: answer::stored(access.configuration)?,
            servers_count: access.servers,
            version: access.version,
            created_at: access.created_at,
            updated_at: access.updated_at,
            last_updated_at: access.updated_at,
        })
    }

    fn example() -> Self {
        Self {
            id: examples::id(2).to_string(),
            workspace_id: examples::id(2),
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            enabled: true,
            status: "active",
            configurations: None,
            servers_count: 1,
            version: 1,
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}

impl AccessListView {
    fn example() -> Self {
        Self {
            object: "integration",
            global_workspace_access: GlobalAccess { enabled: false },
            workspaces: Some(vec![AccessView::example()]),
            data: None,
            total: None,
        }
    }
}

/// List the workspaces that may use an integration
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), ReadAccess),
    responses(
        (status = 200, description = "The workspaces, as far as the caller may see them.", body = AccessListView, example = json!(AccessListView::example())),
        ReadProblems,
    )
)]
#[get("/mcp-integrations/{integration}/workspaces")]
pub(crate) async fn read_integration_workspaces(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let asked: ReadAccess = caller.query()?;
    let slugs = caller.actor.workspace().is_some();
    let found = state.registry.access().list(&caller.actor, &Reference::parse(&path)).await?;
    let rows: Vec<_> =
        found.workspaces.into_iter().map(|row| AccessView::new(row, slugs)).collect::<Result<_, _>>()?;
    let total = rows.len();
    let (workspaces, data) = if asked.version.is_some() { (None, Some(rows)) } else { (Some(rows), None) };
    let view = AccessListView {
        object: "integration",
        global_workspace_access: GlobalAccess { enabled: found.global_access },
        workspaces,
        total: data.is_some().then_some(total),
        data,
    };
    Ok(answer::ok(&view))
}

/// Change which workspaces may use an integration
///
/// An upsert: workspaces that are not named stay unchanged. Enabling access creates no server.
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), SaveOptions),
    request_body(
        content = UpdateAccess, description = "At least one member.",
        example = json!({ "workspaces": [{ "id": "acme", "enabled": true, "configurations": { "oauth_client_metadata": { "client_name": "Acme EU" } } }] })
    ),
    responses((status = 200, description = "The configuration was saved.", body = Changed, example = json!(Changed::example())), ChangeProblems)
)]
#[put("/mcp-integrations/{integration}/workspaces")]
pub(crate) async fn update_integration_workspaces(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateAccess>,
) -> Answer {
    let (caller, body, text) = sent.into_parts();
    let changes = body.workspaces.unwrap_or_default().into_iter().map(|item| AccessChange {
        workspace: Reference::parse(&item.id),
        enabled: item.enabled,
        configuration: written(item.configurations),
    });
    let update = AccessUpdate {
        workspaces: changes.collect(),
        global_access: body.global_workspace_access.map(|global| global.enabled),
        override_existing: body.override_existing_workspace_access.unwrap_or_default(),
        replacements: SaveOptions::of(&caller)?,
    };
    let saved = state.registry.access().update(&caller.actor, &Reference::parse(&path), update).await?;
    let findings = placed(&text, saved.findings);
    Ok(answer::ok(&Changed::new(findings, saved.affected)))
}

/// List the saved versions of a workspace's layer of an integration
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ListRevisions,
    ),
    responses(
        (status = 200, description = "The versions, newest first.", body = Listed<RevisionView>, example = json!(Listed::example(RevisionView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-integrations/{integration}/workspaces/{workspace}/revisions")]
pub(crate) async fn list_access_revisions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let page = caller.query::<ListRevisions>()?.page()?;
    let (integration, workspace) = path.into_inner();
    let found = state
        .registry
        .configurations()
        .revisions(&caller.actor, &subject(&integration, &workspace), page)
        .await?;
    Ok(answer::ok(&Listed::new(found, RevisionView::try_from)?))
}

/// Restore an earlier version of a workspace's layer
///
/// Saved as a new version. Secrets replaced since then keep their current values; `findings` names them.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("number" = i64, Path, description = "Number of the version.", example = 3),
        ("If-Match" = Option<String>, Header, description = "The access row's `version` in quotes; a different current version gives 412.", example = "\"2\""),
        SaveOptions,
    ),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "The access row's new version.")), example = json!(Changed::example())), RevertProblems)
)]
#[post("/mcp-integrations/{integration}/workspaces/{workspace}/revisions/{number}/revert")]
pub(crate) async fn revert_access(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String, String)>,
) -> Answer {
    let (integration, workspace, number) = path.into_inner();
    let subject = subject(&integration, &workspace);
    let number = revisions::number(&number)?;
    revisions::revert(&state, &caller, &subject, number, RolloutOptions::UNCHECKED).await
}

fn subject(integration: &str, workspace: &str) -> ConfigurationScope {
    ConfigurationScope::Access {
        integration: Reference::parse(integration),
        workspace: Reference::parse(workspace),
    }
}
