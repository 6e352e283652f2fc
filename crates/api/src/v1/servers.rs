//! Servers: integrations made available in one workspace, and what is sent for them.

use crate::examples;
use crate::http::answer::{self, AffectedView, Answer, Changed, Listed, Removed};
use crate::http::body::{Clearable, Document, RequestBody, Sent, present, written};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{
    ChangeProblems, CreateServerProblems, DeleteProblems, ListProblems, ReadProblems, RevertProblems,
};
use crate::state::ApiState;
use crate::v1::revisions::{self, ListRevisions, RevisionView};
use crate::v1::save_options::HowToSave;
use crate::v1::secret_mappings::{self, MappingBody, MappingView};
use actix_web::{delete, get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{
    ConfigurationScope, NewServer, RegistrationBrief, Saved, Server, ServerChange, ServerFilter, ServerRef,
};
use registry_core::finding::Finding;
use registry_core::locate::placed;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, State, Transport};
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create_server)
        .service(list_servers)
        .service(read_server)
        .service(update_server)
        .service(delete_server)
        .service(list_server_revisions)
        .service(revert_server);
}

/// A server to make.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = CreateMcpServer)]
pub(crate) struct CreateServer {
    /// Its name for people.
    #[validate(length(min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    name: String,
    /// Id or slug of the integration it is made of.
    #[schema(example = "linear")]
    mcp_integration_id: String,
    /// Id or slug of the workspace; may be absent for callers bound to one.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// Its name in URLs, unique in the workspace; never changes. Made from the name when absent.
    #[schema(min_length = 3, max_length = 50, pattern = "^[a-zA-Z0-9_-]+$", example = "linear")]
    slug: Option<String>,
    /// What it is for.
    #[validate(length(max = 500))]
    #[schema(max_length = 500, example = "Issues of the Acme team.")]
    description: Option<String>,
    /// The server layer of the Advanced Configuration.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Accepted for clients of the hosted product and not used: a deployment has one organisation.
    #[expect(dead_code, reason = "accepted, documented, not used")]
    organisation_id: Option<String>,
    /// Members that come from where the operator keeps secrets.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for CreateServer {
    const NEEDS: Permission = Permission::CreateServers;
}

/// What to change on a server; members that are not sent stay as they are.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = UpdateMcpServer)]
pub(crate) struct UpdateServer {
    /// Its name for people.
    #[validate(length(min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    name: Option<String>,
    /// What it is for; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[validate(length(max = 500))]
    #[schema(value_type = Option<String>, max_length = 500, example = "Issues of the Acme team.")]
    description: Clearable<String>,
    /// The whole server layer of the Advanced Configuration, replacing the old one; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    configurations: Document,
    /// What you say of this version of the configuration; kept with the revision.
    #[validate(length(max = 500))]
    #[schema(max_length = 500, example = "Fewer scopes.")]
    note: Option<String>,
    /// Members that come from where the operator keeps secrets.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for UpdateServer {
    const NEEDS: Permission = Permission::UpdateServers;
    const CHANGES: bool = true;
}

/// Which servers to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListServers {
    /// Only those of this workspace (id or slug).
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Only those of this integration (id or slug).
    #[param(example = "linear")]
    mcp_integration_id: Option<String>,
    /// Only these: ids or slugs, separated by commas.
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, max_items = 100, example = json!(["linear", "github"]))]
    id: Option<String>,
    /// Part of the name or slug, ignoring case.
    #[param(max_length = 300, example = "linear")]
    search: Option<String>,
    /// The page, from 0.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items a page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// Which of several servers with the same slug is meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InWorkspace {
    /// Id or slug of the workspace, where the slug of the server alone fits several.
    #[param(example = "acme")]
    workspace_id: Option<String>,
}

/// How a server's registration stands.
#[derive(Serialize, ToSchema)]
#[schema(as = RegistrationSummary)]
pub(crate) struct RegistrationSummary {
    /// Its id.
    id: Uuid,
    /// Where the effort stands.
    state: State,
    /// Whether there is an active, unexpired client.
    usable: bool,
}

impl From<RegistrationBrief> for RegistrationSummary {
    fn from(brief: RegistrationBrief) -> Self {
        Self { id: brief.id.0, state: brief.state, usable: brief.usable }
    }
}

/// A server that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedMcpServer)]
pub(crate) struct CreatedServer {
    /// Its id.
    id: Uuid,
    /// Its slug: given, or made from the name.
    #[schema(example = "linear")]
    slug: String,
    /// Its registration, which starts at once; null where no client is needed.
    registration: Option<RegistrationSummary>,
    /// Warnings and notices about what was sent; nothing in it prevented saving.
    findings: Vec<Finding>,
    /// What the change reached.
    affected: AffectedView,
}

impl CreatedServer {
    fn example() -> Self {
        Self {
            id: examples::id(4),
            slug: "linear".to_owned(),
            registration: Some(RegistrationSummary {
                id: examples::id(5),
                state: State::Queued,
                usable: false,
            }),
            findings: Vec::new(),
            affected: examples::affected().into(),
        }
    }
}

/// A server.
#[derive(Serialize, ToSchema)]
#[schema(as = McpServer)]
pub(crate) struct ServerView {
    /// Always `mcp-server`.
    #[schema(example = "mcp-server")]
    object: &'static str,
    /// Its id.
    id: Uuid,
    /// Its name in URLs, unique in the workspace.
    slug: String,
    /// Its name for people.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Always `active`.
    status: &'static str,
    /// The integration it is made of.
    mcp_integration_id: Uuid,
    /// Slug of the integration.
    mcp_integration_slug: String,
    /// Name of the integration.
    mcp_integration_name: String,
    /// The upstream MCP server.
    #[schema(format = "uri")]
    mcp_integration_url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The MCP transport.
    transport: Transport,
    /// The workspace it is in.
    workspace_id: Uuid,
    /// Slug of the workspace.
    workspace_slug: String,
    /// Name of the workspace.
    workspace_name: String,
    /// Where users reach it, at the first gateway; null while no gateway is configured.
    #[schema(format = "uri")]
    url: Option<String>,
    /// The server layer of the Advanced Configuration as it was written, secrets replaced by markers.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Members that come from where the operator keeps secrets.
    secret_mappings: Vec<MappingView>,
    /// Its registration; null where no client is needed.
    registration: Option<RegistrationSummary>,
    /// Counts its changes, for `If-Match`.
    version: i64,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// The same, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
}

impl ServerView {
    fn new(server: Server, gateway_url: Option<&String>) -> Result<Self, Failure> {
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
            version: server.version,
            created_by: server.created_by,
            created_at: server.created_at,
            updated_at: server.updated_at,
            last_updated_at: server.updated_at,
        })
    }

    fn example() -> Self {
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
            version: 1,
            created_by: "Ada".to_owned(),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}

/// Create a server
///
/// Makes an integration available in a workspace. Its OAuth client is registered at once, before any user needs it.
/// An organisation's admin grants the workspace access on the way; a manager of a workspace without access gets 403.
#[utoipa::path(
    tag = "servers",
    request_body(content = CreateServer, description = "The server.", example = json!({ "name": "Linear", "mcp_integration_id": "linear", "workspace_id": "acme" })),
    responses((status = 200, description = "It was made.", body = CreatedServer, example = json!(CreatedServer::example())), CreateServerProblems)
)]
#[post("/mcp-servers")]
pub(crate) async fn create_server(state: web::Data<ApiState>, sent: Sent<CreateServer>) -> Answer {
    let (caller, body, text) = sent.into_parts();
    let new = NewServer {
        integration: Reference::parse(&body.mcp_integration_id),
        workspace: query::reference(body.workspace_id),
        name: body.name,
        slug: query::filled(body.slug),
        description: body.description,
        configuration: body.configurations.map(|raw| raw.get().to_owned()),
        secret_mappings: secret_mappings::read(body.secret_mappings.unwrap_or_default()),
    };
    let Saved { value: made, findings, affected } =
        state.registry.servers().create(&caller.actor, new).await?;
    let view = CreatedServer {
        id: made.id.0,
        slug: made.slug.into(),
        registration: made.registration.map(Into::into),
        findings: placed(&text, findings).0,
        affected: affected.into(),
    };
    Ok(answer::versioned(made.version, &view))
}

/// List servers
#[utoipa::path(
    tag = "servers",
    params(ListServers),
    responses(
        (status = 200, description = "The servers the caller may see, by workspace and slug.", body = Listed<ServerView>, example = json!(Listed::example(ServerView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-servers")]
pub(crate) async fn list_servers(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListServers = caller.query()?;
    let page = query::page(asked.current_page, asked.page_size)?;
    let filter = ServerFilter {
        workspace: query::reference(asked.workspace_id),
        integration: query::reference(asked.mcp_integration_id),
        search: query::filled(asked.search),
        ids: query::words(asked.id).iter().map(|word| Reference::parse(word)).collect(),
    };
    let found = state.registry.servers().list(&caller.actor, filter, page).await?;
    let shared = state.registry.shared_settings();
    let gateway = shared.gateway_urls.first();
    Ok(answer::ok(&Listed::new(found, page, |one| ServerView::new(one, gateway))?))
}

/// Read a server
#[utoipa::path(
    tag = "servers",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses(
        (status = 200, description = "The server.", body = ServerView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(ServerView::example())),
        ReadProblems,
    )
)]
#[get("/mcp-servers/{server}")]
pub(crate) async fn read_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.servers().get(&caller.actor, &named(&caller, &path)?).await?;
    let shared = state.registry.shared_settings();
    let gateway = shared.gateway_urls.first();
    Ok(answer::versioned(found.version, &ServerView::new(found, gateway)?))
}

/// Change a server
///
/// `configurations` replaces the whole server layer; members that are not sent stay as they are.
#[utoipa::path(
    tag = "servers",
    params(
        ("server" = String, Path, description = "Id or slug of the server.", example = "linear"),
        InWorkspace,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; another present version gives 412.", example = "\"1\""),
        HowToSave,
    ),
    request_body(content = UpdateServer, description = "At least one member.", example = json!({ "configurations": { "oauth_client_metadata": { "scope": "read:projects write:issues admin:webhooks" } } })),
    responses((status = 200, description = "It was saved.", body = Changed, headers(("ETag" = String, description = "Its new version.")), example = json!(Changed::example())), ChangeProblems)
)]
#[put("/mcp-servers/{server}")]
pub(crate) async fn update_server(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: Sent<UpdateServer>,
) -> Answer {
    let (caller, body, text) = sent.into_parts();
    let change = ServerChange {
        name: body.name,
        description: body.description,
        configuration: written(body.configurations),
        note: body.note,
        secret_mappings: body.secret_mappings.map(secret_mappings::read),
        replacements: HowToSave::of(&caller)?,
    };
    let (server, expected) = (named(&caller, &path)?, caller.expected_version()?);
    let saved = state.registry.servers().update(&caller.actor, &server, change, expected).await?;
    let findings = placed(&text, saved.findings);
    Ok(answer::versioned(saved.value.version, &Changed::new(findings, saved.affected)))
}

/// Delete a server
///
/// Its slug is free at once; its client is withdrawn upstream.
#[utoipa::path(
    tag = "servers",
    params(
        ("server" = String, Path, description = "Id or slug of the server.", example = "linear"),
        InWorkspace,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; another present version gives 412.", example = "\"1\""),
    ),
    responses((status = 200, description = "It is gone; what went along.", body = Removed, example = json!(Removed::example())), DeleteProblems)
)]
#[delete("/mcp-servers/{server}")]
pub(crate) async fn delete_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let (server, expected) = (named(&caller, &path)?, caller.expected_version()?);
    let deleted = state.registry.servers().delete(&caller.actor, &server, expected).await?;
    Ok(answer::ok(&Removed::from(deleted)))
}

/// List the saved versions of a server's layer
#[utoipa::path(
    tag = "servers",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace, ListRevisions),
    responses(
        (status = 200, description = "The versions, newest first.", body = Listed<RevisionView>, example = json!(Listed::example(RevisionView::example()))),
        ListProblems,
    )
)]
#[get("/mcp-servers/{server}/revisions")]
pub(crate) async fn list_server_revisions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let page = caller.query::<ListRevisions>()?.page()?;
    let subject = ConfigurationScope::Server(named(&caller, &path)?);
    let found = state.registry.configurations().revisions(&caller.actor, &subject, page).await?;
    Ok(answer::ok(&Listed::new(found, page, RevisionView::try_from)?))
}

/// Make an earlier version of a server's layer the present one
///
/// As a new version. Secrets replaced since then stay as they are now; `findings` says which.
#[utoipa::path(
    tag = "servers",
    params(
        ("server" = String, Path, description = "Id or slug of the server.", example = "linear"),
        ("number" = i64, Path, description = "Number of the version.", example = 3),
        InWorkspace,
        ("If-Match" = Option<String>, Header, description = "The server's `ETag` that was read; another present version gives 412.", example = "\"1\""),
        HowToSave,
    ),
    responses((status = 200, description = "It was saved.", body = Changed, headers(("ETag" = String, description = "The server's new version.")), example = json!(Changed::example())), RevertProblems)
)]
#[post("/mcp-servers/{server}/revisions/{number}/revert")]
pub(crate) async fn revert_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (server, number) = path.into_inner();
    let subject = ConfigurationScope::Server(named(&caller, &server)?);
    let number = revisions::number(&number)?;
    let saved = state
        .registry
        .configurations()
        .revert(&caller.actor, &subject, number, caller.expected_version()?, HowToSave::of(&caller)?)
        .await?;
    Ok(answer::versioned(saved.value.version, &Changed::of(saved)))
}

/// The server that path and query name.
pub(crate) fn named(caller: &Caller, server: &str) -> Result<ServerRef, Failure> {
    let asked: InWorkspace = caller.query()?;
    Ok(ServerRef { server: Reference::parse(server), workspace: query::reference(asked.workspace_id) })
}
