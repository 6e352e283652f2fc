//! Create an integration.

use crate::examples;
use crate::http::answer::{self, Answer, Created};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::query;
use crate::http::responses::CreateProblems;
use crate::state::ApiState;
use crate::v1::secret_mappings::{self, MappingBody};
use actix_web::{post, web};
use registry::NewIntegration;
use registry_core::locate::placed;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An integration to create.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateMcpIntegration)]
pub(crate) struct CreateIntegration {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    pub(crate) name: String,
    /// Slug, used in URLs: letters, digits, `-` and `_`; never changes. Made from the name when absent or empty.
    #[schema(max_length = 255, pattern = "^[a-zA-Z0-9_-]*$", example = "linear")]
    slug: Option<String>,
    /// Description.
    #[schema(max_length = 500, example = "Issues and projects.")]
    description: Option<String>,
    /// URL of the upstream MCP server: http or https, without credentials and fragment.
    #[schema(format = "uri", example = "https://mcp.linear.app/mcp")]
    url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The MCP transport.
    transport: Transport,
    /// Id or slug of the workspace that owns the integration; organisation-wide when absent.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// Accepted for clients of the hosted product and ignored: a deployment has one organisation.
    #[expect(dead_code, reason = "accepted, documented, not used")]
    organisation_id: Option<String>,
    /// The Advanced Configuration. Its secrets are stored encrypted and never shown again.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Members that come from the operator's secret store.
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for CreateIntegration {
    const NEEDS: Permission = Permission::CreateIntegrations;
    const HOSTED: &'static [&'static str] = &[
        "id",
        "object",
        "owner_id",
        "type",
        "created_at",
        "last_updated_at",
        "workspaces_count",
        "global_workspace_access",
    ];
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

/// Create an integration
///
/// The Advanced Configuration is validated: errors refuse it (422), warnings and notices are in `findings`.
#[utoipa::path(
    tag = "integrations",
    request_body(
        content = CreateIntegration, description = "The integration.",
        examples(
            ("plain" = (summary = "Only the address", value = json!({ "name": "Linear", "url": examples::UPSTREAM, "auth_type": "oauth_auto", "transport": "http" }))),
            ("branded" = (summary = "With the organisation's own client metadata", value = json!({
                "name": "Linear", "slug": "linear", "url": examples::UPSTREAM, "auth_type": "oauth_auto", "transport": "http", "configurations": examples::configuration()
            }))),
        )
    ),
    responses((status = 200, description = "It was made.", body = Created, example = json!(Created::example())), CreateProblems)
)]
#[post("/mcp-integrations")]
pub(crate) async fn create_integration(
    state: web::Data<ApiState>,
    sent: ValidatedJson<CreateIntegration>,
) -> Answer {
    let notices = sent.notices.clone();
    let (caller, body, text) = sent.into_parts();
    let saved = state.registry.integrations().create(&caller.actor, body.into()).await?;
    let made = saved.value;
    let mut findings = placed(&text, saved.findings);
    findings.0.extend(notices.0);
    Ok(answer::versioned(made.version, &Created::new(made.id.0, made.slug, findings, saved.affected)))
}
