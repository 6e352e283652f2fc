//! Integrations: upstream MCP servers with their authentication and Advanced Configuration.

use crate::examples;
use crate::http::answer::{self, Answer, Changed, Created, Listed, Removed};
use crate::http::body::{Clearable, Document, RequestBody, Sent, present, written};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{
    ChangeProblems, CreateProblems, DeleteProblems, ListProblems, ReadProblems, RevertProblems,
};
use crate::state::ApiState;
use crate::v1::access::GlobalAccess;
use crate::v1::revisions::{ListRevisions, RevisionView};
use crate::v1::save_options::HowToSave;
use crate::v1::secret_mappings::{self, MappingBody, MappingView};
use actix_web::{delete, get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{
    ConfigurationScope, Integration, IntegrationChange, IntegrationFilter, IntegrationSort, NewIntegration,
    OwnerFilter,
};
use registry_core::locate::placed;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create_integration)
        .service(list_integrations)
        .service(read_integration)
        .service(update_integration)
        .service(delete_integration)
        .service(list_integration_revisions)
        .service(revert_integration);
}

/// An integration to make.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = CreateMcpIntegration)]
pub(crate) struct CreateIntegration {
    /// Its name for people.
    #[validate(length(min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    pub(crate) name: String,
    /// Its name in URLs: letters, digits, `-` and `_`; never changes. Made from the name when absent.
    #[schema(min_length = 3, max_length = 50, pattern = "^[a-zA-Z0-9_-]+$", example = "linear")]
    slug: Option<String>,
    /// What it is for.
    #[validate(length(max = 500))]
    #[schema(max_length = 500, example = "Issues and projects.")]
    description: Option<String>,
    /// The upstream MCP server: http or https, without credentials and fragment.
    #[schema(format = "uri", example = "https://mcp.linear.app/mcp")]
    url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The MCP transport.
    transport: Transport,
    /// Id or slug of the workspace it shall belong to; organisation-wide when absent.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// Accepted for clients of the hosted product and not used: a deployment has one organisation.
    #[expect(dead_code, reason = "accepted, documented, not used")]
    organisation_id: Option<String>,
    /// The Advanced Configuration. Secrets in it are sealed and never shown again.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Members that come from where the operator keeps secrets.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for CreateIntegration {
    const NEEDS: Permission = Permission::CreateIntegrations;
}

impl From<CreateIntegration> for NewIntegration {
    fn from(body: CreateIntegration) -> Self {
        Self {
            name: body.name,
            slug: query::filled(body.slug),
            description: body.description,
            url: body.url,
            auth_type: body.auth_type,
            transport: body.transport,
            workspace: query::reference(body.workspace_id),
            configuration: body.configurations.map(|raw| raw.get().to_owned()),
            secret_mappings: secret_mappings::read(body.secret_mappings.unwrap_or_default()),
        }
    }
}

/// What to change on an integration; members that are not sent stay as they are.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = UpdateMcpIntegration)]
pub(crate) struct UpdateIntegration {
    /// Its name for people.
    #[validate(length(min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    name: Option<String>,
    /// What it is for; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 500))]
    #[schema(value_type = Option<String>, max_length = 500, example = "Issues and projects.")]
    description: Clearable<String>,
    /// The upstream MCP server. Secrets that were entered for the old one must be entered again.
    #[schema(format = "uri", example = "https://mcp.linear.app/mcp")]
    url: Option<String>,
    /// How gateways authenticate there.
    auth_type: Option<AuthType>,
    /// The MCP transport.
    transport: Option<Transport>,
    /// `disabled` switches it off: gateways get no client, nothing new is registered, and what there is is withdrawn after
    /// `worker.withdraw_after`. `active` switches it on again; a client that is still there is kept.
    status: Option<IntegrationStatus>,
    /// The whole Advanced Configuration, replacing the old one; null clears it. The marker of a sealed secret, sent back
    /// where it stood, keeps the secret.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    pub(crate) configurations: Document,
    /// What you say of this version of the configuration; kept with the revision.
    #[validate(length(max = 500))]
    #[schema(max_length = 500, example = "New legal links.")]
    note: Option<String>,
    /// Members that come from where the operator keeps secrets.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for UpdateIntegration {
    const NEEDS: Permission = Permission::UpdateIntegrations;
    const CHANGES: bool = true;
}

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
    fn of(enabled: bool) -> Self {
        if enabled { Self::Active } else { Self::Disabled }
    }
}

/// Whose integrations to list.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IntegrationType)]
pub(crate) enum Owner {
    /// Those of any owner.
    #[default]
    All,
    /// Those that belong to a workspace.
    Workspace,
    /// Those that belong to the organisation.
    Organisation,
}

/// In which order to list integrations.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IntegrationSort)]
pub(crate) enum Sort {
    #[default]
    Slug,
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    Changed,
    #[serde(rename = "-changed")]
    ChangedDescending,
    Failures,
    #[serde(rename = "-failures")]
    FailuresDescending,
}

impl From<Sort> for IntegrationSort {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Slug => Self::Slug,
            Sort::Name => Self::Name,
            Sort::NameDescending => Self::NameDescending,
            Sort::Changed => Self::Changed,
            Sort::ChangedDescending => Self::ChangedDescending,
            Sort::Failures => Self::Failures,
            Sort::FailuresDescending => Self::FailuresDescending,
        }
    }
}

/// Which integrations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListIntegrations {
    /// Part of the name, slug or URL, or a whole `client_id`, ignoring case.
    #[param(max_length = 300, example = "linear")]
    search: Option<String>,
    /// Whose; all when absent.
    #[param(inline)]
    r#type: Option<Owner>,
    /// Only those that this workspace (id or slug) may use.
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Only this authentication.
    #[param(inline)]
    auth_type: Option<AuthType>,
    /// Only those in use with a registration that needs attention, or whose address did not answer when last tested.
    #[param(example = false)]
    needs_attention: Option<bool>,
    /// Only those that set client metadata themselves.
    #[param(example = false)]
    custom_metadata: Option<bool>,
    /// Only those with a client that was registered by hand.
    #[param(example = false)]
    pre_registered: Option<bool>,
    /// Only those in use, or those that are switched off.
    #[param(inline)]
    status: Option<IntegrationStatus>,
    /// In which order; by slug when absent. A `-` in front turns it round: `-changed` begins with the most recently
    /// changed, `-failures` with the one that has most registrations in trouble.
    #[param(inline)]
    sort: Option<Sort>,
    /// The page, from 0.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items a page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
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
    /// Its name for people.
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
    fn example() -> Self {
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

/// Create an integration
///
/// Its Advanced Configuration is checked: errors refuse it (422), warnings and notices come back in `findings`.
#[utoipa::path(
    tag = "integrations",
    request_body(
        content = CreateIntegration, description = "The integration.",
        examples(
            ("plain" = (summary = "Nothing but the address", value = json!({ "name": "Linear", "url": examples::UPSTREAM, "auth_type": "oauth_auto", "transport": "http" }))),
            ("branded" = (summary = "With the organisation's own client metadata", value = json!({
                "name": "Linear", "slug": "linear", "url": examples::UPSTREAM, "auth_type": "oauth_auto", "transport": "http", "configurations": examples::configuration()
            }))),
        )
    ),
    responses((status = 200, description = "It was made.", body = Created, example = json!(Created::example())), CreateProblems)
)]
#[post("/mcp-integrations")]
pub(crate) async fn create_integration(state: web::Data<ApiState>, sent: Sent<CreateIntegration>) -> Answer {
    let (caller, body, text) = sent.into_parts();
    let saved = state.registry.integrations().create(&caller.actor, body.into()).await?;
    let made = saved.value;
    let findings = placed(&text, saved.findings);
    Ok(answer::versioned(made.version, &Created::new(made.id.0, made.slug, findings, saved.affected)))
}

/// List integrations
#[utoipa::path(
    tag = "integrations",
    params(ListIntegrations),
    responses(
        (status = 200, description = "The integrations the caller may see.", body = Listed<IntegrationView>, example = json!(Listed::example(IntegrationView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-integrations")]
pub(crate) async fn list_integrations(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListIntegrations = caller.query()?;
    let page = query::page(asked.current_page, asked.page_size)?;
    let filter = IntegrationFilter {
        search: query::filled(asked.search),
        owner: match asked.r#type.unwrap_or_default() {
            Owner::All => OwnerFilter::All,
            Owner::Workspace => OwnerFilter::Workspace,
            Owner::Organisation => OwnerFilter::Organisation,
        },
        workspace: query::reference(asked.workspace_id),
        auth_type: asked.auth_type,
        attention: asked.needs_attention.unwrap_or_default(),
        custom_metadata: asked.custom_metadata.unwrap_or_default(),
        pre_registered: asked.pre_registered.unwrap_or_default(),
        enabled: asked.status.map(|status| status == IntegrationStatus::Active),
        sort: asked.sort.unwrap_or_default().into(),
    };
    let found = state.registry.integrations().list(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, page, IntegrationView::try_from)?))
}

/// Read an integration
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    responses(
        (status = 200, description = "The integration.", body = IntegrationView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(IntegrationView::example())),
        ReadProblems,
    )
)]
#[get("/mcp-integrations/{integration}")]
pub(crate) async fn read_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.integrations().get(&caller.actor, &Reference::parse(&path)).await?;
    Ok(answer::versioned(found.version, &IntegrationView::try_from(found)?))
}

/// Change an integration
///
/// `configurations` replaces the whole Advanced Configuration; members that are not sent stay as they are.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; another present version gives 412.", example = "\"4\""),
        HowToSave,
    ),
    request_body(content = UpdateIntegration, description = "At least one member.", example = json!({ "configurations": examples::configuration() })),
    responses((status = 200, description = "It was saved.", body = Changed, headers(("ETag" = String, description = "Its new version.")), example = json!(Changed::example())), ChangeProblems)
)]
#[put("/mcp-integrations/{integration}")]
pub(crate) async fn update_integration(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: Sent<UpdateIntegration>,
) -> Answer {
    let (caller, body, text) = sent.into_parts();
    let change = IntegrationChange {
        name: body.name,
        description: body.description,
        url: body.url,
        auth_type: body.auth_type,
        transport: body.transport,
        configuration: written(body.configurations),
        note: body.note,
        enabled: body.status.map(|status| status == IntegrationStatus::Active),
        secret_mappings: body.secret_mappings.map(secret_mappings::read),
        replacements: HowToSave::of(&caller)?,
    };
    let expected = caller.expected_version()?;
    let saved = state
        .registry
        .integrations()
        .update(&caller.actor, &Reference::parse(&path), change, expected)
        .await?;
    let findings = placed(&text, saved.findings);
    Ok(answer::versioned(saved.value.version, &Changed::new(findings, saved.affected)))
}

/// Delete an integration
///
/// With its servers. Their clients are withdrawn upstream.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; another present version gives 412.", example = "\"4\""),
    ),
    responses((status = 200, description = "It is gone; what went along.", body = Removed, example = json!(Removed::example())), DeleteProblems)
)]
#[delete("/mcp-integrations/{integration}")]
pub(crate) async fn delete_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let expected = caller.expected_version()?;
    let deleted =
        state.registry.integrations().delete(&caller.actor, &Reference::parse(&path), expected).await?;
    Ok(answer::ok(&Removed::from(deleted)))
}

/// List the saved versions of an integration's Advanced Configuration
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), ListRevisions),
    responses(
        (status = 200, description = "The versions, newest first.", body = Listed<RevisionView>, example = json!(Listed::example(RevisionView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-integrations/{integration}/revisions")]
pub(crate) async fn list_integration_revisions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let page = caller.query::<ListRevisions>()?.page()?;
    let subject = ConfigurationScope::Integration(Reference::parse(&path));
    let found = state.registry.configurations().revisions(&caller.actor, &subject, page).await?;
    Ok(answer::ok(&Listed::new(found, page, RevisionView::try_from)?))
}

/// Make an earlier version of an integration's Advanced Configuration the present one
///
/// As a new version. Secrets replaced since then stay as they are now; `findings` says which.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("number" = i64, Path, description = "Number of the version.", example = 3),
        ("If-Match" = Option<String>, Header, description = "The integration's `ETag` that was read; another present version gives 412.", example = "\"4\""),
        HowToSave,
    ),
    responses((status = 200, description = "It was saved.", body = Changed, headers(("ETag" = String, description = "The integration's new version.")), example = json!(Changed::example())), RevertProblems)
)]
#[post("/mcp-integrations/{integration}/revisions/{number}/revert")]
pub(crate) async fn revert_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (integration, number) = path.into_inner();
    let subject = ConfigurationScope::Integration(Reference::parse(&integration));
    let number = super::revisions::number(&number)?;
    let saved = state
        .registry
        .configurations()
        .revert(&caller.actor, &subject, number, caller.expected_version()?, HowToSave::of(&caller)?)
        .await?;
    Ok(answer::versioned(saved.value.version, &Changed::of(saved)))
}
