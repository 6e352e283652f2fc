//! Change an integration.

use crate::examples;
use crate::http::answer::{self, Answer, Changed};
use crate::http::body::{RequestBody, ValidatedJson, written};
use crate::http::responses::ChangeProblems;
use crate::state::ApiState;
use crate::v1::integrations::view::IntegrationStatus;
use crate::v1::save_options::SaveOptions;
use crate::v1::secret_mappings::{self, MappingBody};
use actix_web::{put, web};
use registry::IntegrationChange;
use registry_core::locate::placed;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Changes to an integration; absent members stay unchanged.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMcpIntegration)]
pub(crate) struct UpdateIntegration {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    name: Option<String>,
    /// Description; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, example = "Issues and projects.")]
    description: Patch<String>,
    /// URL of the upstream MCP server. Secrets that were entered for the old URL must be entered again.
    #[schema(format = "uri", example = "https://mcp.linear.app/mcp")]
    url: Option<String>,
    /// How gateways authenticate there.
    auth_type: Option<AuthType>,
    /// The MCP transport.
    transport: Option<Transport>,
    /// `disabled` disables the integration: gateways get no client, nothing is registered, and existing clients
    /// are withdrawn after `worker.withdraw_after`. `active` enables it again; a client that still exists is
    /// kept.
    status: Option<IntegrationStatus>,
    /// The complete Advanced Configuration, replacing the old one; null clears it. The marker of a stored
    /// secret, sent back in the same place, keeps the secret.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) configurations: Patch<Box<RawValue>>,
    /// A comment on this version of the configuration; stored with the revision.
    #[schema(max_length = 500, example = "New legal links.")]
    note: Option<String>,
    /// Members that come from the operator's secret store.
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for UpdateIntegration {
    const NEEDS: Permission = Permission::UpdateIntegrations;
    const HOSTED: &'static [&'static str] = &[
        "id",
        "object",
        "owner_id",
        "type",
        "created_at",
        "last_updated_at",
        "workspaces_count",
        "global_workspace_access",
        "slug",
        "workspace_id",
        "organisation_id",
    ];
    const CHANGES: bool = true;
}

/// Change an integration
///
/// `configurations` replaces the complete Advanced Configuration; absent members stay unchanged.
#[utoipa::path(
    tag = "integrations",
    params(
        ("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"4\""),
        SaveOptions,
    ),
    request_body(content = UpdateIntegration, description = "At least one member.", example = json!({ "configurations": examples::configuration() })),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "The new version of the integration.")), example = json!(Changed::example())), ChangeProblems)
)]
#[put("/mcp-integrations/{integration}")]
pub(crate) async fn update_integration(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateIntegration>,
) -> Answer {
    let notices = sent.notices.clone();
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
        replacements: SaveOptions::of(&caller)?,
    };
    let expected = caller.expected_version()?;
    let saved = state
        .registry
        .integrations()
        .update(&caller.actor, &Reference::parse(&path), change, expected)
        .await?;
    let mut findings = placed(&text, saved.findings);
    findings.0.extend(notices.0);
    Ok(answer::versioned(saved.value.version, &Changed::new(findings, saved.affected)))
}
