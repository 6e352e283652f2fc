//! Change a server.

use crate::http::answer::{self, Answer, Changed};
use crate::http::body::{RequestBody, ValidatedJson, written};
use crate::http::responses::ChangeProblems;
use crate::state::ApiState;
use crate::v1::save_options::SaveOptions;
use crate::v1::secret_mappings::{self, MappingBody};
use crate::v1::servers::{InWorkspace, named};
use actix_web::{put, web};
use registry::ServerChange;
use registry_core::locate::placed;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Changes to a server; absent members stay unchanged.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMcpServer)]
pub(crate) struct UpdateServer {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Linear")]
    name: Option<String>,
    /// Description; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, example = "Issues of the Acme team.")]
    description: Patch<String>,
    /// The complete server layer of the Advanced Configuration, replacing the old one; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    configurations: Patch<Box<RawValue>>,
    /// A comment on this version of the configuration; stored with the revision.
    #[schema(max_length = 500, example = "Fewer scopes.")]
    note: Option<String>,
    /// Members that come from the operator's secret store.
    #[schema(max_items = 50)]
    secret_mappings: Option<Vec<MappingBody>>,
}

impl RequestBody for UpdateServer {
    const NEEDS: Permission = Permission::UpdateServers;
    const HOSTED: &'static [&'static str] = &[
        "id",
        "object",
        "slug",
        "status",
        "workspace_id",
        "organisation_id",
        "mcp_integration_id",
        "mcp_integration_details",
        "created_at",
        "last_updated_at",
    ];
    const CHANGES: bool = true;
}

/// Change a server
///
/// `configurations` replaces the complete server layer; absent members stay unchanged.
#[utoipa::path(
    tag = "servers",
    params(
        ("server" = String, Path, description = "Id or slug of the server.", example = "linear"),
        InWorkspace,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"1\""),
        SaveOptions,
    ),
    request_body(content = UpdateServer, description = "At least one member.", example = json!({ "configurations": { "oauth_client_metadata": { "scope": "read:projects write:issues admin:webhooks" } } })),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "Its new version.")), example = json!(Changed::example())), ChangeProblems)
)]
#[put("/mcp-servers/{server}")]
pub(crate) async fn update_server(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateServer>,
) -> Answer {
    let notices = sent.notices.clone();
    let (caller, body, text) = sent.into_parts();
    let change = ServerChange {
        name: body.name,
        description: body.description,
        configuration: written(body.configurations),
        note: body.note,
        secret_mappings: body.secret_mappings.map(secret_mappings::read),
        replacements: SaveOptions::of(&caller)?,
    };
    let (server, expected) = (named(&caller, &path)?, caller.expected_version()?);
    let saved = state.registry.servers().update(&caller.actor, &server, change, expected).await?;
    let mut findings = placed(&text, saved.findings);
    findings.0.extend(notices.0);
    Ok(answer::versioned(saved.value.version, &Changed::new(findings, saved.affected)))
}
