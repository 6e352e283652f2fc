//! What a user's key is: call 1 of the open gateway.

use super::credentials;
use crate::examples;
use crate::http::answer::{self, Answer};
use crate::http::failure::Failure;
use crate::http::open_gateway;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use actix_web::{HttpRequest, get, web};
use chrono::{DateTime, Utc};
use registry::{Actor, Error, OwnDetails};
use registry_core::permission::Permission;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a key or token is.
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyOwnKey)]
pub(crate) struct OwnKeyView {
    /// The details.
    data: OwnKeyData,
}

/// The key with its organisation and workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyOwnKeyData)]
pub(crate) struct OwnKeyData {
    /// The key.
    #[serde(rename = "api_key_details")]
    api_key: KeyDetails,
    /// The organisation.
    #[serde(rename = "organisation_details")]
    organisation: OrganisationDetails,
    /// The workspace that the key is bound to.
    #[serde(rename = "workspace_details")]
    workspace: WorkspaceDetails,
}

/// A key or token.
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyKeyDetails)]
pub(crate) struct KeyDetails {
    /// Id of the key, or the subject of the token.
    id: String,
    /// Name of the key.
    name: String,
    /// What it may do; `mcp.invoke`: use servers through the gateway.
    scopes: Vec<String>,
    /// Always `active`.
    status: &'static str,
    /// When it ends (RFC 3339); null: never.
    expires_at: Option<DateTime<Utc>>,
    /// The user that requests of the key count for.
    user_id: String,
    /// No limits: the registry counts no requests of users.
    #[schema(value_type = Vec<Object>)]
    usage_limits: Vec<Value>,
    /// No limits: the registry counts no requests of users.
    #[schema(value_type = Vec<Object>)]
    rate_limits: Vec<Value>,
    /// What the gateway writes into its log.
    #[schema(value_type = Object)]
    system_defaults: Map<String, Value>,
}

/// The organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyOrganisationDetails)]
pub(crate) struct OrganisationDetails {
    /// Id of the organisation.
    id: Uuid,
    /// The same.
    organisation_id: Uuid,
    /// Name of the organisation.
    name: String,
    /// No settings.
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
}

/// A workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = PortkeyWorkspaceDetails)]
pub(crate) struct WorkspaceDetails {
    /// Id of the workspace.
    id: Uuid,
    /// Slug of the workspace.
    slug: String,
    /// Name of the workspace.
    name: String,
}

impl OwnKeyView {
    fn new(actor: &Actor, details: OwnDetails) -> Result<Self, Failure> {
        let Some(workspace) = details.workspace else {
            return Err(Error::Forbidden {
                needed: Permission::ReadWorkspaces,
                message: "This key is bound to no workspace, so it cannot be used at a gateway. Create one for a workspace.".to_owned(),
            }
            .into());
        };
        let id = actor.id().unwrap_or_else(|| actor.name()).to_owned();
        let mut defaults = Map::new();
        defaults.insert("user_name".to_owned(), json!(actor.name()));
        let scopes =
            if actor.scopes().is_empty() { vec!["mcp.invoke".to_owned()] } else { actor.scopes().to_vec() };
        Ok(Self {
            data: OwnKeyData {
                api_key: KeyDetails {
                    name: actor.name().to_owned(),
                    scopes,
                    status: "active",
                    expires_at: actor.until(),
                    user_id: id.clone(),
                    usage_limits: Vec::new(),
                    rate_limits: Vec::new(),
                    system_defaults: defaults,
                    id,
                },
                organisation: OrganisationDetails {
                    id: details.organisation_id,
                    organisation_id: details.organisation_id,
                    name: details.organisation_name,
                    settings: Map::new(),
                },
                workspace: WorkspaceDetails {
                    id: workspace.id.0,
                    slug: workspace.slug.into(),
                    name: workspace.name,
                },
            },
        })
    }

    fn example() -> Self {
        Self {
            data: OwnKeyData {
                api_key: KeyDetails {
                    id: examples::id(8).to_string(),
                    name: "Ada".to_owned(),
                    scopes: vec!["mcp.invoke".to_owned()],
                    status: "active",
                    expires_at: None,
                    user_id: examples::id(8).to_string(),
                    usage_limits: Vec::new(),
                    rate_limits: Vec::new(),
                    system_defaults: Map::new(),
                },
                organisation: OrganisationDetails {
                    id: examples::id(1),
                    organisation_id: examples::id(1),
                    name: "Acme".to_owned(),
                    settings: Map::new(),
                },
                workspace: WorkspaceDetails {
                    id: examples::id(2),
                    slug: "acme".to_owned(),
                    name: "Acme".to_owned(),
                },
            },
        }
    }
}

/// Read what the user's key is
///
/// Call 1 of the open gateway, with the user's credential in `x-portkey-api-key`. It tells nobody else's secrets, so that
/// the gateway's own credential is not needed.
#[utoipa::path(
    tag = "open gateway",
    responses((status = 200, description = "The key.", body = OwnKeyView, example = json!(OwnKeyView::example())), ReadProblems)
)]
#[get("/api-keys/self/details")]
pub(crate) async fn read_own_key(state: web::Data<ApiState>, request: HttpRequest) -> Answer {
    open_gateway::require_enabled(&state)?;
    let actor = credentials::user(&state, &request).await?;
    let details = state.registry.callers().own_details(&actor).await?;
    Ok(answer::ok(&OwnKeyView::new(&actor, details)?))
}
