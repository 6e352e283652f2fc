//! The history of a registration: its attempts, and the generations of its client.

use crate::examples;
use crate::http::failure::Failure;
use crate::v1::client_metadata::AdjustmentView;
use chrono::{DateTime, Utc};
use registry::{Attempt, Error, OAuthClient};
use registry_core::registration::{ClientStatus, RegistrationMethod};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// One attempt of a registration.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// Id of the attempt.
    id: Uuid,
    /// Number of the attempt; the first is 1.
    number: i64,
    /// The step: `discover`, `publish`, `register`, `adopt`, `update`, `verify`, `withdraw`.
    step: String,
    /// When the attempt began (RFC 3339).
    started_at: DateTime<Utc>,
    /// When the attempt ended (RFC 3339).
    finished_at: Option<DateTime<Utc>>,
    /// `succeeded`, `failed`, `lost` or `pending`.
    outcome: String,
    /// Stable code of the failure.
    reason: Option<String>,
    /// The failure as a sentence.
    detail: Option<String>,
    /// The `error` of the upstream's response.
    error: Option<String>,
    /// The `error_description` of the upstream's response.
    error_description: Option<String>,
    /// The request body, with secrets masked.
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
    /// How the request body differs from the desired metadata, and why.
    adjustments: Vec<AdjustmentView>,
    /// The response body, with secrets masked.
    #[schema(value_type = Option<Object>)]
    response: Option<Value>,
    /// Each HTTP exchange, in order.
    #[schema(value_type = Vec<Object>)]
    exchanges: Vec<Value>,
}

impl TryFrom<Attempt> for AttemptView {
    type Error = Failure;

    fn try_from(attempt: Attempt) -> Result<Self, Failure> {
        let exchanges = attempt.exchanges.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        Ok(Self {
            id: attempt.id.0,
            number: attempt.number,
            step: attempt.step.to_string(),
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome: attempt.outcome.to_string(),
            reason: attempt.reason,
            detail: attempt.detail,
            error: attempt.error,
            error_description: attempt.error_description,
            request: attempt.request,
            adjustments: attempt.adjustments.into_iter().map(Into::into).collect(),
            response: attempt.response,
            exchanges: exchanges.map_err(Error::from)?,
        })
    }
}

impl AttemptView {
    pub(crate) fn example() -> Self {
        Self {
            id: examples::id(6),
            number: 2,
            step: "register".to_owned(),
            started_at: examples::moment(),
            finished_at: Some(examples::moment()),
            outcome: "succeeded".to_owned(),
            reason: None,
            detail: None,
            error: None,
            error_description: None,
            request: Some(Value::Object(examples::effective())),
            adjustments: vec![AdjustmentView::example()],
            response: Some(json!({ "client_id": examples::CLIENT_ID })),
            exchanges: vec![
                json!({ "step": "registration", "method": "POST", "url": "https://mcp.linear.app/register", "status": 201 }),
            ],
        }
    }
}

/// One generation of the OAuth client of a server.
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthClient)]
pub(crate) struct OAuthClientView {
    /// Id of the generation in this registry (not the `client_id`).
    id: Uuid,
    /// Number of the generation; only grows.
    generation: i64,
    /// The generation of the shared settings (`gateway.urls`, `branding` and the like) that the client was
    /// requested with or last updated to; null when the client is older than those.
    settings_generation: Option<i64>,
    /// The state of the client.
    status: ClientStatus,
    /// How the client was obtained.
    method: RegistrationMethod,
    /// Issuer of the authorization server.
    issuer: String,
    /// The `client_id`.
    client_id: String,
    /// Whether the client has a secret (never shown).
    has_secret: bool,
    /// Whether the client can be updated and deleted upstream (RFC 7592).
    manageable: bool,
    /// The registered token endpoint authentication method.
    token_endpoint_auth_method: String,
    /// When the client secret expires (RFC 3339).
    client_secret_expires_at: Option<DateTime<Utc>>,
    /// The client as registered, without secrets (RFC 7591 §3.2.1).
    #[schema(value_type = Object)]
    response: Map<String, Value>,
    /// Irregularities in the upstream's response.
    warnings: Vec<String>,
    /// When the client was recorded (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the client stopped being active (RFC 3339).
    ended_at: Option<DateTime<Utc>>,
    /// When the client was last updated upstream (RFC 7592 §2.2).
    updated_at: Option<DateTime<Utc>>,
    /// When the client was last read upstream and was valid (RFC 7592 §2.1).
    verified_at: Option<DateTime<Utc>>,
    /// When a gateway first fetched the client (RFC 3339).
    fetched_at: Option<DateTime<Utc>>,
    /// Why the client may be unknown upstream: `update_lost`, `reported`, `forgotten`.
    doubt: Option<String>,
    /// How the client ended: `deleted`, `unpublished`, `entered` (pre-registered, not deleted by this
    /// registry), `shared` (another server uses the same `client_id`), `forgotten` (it no longer existed
    /// upstream), `not_possible` (listed as orphaned).
    withdrawal: Option<String>,
    /// The result of the deletion, as a sentence.
    withdrawal_detail: Option<String>,
}

impl From<OAuthClient> for OAuthClientView {
    fn from(client: OAuthClient) -> Self {
        Self {
            id: client.id.0,
            generation: client.generation,
            settings_generation: client.settings_generation,
            status: client.status,
            method: client.method,
            issuer: client.issuer,
            client_id: client.client_id,
            has_secret: client.has_secret,
            manageable: client.manageable,
            token_endpoint_auth_method: client.token_endpoint_auth_method,
            client_secret_expires_at: client.client_secret_expires_at,
            response: client.response,
            warnings: client.warnings,
            created_at: client.created_at,
            ended_at: client.ended_at,
            updated_at: client.updated_at,
            verified_at: client.verified_at,
            fetched_at: client.fetched_at,
            doubt: client.doubt,
            withdrawal: client.withdrawal,
            withdrawal_detail: client.withdrawal_detail,
        }
    }
}

impl OAuthClientView {
    pub(crate) fn example() -> Self {
        let mut response = Map::new();
        response.insert("client_id".to_owned(), json!(examples::CLIENT_ID));
        response.extend(examples::effective());
        Self {
            id: examples::id(7),
            generation: 1,
            settings_generation: Some(1),
            status: ClientStatus::Active,
            method: RegistrationMethod::Dcr,
            issuer: examples::ISSUER.to_owned(),
            client_id: examples::CLIENT_ID.to_owned(),
            has_secret: false,
            manageable: true,
            token_endpoint_auth_method: "none".to_owned(),
            client_secret_expires_at: None,
            response,
            warnings: Vec::new(),
            created_at: examples::moment(),
            ended_at: None,
            updated_at: None,
            verified_at: None,
            fetched_at: Some(examples::moment()),
            doubt: None,
            withdrawal: None,
            withdrawal_detail: None,
        }
    }
}
