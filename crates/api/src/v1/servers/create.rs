//! Create a server.

use crate::examples;
use crate::http::answer::{self, AffectedView, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::query;
use crate::http::responses::CreateServerProblems;
use crate::state::ApiState;
use crate::v1::secret_mappings::{self, MappingBody};
use crate::v1::servers::view::RegistrationSummary;
use actix_web::{post, web};
use registry::{NewServer, Saved};
use registry_core::finding::Finding;
use registry_core::locate::placed;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// A server to create.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateMcpServer)]
pub(crate) struct CreateServer {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    name: String,
    /// Id or slug of the integration.
    #[schema(example = "linear")]
    mcp_integration_id: String,
    /// Id or slug of the workspace; optional for callers bound to one.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// Slug, used in URLs, unique in the workspace; never changes. Made from the name when absent or empty.
    #[schema(max_length = 50, pattern = "^([a-zA-Z0-9_-]{3,50})?$", example = "linear")]
    slug: Option<String>,
    /// Description.
    #[schema(max_length = 500, example = "Issues of the Acme team.")]
    description: Option<String>,
    /// The server layer of the Advanced Configuration.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Accepted for clients of the hosted product and ignored: a deployment has one organisation.
    #[expect(dead_code, reason = "accepted, documented, not used")]
    organisation_id: Option<String>,
    /// Members that come from the operator's secret store.
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for CreateServer {
    const NEEDS: Permission = Permission::CreateServers;
    const HOSTED: &'static [&'static str] = &["id", "object", "status", "created_at", "last_updated_at"];
}

/// A server that was created.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedMcpServer)]
pub(crate) struct CreatedServer {
    /// Id of the server.
    id: Uuid,
    /// Slug of the server: the one given, or one made from the name.
    #[schema(example = "linear")]
    slug: String,
    /// The registration, which starts immediately; null when no client is needed.
    registration: Option<RegistrationSummary>,
    /// Warnings and notices about what was sent; nothing in it prevented saving.
    findings: Vec<Finding>,
    /// The effect of the change.
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

/// Create a server
///
/// Makes an integration available in a workspace. Its OAuth client is registered immediately, before any user needs
/// it. An admin of the organisation gives the workspace access with it; a manager of a workspace without access
/// gets 403.
#[utoipa::path(
    tag = "servers",
    request_body(content = CreateServer, description = "The server.", example = json!({ "name": "Linear", "mcp_integration_id": "linear", "workspace_id": "acme" })),
    responses((status = 200, description = "It was made.", body = CreatedServer, example = json!(CreatedServer::example())), CreateServerProblems)
)]
#[post("/mcp-servers")]
pub(crate) async fn create_server(state: web::Data<ApiState>, sent: ValidatedJson<CreateServer>) -> Answer {
    let notices = sent.notices.clone();
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
    let Saved { value: made, findings, affected, .. } =
        state.registry.servers().create(&caller.actor, new).await?;
    let view = CreatedServer {
        id: made.id.0,
        slug: made.slug.into(),
        registration: made.registration.map(Into::into),
        findings: placed(&text, findings).0.into_iter().chain(notices.0).collect(),
        affected: affected.into(),
    };
    Ok(answer::versioned(made.version, &view))
}
