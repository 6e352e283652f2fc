//! API keys of users, automation and gateways.

use crate::examples;
use crate::http::answer::{self, Answer, Listed};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{ChangeProblems, CreateProblems, ListProblems, ReadProblems, RotateProblems};
use crate::state::ApiState;
use actix_web::{delete, get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{ApiKey, ApiKeyChange, ApiKeyFilter, CreatedApiKey, Error, NewApiKey};
use registry_core::finding::Finding;
use registry_core::id::ApiKeyId;
use registry_core::patch::Patch;
use registry_core::permission::{Permission, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create_api_key)
        .service(list_api_keys)
        .service(read_api_key)
        .service(update_api_key)
        .service(rotate_api_key)
        .service(revoke_api_key);
}

/// An API key to create.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateApiKey {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "gateway eu-1")]
    name: String,
    /// The role of the key.
    role: Role,
    /// Limits the role to these scopes; the whole role when absent or empty.
    #[schema(max_items = 50, example = json!(["mcp_integrations.read"]))]
    scopes: Option<Vec<String>>,
    /// Id or slug of the workspace that the key is bound to; the whole organisation when absent.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// When the key expires (RFC 3339); never when absent.
    #[schema(value_type = Option<String>, format = "date-time", example = "2027-11-23T00:00:00Z")]
    expires_at: Option<String>,
    /// A comment for later readers of the list.
    #[schema(max_length = 500, example = "the gateway renews no keys")]
    reason: Option<String>,
}

impl RequestBody for CreateApiKey {
    const NEEDS: Permission = Permission::ManageKeys;
}

/// The page of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListApiKeys {
    /// Where the page begins: the `next_cursor` of the page before. The cost of a page does not depend on its place.
    /// `current_page` is ignored.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Page number, from 0. All items before the page are read: use `cursor` to read a whole list.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
    /// Only keys that are bound to this workspace (id or slug).
    #[param(example = "acme")]
    workspace_id: Option<String>,
}

/// Changes to an API key; absent members stay unchanged.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateApiKey {
    /// Display name.
    #[schema(min_length = 1, max_length = 255, example = "gateway eu-1")]
    name: Option<String>,
    /// All its scopes; at least one.
    #[schema(max_items = 100, example = json!(["mcp.invoke"]))]
    scopes: Option<Vec<String>>,
    /// A comment for later readers of the list; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, example = "For the agents of Acme.")]
    description: Patch<String>,
    /// When the key expires (RFC 3339); null: never, or with the caller's own key or token.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "date-time", example = "2027-11-23T00:00:00Z")]
    expires_at: Patch<String>,
}

impl RequestBody for UpdateApiKey {
    const NEEDS: Permission = Permission::ManageKeys;
    const CHANGES: bool = true;
    const HOSTED: &'static [&'static str] =
        &["id", "rate_limits", "usage_limits", "reset_usage", "defaults", "alert_emails", "rotation_policy"];
}

/// An API key, without the credential.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyView {
    /// Always `api-key`.
    #[schema(example = "api-key")]
    object: &'static str,
    /// Id of the key.
    id: Uuid,
    /// Display name.
    name: String,
    /// The first characters of the key, for recognition.
    #[schema(example = "mcpr_AbCd")]
    prefix: String,
    /// The role of the key.
    role: Role,
    /// The scopes that limit the role; empty: the whole role.
    scopes: Vec<String>,
    /// Id of the workspace that the key is bound to; null: the whole organisation.
    workspace_id: Option<Uuid>,
    /// Slug of that workspace.
    workspace_slug: Option<String>,
    /// When the key expires (RFC 3339); null: never.
    expires_at: Option<DateTime<Utc>>,
    /// The creator's comment.
    reason: Option<String>,
    /// The same comment, by the hosted product's name.
    description: Option<String>,
    /// Its kind, by the hosted product's name: `organisation-service`, `organisation-user`, `workspace-service` or
    /// `workspace-user`.
    #[serde(rename = "type")]
    #[schema(example = "organisation-service")]
    kind: &'static str,
    /// `active`, `expired` or `revoked`.
    #[schema(example = "active")]
    status: &'static str,
    /// Id of the user that the key is for; null: it is for a program.
    user_id: Option<Uuid>,
    /// When name, scopes or expiry were last changed (RFC 3339); when the key was created, if never.
    last_updated_at: DateTime<Utc>,
    /// When the key was last used (RFC 3339).
    last_used_at: Option<DateTime<Utc>>,
    /// The IP address that last used the key.
    #[schema(example = "192.0.2.7")]
    last_address: Option<String>,
    /// Name of the actor who created the key.
    created_by: String,
    /// When the key was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the key was revoked (RFC 3339).
    revoked_at: Option<DateTime<Utc>>,
    /// Id of the key that replaced this one by rotation.
    replaced_by: Option<Uuid>,
    /// Id of the key that created this one; null when a user, a token or the operator did (`created_by`).
    made_by: Option<Uuid>,
    /// Notices about a new or changed key, such as that it expires with its creator's credential. Only in the
    /// response of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Finding>>,
    /// The key itself. Only in the response that creates it; it is never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "mcpr_…")]
    key: Option<String>,
}

impl ApiKeyView {
    fn at(key: ApiKey, now: DateTime<Utc>) -> Self {
        let is_bound = key.workspace.is_some();
        Self {
            object: "api-key",
            id: key.id.0,
            name: key.name,
            prefix: key.prefix,
            role: key.role,
            scopes: key.scopes,
            workspace_id: key.workspace.as_ref().map(|workspace| workspace.id.0),
            workspace_slug: key.workspace.map(|workspace| workspace.slug.into()),
            expires_at: key.expires_at,
            description: key.reason.clone(),
            reason: key.reason,
            kind: match (key.kind, is_bound) {
                (Some(kind), _) => kind.as_str(),
                (None, true) => "workspace-service",
                (None, false) => "organisation-service",
            },
            status: match (key.revoked_at, key.expires_at) {
                (Some(_), _) => "revoked",
                (None, Some(end)) if end <= now => "expired",
                _ => "active",
            },
            user_id: key.user.map(|user| user.0),
            last_updated_at: key.updated_at.unwrap_or(key.created_at),
            last_used_at: key.last_used_at,
            last_address: key.last_address,
            created_by: key.created_by,
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            replaced_by: key.replaced_by.map(|id| id.0),
            made_by: key.made_by.map(|id| id.0),
            findings: None,
            key: None,
        }
    }
}

impl ApiKeyView {
    fn example() -> Self {
        Self {
            object: "api-key",
            id: examples::id(8),
            name: "gateway eu-1".to_owned(),
            prefix: "mcpr_AbCd".to_owned(),
            role: Role::Gateway,
            scopes: Vec::new(),
            workspace_id: None,
            workspace_slug: None,
            expires_at: None,
            reason: None,
            description: None,
            kind: "organisation-service",
            status: "active",
            user_id: None,
            last_updated_at: examples::moment(),
            last_used_at: None,
            last_address: None,
            created_by: "Ada".to_owned(),
            created_at: examples::moment(),
            revoked_at: None,
            replaced_by: None,
            made_by: None,
            findings: None,
            key: None,
        }
    }

    /// The view for the response that creates the key.
    pub(crate) fn made(made: CreatedApiKey, now: DateTime<Utc>) -> Self {
        Self { key: Some(made.key), findings: Some(made.findings), ..Self::at(made.record, now) }
    }

    pub(crate) fn example_of_new() -> Self {
        Self { key: Some("mcpr_AbCd…".to_owned()), findings: Some(Vec::new()), ..Self::example() }
    }
}

/// What to revoke in addition.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevokeApiKey {
    /// `made`: also revoke every key that this key created or rotated, and all keys created by those.
    #[param(inline, example = "made")]
    with: Option<With>,
}

/// The keys to revoke in addition to one key.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RevokeWith)]
pub(crate) enum With {
    /// Every key that descends from it.
    Made,
}

/// The result of a revocation.
#[derive(Serialize, ToSchema)]
#[schema(as = RevokedApiKeys)]
pub(crate) struct RevokedView {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// Number of keys that were revoked. 0 when the key was revoked already.
    #[schema(example = 1)]
    revoked: u64,
}

/// Create an API key
///
/// The response is the only place where the key itself is shown. A key expires no later than the key or token that
/// creates it: without `expires_at` it expires with that credential (`findings` says so), and a later timestamp is
/// refused (422). A signed-in user has no such limit.
#[utoipa::path(
    tag = "keys",
    request_body(content = CreateApiKey, description = "The key.", example = json!({ "name": "gateway eu-1", "role": "gateway" })),
    responses(
        (status = 200, description = "The key was created. Store `key`.", body = ApiKeyView, example = json!(ApiKeyView::example_of_new())),
        CreateProblems,
    )
)]
#[post("/api-keys")]
pub(crate) async fn create_api_key(state: web::Data<ApiState>, sent: ValidatedJson<CreateApiKey>) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let new = NewApiKey {
        name: body.name,
        role: body.role,
        scopes: body.scopes.unwrap_or_default(),
        workspace: query::reference(body.workspace_id),
        expires_at: body.expires_at.map(|text| moment(&text)).transpose()?,
        reason: body.reason,
    };
    let made = state.registry.api_keys().create(&caller.actor, new).await?;
    Ok(answer::ok(&ApiKeyView::made(made, state.registry.now())))
}

/// List API keys
#[utoipa::path(
    tag = "keys",
    params(ListApiKeys),
    responses(
        (status = 200, description = "The keys, without the credentials.", body = Listed<ApiKeyView>, example = json!(Listed::example(ApiKeyView::example()))),
        ListProblems,
    )
)]
#[get("/api-keys")]
pub(crate) async fn list_api_keys(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListApiKeys = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let workspace = match query::reference(asked.workspace_id) {
        Some(reference) => Some(state.registry.workspaces().get(&caller.actor, &reference).await?.id),
        None => None,
    };
    let filter = ApiKeyFilter { ended: None, workspace };
    let found = state.registry.api_keys().list(&caller.actor, filter, page).await?;
    let now = state.registry.now();
    Ok(answer::ok(&Listed::new(found, |one| Ok(ApiKeyView::at(one, now)))?))
}

/// Read an API key
#[utoipa::path(
    tag = "keys",
    params(("key" = Uuid, Path, description = "Id of the key.")),
    responses((status = 200, description = "The key, without the credential.", body = ApiKeyView, example = json!(ApiKeyView::example())), ReadProblems)
)]
#[get("/api-keys/{key}")]
pub(crate) async fn read_api_key(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.api_keys().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&ApiKeyView::at(found, state.registry.now())))
}

/// Change an API key
///
/// In force with the next request of the key. Its role and workspace never change.
#[utoipa::path(
    tag = "keys",
    params(("key" = Uuid, Path, description = "Id of the key.")),
    request_body(content = UpdateApiKey, description = "At least one member.", example = json!({ "name": "gateway eu-2" })),
    responses((status = 200, description = "The changed key, without the credential.", body = ApiKeyView, example = json!(ApiKeyView::example())), ChangeProblems)
)]
#[put("/api-keys/{key}")]
pub(crate) async fn update_api_key(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateApiKey>,
) -> Answer {
    let ValidatedJson { caller, body, notices, .. } = sent;
    let change = ApiKeyChange {
        name: body.name,
        scopes: body.scopes,
        reason: body.description,
        expires_at: match body.expires_at {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(text) => Patch::Set(moment(&text)?),
        },
    };
    let changed = state.registry.api_keys().update(&caller.actor, id(&path)?, change).await?;
    let view = ApiKeyView { findings: Some(notices.0), ..ApiKeyView::at(changed, state.registry.now()) };
    Ok(answer::ok(&view))
}

/// Rotate an API key
///
/// Creates a key with the same name, role, scopes and workspace. It lasts as long as the old one was meant to last,
/// but no longer than the key or token that rotates it: a key cannot extend its own lifetime. The old key works for
/// another 24 hours, or until it expires if that is sooner. The response is the only place where the new key is
/// shown.
#[utoipa::path(
    tag = "keys",
    params(("key" = Uuid, Path, description = "Id of the key that is replaced.")),
    responses(
        (status = 200, description = "The new key. Store `key`.", body = ApiKeyView, example = json!(ApiKeyView::example_of_new())),
        RotateProblems,
    )
)]
#[post("/api-keys/{key}/rotate")]
pub(crate) async fn rotate_api_key(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let made = state.registry.api_keys().rotate(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&ApiKeyView::made(made, state.registry.now())))
}

/// Revoke an API key
///
/// The key stops working immediately and stays in the list. With `?with=made` every key that descends from it is
/// revoked too.
#[utoipa::path(
    tag = "keys",
    params(("key" = Uuid, Path, description = "Id of the key."), RevokeApiKey),
    responses((status = 200, description = "The key is revoked.", body = RevokedView, example = json!(RevokedView { success: true, revoked: 1 })), ListProblems, ReadProblems)
)]
#[delete("/api-keys/{key}")]
pub(crate) async fn revoke_api_key(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let asked: RevokeApiKey = caller.query()?;
    let made = asked.with == Some(With::Made);
    let revoked = state.registry.api_keys().revoke(&caller.actor, id(&path)?, made).await?;
    Ok(answer::ok(&RevokedView { success: true, revoked }))
}

fn id(text: &str) -> Result<ApiKeyId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "API key", reference: text.to_owned() }.into())
}

pub(crate) fn moment(text: &str) -> Result<DateTime<Utc>, Failure> {
    DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).map_err(|_| {
        Failure::finding(Finding::error(
            "/expires_at",
            "invalid_value",
            "`expires_at` must be a timestamp with time zone (RFC 3339), e.g. \"2027-11-23T00:00:00Z\".",
        ))
    })
}
