//! The Advanced Configuration: validate one without saving it, and its JSON Schema.

use crate::examples;
use crate::http::answer::{self, AffectedView, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{CallerProblems, CheckProblems};
use crate::state::ApiState;
use crate::v1::client_metadata::ClientMetadataView;
use actix_web::{get, post, web};
use registry::{Check, ConfigurationScope, ServerRef};
use registry_core::finding::{Finding, Severity};
use registry_core::metadata::json_schema;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(check_advanced_configuration).service(read_advanced_configuration_schema);
}

/// A configuration to validate, and the level it belongs to.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CheckConfiguration {
    /// The Advanced Configuration (see the schema `AdvancedConfiguration`); it may have errors. Send either this or `text`.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// The Advanced Configuration as typed; it need not be valid JSON.
    #[schema(max_length = 262_144, example = "{\"oauth_client_metadata\": {}}")]
    text: Option<String>,
    /// Validate it as the organisation's.
    #[schema(example = false)]
    organisation: Option<bool>,
    /// Validate it as this integration's (id or slug); with `workspace_id` as that workspace's layer of it.
    #[schema(example = "linear")]
    mcp_integration_id: Option<String>,
    /// Validate it as this server's (id or slug); `workspace_id` names its workspace.
    #[schema(example = "linear")]
    mcp_server_id: Option<String>,
    /// Id or slug of the workspace.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// The server (id or slug) of the preview; the first affected one when absent.
    #[schema(example = "linear")]
    preview_server_id: Option<String>,
    /// The workspace (id or slug) of that server.
    #[schema(example = "acme")]
    preview_workspace_id: Option<String>,
}

impl RequestBody for CheckConfiguration {
    const NEEDS: Permission = Permission::CheckConfiguration;
}

impl CheckConfiguration {
    fn into_check(self) -> Result<Check, Failure> {
        let text = match (self.configurations, self.text) {
            (Some(raw), None) => raw.get().to_owned(),
            (None, Some(text)) => text,
            _ => {
                return Err(Failure::finding(Finding::error(
                    "/configurations",
                    "missing_member",
                    "Send the Advanced Configuration either as `configurations` or as `text`.",
                )));
            }
        };
        let workspace = query::reference(self.workspace_id);
        let integration = query::reference(self.mcp_integration_id);
        let server = query::reference(self.mcp_server_id);
        let subject = match (self.organisation.unwrap_or_default(), integration, server, workspace) {
            (true, None, None, None) => Some(ConfigurationScope::Organisation),
            (false, None, Some(server), workspace) => {
                Some(ConfigurationScope::Server(ServerRef { server, workspace }))
            }
            (false, Some(integration), None, Some(workspace)) => {
                Some(ConfigurationScope::Access { integration, workspace })
            }
            (false, Some(integration), None, None) => Some(ConfigurationScope::Integration(integration)),
            (false, None, None, None) => None,
            _ => {
                return Err(Failure::finding(Finding::error(
                    "",
                    "ambiguous_subject",
                    "Say one place: `organisation`, or `mcp_integration_id` (with `workspace_id` for that workspace's layer), or `mcp_server_id`.",
                )));
            }
        };
        let preview = query::reference(self.preview_server_id).map(|server: Reference| ServerRef {
            server,
            workspace: query::reference(self.preview_workspace_id),
        });
        Ok(Check { subject, text, preview })
    }
}

/// The findings, and the preview of what would be sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfigurationCheck {
    /// Always `configuration-check`.
    #[schema(example = "configuration-check")]
    object: &'static str,
    /// Whether it could be saved: no finding is an error.
    #[schema(example = true)]
    valid: bool,
    /// All findings; pointers, lines and columns are relative to the Advanced Configuration itself.
    findings: Vec<Finding>,
    /// What would be sent for one server; null while there are errors.
    preview: Option<ClientMetadataView>,
    /// The effect of saving.
    affected: AffectedView,
}

impl ConfigurationCheck {
    fn example() -> Self {
        Self {
            object: "configuration-check",
            valid: true,
            findings: Vec::new(),
            preview: Some(ClientMetadataView::example()),
            affected: examples::affected().into(),
        }
    }
}

/// Check an Advanced Configuration
///
/// Nothing is saved. The status is 200 also when errors are found: they are in `findings`.
#[utoipa::path(
    tag = "configuration",
    request_body(
        content = CheckConfiguration, description = "The configuration, and the level it belongs to.",
        example = json!({ "configurations": examples::configuration(), "mcp_integration_id": "linear" })
    ),
    responses((status = 200, description = "The findings.", body = ConfigurationCheck, example = json!(ConfigurationCheck::example())), CheckProblems)
)]
#[post("/advanced-configuration/check")]
pub(crate) async fn check_advanced_configuration(
    state: web::Data<ApiState>,
    sent: ValidatedJson<CheckConfiguration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let checked = state.registry.configurations().check(&caller.actor, body.into_check()?).await?;
    let view = ConfigurationCheck {
        object: "configuration-check",
        valid: checked.findings.iter().all(|finding| finding.severity != Severity::Error),
        findings: checked.findings.bounded().0,
        preview: checked.preview.map(|preview| {
            ClientMetadataView::of(preview.workspace, preview.server, preview.resolution, preview.digest)
        }),
        affected: checked.affected.into(),
    };
    Ok(answer::ok(&view))
}

/// Read the JSON Schema of the Advanced Configuration
///
/// Generated from the same table as the validation. For editors and for checks in pipelines. Every authenticated
/// caller may read it.
#[utoipa::path(
    tag = "configuration",
    responses((status = 200, description = "The schema (JSON Schema 2020-12).", body = Object, example = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object" })), CallerProblems)
)]
#[get("/schemas/advanced-configuration")]
pub(crate) async fn read_advanced_configuration_schema(_caller: Caller) -> Answer {
    Ok(answer::ok(&json_schema()))
}
