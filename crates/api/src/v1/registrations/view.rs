//! A registration as the API shows it.

use crate::examples;
use crate::http::failure::Failure;
use crate::v1::attempts::{AttemptView, OAuthClientView};
use chrono::{DateTime, Utc};
use registry::{Registration, RegistrationDetail};
use registry_core::registration::{AuthType, RegistrationMethod, State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A registration.
#[derive(Serialize, ToSchema)]
#[schema(as = Registration)]
pub(crate) struct RegistrationView {
    /// Always `registration`.
    #[schema(example = "registration")]
    object: &'static str,
    /// Id of the registration.
    id: Uuid,
    /// Id of the server.
    server_id: Uuid,
    /// Slug of the server.
    server_slug: String,
    /// Name of the server.
    server_name: String,
    /// Id of the workspace.
    workspace_id: Uuid,
    /// Slug of the workspace.
    workspace_slug: String,
    /// Id of the integration.
    mcp_integration_id: Uuid,
    /// Slug of the integration.
    mcp_integration_slug: String,
    /// URL of the upstream MCP server.
    #[schema(format = "uri")]
    mcp_integration_url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// State of the registration.
    state: State,
    /// Whether there is an active, unexpired client.
    usable: bool,
    /// How the client was obtained.
    method: Option<RegistrationMethod>,
    /// Stable code of the reason for the state.
    reason: Option<String>,
    /// The reason as a sentence, with what to do.
    detail: Option<String>,
    /// The `error` of the upstream's response.
    error: Option<String>,
    /// The `error_description` of the upstream's response.
    error_description: Option<String>,
    /// Issuer of the authorization server.
    issuer: Option<String>,
    /// The `client_id` of the active client.
    client_id: Option<String>,
    /// The generation of the active client.
    generation: Option<i64>,
    /// Number of consecutive failures.
    failures: i64,
    /// When the next attempt is made at the earliest (RFC 3339).
    not_before: Option<DateTime<Utc>>,
    /// When the last attempt was made (RFC 3339).
    last_attempt_at: Option<DateTime<Utc>>,
    /// When the registration was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the registration last changed (RFC 3339).
    updated_at: DateTime<Utc>,
    /// The same timestamp, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
    /// The attempts, newest first, at most 50. Only when a single registration is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptView>>,
    /// The clients, newest generation first. Only when a single registration is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<Vec<OAuthClientView>>,
    /// The registered callbacks. Only when a single registration is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_urls: Option<Vec<String>>,
}

impl From<Registration> for RegistrationView {
    fn from(registration: Registration) -> Self {
        let (workspace, integration) = (registration.workspace, registration.integration);
        Self {
            object: "registration",
            id: registration.id.0,
            server_id: registration.server.0,
            server_slug: registration.server_slug.into(),
            server_name: registration.server_name,
            workspace_id: workspace.id.0,
            workspace_slug: workspace.slug.into(),
            mcp_integration_id: integration.id.0,
            mcp_integration_slug: integration.slug.into(),
            mcp_integration_url: integration.url,
            auth_type: integration.auth_type,
            state: registration.state,
            usable: registration.usable,
            method: registration.method,
            reason: registration.reason,
            detail: registration.detail,
            error: registration.error,
            error_description: registration.error_description,
            issuer: registration.issuer,
            client_id: registration.client_id,
            generation: registration.generation,
            failures: registration.failures,
            not_before: registration.not_before,
            last_attempt_at: registration.last_attempt_at,
            created_at: registration.created_at,
            updated_at: registration.updated_at,
            last_updated_at: registration.updated_at,
            attempts: None,
            clients: None,
            callback_urls: None,
        }
    }
}

impl TryFrom<RegistrationDetail> for RegistrationView {
    type Error = Failure;

    fn try_from(detail: RegistrationDetail) -> Result<Self, Failure> {
        let attempts = detail.attempts.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Self {
            attempts: Some(attempts),
            clients: Some(detail.clients.into_iter().map(Into::into).collect()),
            callback_urls: Some(detail.callback_urls),
            ..detail.registration.into()
        })
    }
}

impl RegistrationView {
    pub(super) fn example() -> Self {
        Self {
            object: "registration",
            id: examples::id(5),
            server_id: examples::id(4),
            server_slug: "linear".to_owned(),
            server_name: "Linear".to_owned(),
            workspace_id: examples::id(2),
            workspace_slug: "acme".to_owned(),
            mcp_integration_id: examples::id(1),
            mcp_integration_slug: "linear".to_owned(),
            mcp_integration_url: examples::UPSTREAM.to_owned(),
            auth_type: AuthType::OauthAuto,
            state: State::Registered,
            usable: true,
            method: Some(RegistrationMethod::Dcr),
            reason: None,
            detail: None,
            error: None,
            error_description: None,
            issuer: Some(examples::ISSUER.to_owned()),
            client_id: Some(examples::CLIENT_ID.to_owned()),
            generation: Some(1),
            failures: 0,
            not_before: None,
            last_attempt_at: Some(examples::moment()),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
            attempts: None,
            clients: None,
            callback_urls: None,
        }
    }

    pub(super) fn example_queued() -> Self {
        Self { state: State::Queued, ..Self::example() }
    }

    pub(super) fn example_with_history() -> Self {
        Self {
            attempts: Some(vec![AttemptView::example()]),
            clients: Some(vec![OAuthClientView::example()]),
            callback_urls: Some(vec![examples::CALLBACK.to_owned()]),
            ..Self::example()
        }
    }
}
