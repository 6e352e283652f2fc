//! Copy and import integrations.

use crate::examples;
use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::query;
use crate::http::responses::CreateProblems;
use crate::state::ApiState;
use actix_web::{post, web};
use registry::{DuplicatedIntegration, Imported};
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(import_integrations).service(duplicate_integration);
}

/// Integrations to create; all of them are created or none.
#[derive(Deserialize, ToSchema)]
#[schema(as = ImportMcpIntegrations)]
pub(crate) struct ImportIntegrations {
    /// The `kind` of an export; ignored.
    #[expect(dead_code, reason = "accepted, so that an export can be sent as it is")]
    #[schema(example = "mcp-integrations")]
    object: Option<String>,
    /// Each as in the body of `POST /v1/mcp-integrations`, in an export or in a list. `workspace` names the
    /// workspace that owns it, `status` says whether it is enabled. At most 500.
    #[expect(dead_code, reason = "read from the text, so that findings have their lines")]
    #[schema(value_type = Vec<Object>, max_items = 500)]
    integrations: Vec<Box<RawValue>>,
}

impl RequestBody for ImportIntegrations {
    const NEEDS: Permission = Permission::CreateIntegrations;
}

/// The result of an import.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedMcpIntegrations)]
pub(crate) struct ImportedView {
    /// The created integrations, in the order they were sent.
    integrations: Vec<MadeView>,
    /// Warnings and notices about what was sent; nothing in it prevented saving.
    findings: Vec<Finding>,
}

/// An integration that was created.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeMcpIntegration)]
pub(crate) struct MadeView {
    /// Id of the integration.
    id: Uuid,
    /// Slug of the integration: the one given, or one made from the name.
    #[schema(example = "linear")]
    slug: String,
}

impl From<Imported> for ImportedView {
    fn from(imported: Imported) -> Self {
        let made = imported.integrations.into_iter();
        Self {
            integrations: made.map(|one| MadeView { id: one.id.0, slug: one.slug.into() }).collect(),
            findings: imported.findings.bounded().0,
        }
    }
}

impl ImportedView {
    fn example() -> Self {
        let one = MadeView { id: examples::id(1), slug: "linear".to_owned() };
        Self { integrations: vec![one], findings: Vec::new() }
    }
}

/// The name of a copy.
#[derive(Deserialize, ToSchema)]
#[schema(as = DuplicateMcpIntegration)]
pub(crate) struct DuplicateIntegration {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "Linear, for trials")]
    name: String,
    /// Slug of the copy; made from the name when absent or empty.
    #[schema(max_length = 255, pattern = "^[a-zA-Z0-9_-]*$", example = "linear-trials")]
    slug: Option<String>,
}

impl RequestBody for DuplicateIntegration {
    const NEEDS: Permission = Permission::CreateIntegrations;
}

/// A copy of an integration.
#[derive(Serialize, ToSchema)]
#[schema(as = CopiedMcpIntegration)]
pub(crate) struct CopiedView {
    /// Id of the copy.
    id: Uuid,
    /// Slug of the copy: the one given, or one made from the name.
    #[schema(example = "linear-trials")]
    slug: String,
    /// JSON Pointers into its Advanced Configuration: secrets that were not copied and must be entered again, and members
    /// that come from declared secrets (`secret_mappings`), which are not mapped in the copy.
    #[schema(example = json!(["/oauth_client_metadata/client_secret"]))]
    left_out: Vec<String>,
}

impl From<DuplicatedIntegration> for CopiedView {
    fn from(copied: DuplicatedIntegration) -> Self {
        Self { id: copied.value.id.0, slug: copied.value.slug.into(), left_out: copied.left_out }
    }
}

impl CopiedView {
    fn example() -> Self {
        let left_out = vec!["/oauth_client_metadata/client_secret".to_owned()];
        Self { id: examples::id(1), slug: "linear-trials".to_owned(), left_out }
    }
}

/// Import integrations
///
/// All integrations are imported or none: an error (422) names each mistake with its place in the body, and nothing
/// is saved. The secrets of an export are markers without a value: enter the secrets again.
#[utoipa::path(
    tag = "integrations",
    request_body(content = ImportIntegrations, description = "The integrations.", example = json!({
        "object": "mcp-integrations",
        "integrations": [{ "name": "Linear", "slug": "linear", "url": examples::UPSTREAM, "auth_type": "oauth_auto", "transport": "http" }]
    })),
    responses((status = 200, description = "The integrations were created.", body = ImportedView, example = json!(ImportedView::example())), CreateProblems)
)]
#[post("/mcp-integrations/import")]
pub(crate) async fn import_integrations(
    state: web::Data<ApiState>,
    sent: ValidatedJson<ImportIntegrations>,
) -> Answer {
    let (caller, _, text) = sent.into_parts();
    let imported = state.registry.integrations().import(&caller.actor, &text).await?;
    Ok(answer::ok(&ImportedView::from(imported)))
}

/// Duplicate an integration
///
/// Copies the address, the authentication and the Advanced Configuration, without secrets, servers and workspace access.
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    request_body(content = DuplicateIntegration, description = "The name of the copy.", example = json!({ "name": "Linear, for trials", "slug": "linear-trials" })),
    responses((status = 200, description = "The copy was created.", body = CopiedView, example = json!(CopiedView::example())), CreateProblems)
)]
#[post("/mcp-integrations/{integration}/duplicate")]
pub(crate) async fn duplicate_integration(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<DuplicateIntegration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let slug = query::filled(body.slug);
    let original = Reference::parse(&path);
    let copied = state.registry.integrations().duplicate(&caller.actor, &original, body.name, slug).await?;
    Ok(answer::ok(&CopiedView::from(copied)))
}
