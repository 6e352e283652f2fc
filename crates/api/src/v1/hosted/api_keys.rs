//! API keys by kind.

use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::InviteProblems;
use crate::state::ApiState;
use crate::v1::api_keys::{ApiKeyView, moment};
use crate::v1::users::id;
use actix_web::{post, web};
use registry::{ApiKeyKind, NewApiKey};
use registry_core::permission::Permission;
use serde::Deserialize;
use utoipa::ToSchema;

/// An API key to create, of a kind.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateApiKeyOfKind)]
pub(crate) struct CreateApiKeyOfKind {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "gateway eu-1")]
    name: String,
    /// A comment for later readers of the list.
    #[schema(max_length = 500, example = "For the agents of Acme.")]
    description: Option<String>,
    /// Id or slug of the workspace, for keys of a workspace.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// Id of the user, for keys of a user.
    user_id: Option<String>,
    /// What the key may do. Names of the hosted product that mean nothing here are kept, with a notice. Without scopes
    /// the key may call through gateways only (`mcp.invoke`).
    #[schema(max_items = 100, example = json!(["mcp.invoke", "mcp_servers.list"]))]
    scopes: Option<Vec<String>>,
    /// When the key expires (RFC 3339); never when absent.
    #[schema(value_type = Option<String>, format = "date-time", example = "2027-11-23T00:00:00Z")]
    expires_at: Option<String>,
}

impl RequestBody for CreateApiKeyOfKind {
    const NEEDS: Permission = Permission::ManageKeys;
    const HOSTED: &'static [&'static str] = &[
        "type",
        "sub-type",
        "organisation_id",
        "rate_limits",
        "usage_limits",
        "defaults",
        "alert_emails",
        "rotation_policy",
    ];
}

/// Create an API key of a kind, by the hosted product's path
///
/// The response is the only place where the key itself is shown. `organisation/service` gives a key of an admin,
/// `workspace/service` one of a manager of the workspace, each narrowed by its scopes; keys of users may read at most, and
/// are revoked when the user is deactivated.
#[utoipa::path(
    tag = "hosted paths",
    params(
        ("type" = String, Path, description = "`organisation` or `workspace`.", example = "workspace"),
        ("sub_type" = String, Path, description = "`service` or `user`.", example = "service"),
    ),
    request_body(content = CreateApiKeyOfKind, description = "The key.", example = json!({ "name": "gateway eu-1", "workspace_id": "acme", "scopes": ["mcp.invoke"] })),
    responses((status = 200, description = "The key was created. Store `key`.", body = ApiKeyView, example = json!(ApiKeyView::example_of_new())), InviteProblems)
)]
#[post("/api-keys/{type}/{sub_type}")]
pub(crate) async fn create_api_key_of_kind(
    state: web::Data<ApiState>,
    path: web::Path<(String, String)>,
    sent: ValidatedJson<CreateApiKeyOfKind>,
) -> Answer {
    let ValidatedJson { caller, body, notices, .. } = sent;
    let (whose, what) = path.into_inner();
    let kind = ApiKeyKind::parse(&format!("{whose}-{what}")).ok_or_else(|| {
        Failure::parameter(
            "type",
            "takes `organisation` or `workspace`, and `sub_type` takes `service` or `user`.",
        )
    })?;
    let user = query::filled(body.user_id).map(|user| id(&user)).transpose()?;
    let new = NewApiKey {
        name: body.name,
        role: kind.role(),
        scopes: body.scopes.unwrap_or_default(),
        workspace: query::reference(body.workspace_id).filter(|_| kind.is_bound()),
        expires_at: body.expires_at.map(|text| moment(&text)).transpose()?,
        reason: body.description,
    };
    let mut made = state.registry.api_keys().create_of_kind(&caller.actor, new, kind, user).await?;
    made.findings.extend(notices.0);
    Ok(answer::ok(&ApiKeyView::made(made, state.registry.now())))
}
