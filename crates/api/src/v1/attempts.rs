//! What a registration went through: attempts, and the generations of its client.

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

/// One thing that was tried upstream.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// Its id.
    id: Uuid,
    /// 1 for the first.
    number: i64,
    /// What was tried: `discover`, `publish`, `register`, `adopt`, `update`, `verify`, `withdraw`.
    step: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// `succeeded`, `failed`, `lost` or `pending`.
    outcome: String,
    /// Stable code of why it failed.
    reason: Option<String>,
    /// The reason as a sentence.
    detail: Option<String>,
    /// The `error` the upstream answered with.
    error: Option<String>,
    /// The upstream's own words.
    error_description: Option<String>,
    /// The body that was sent, secrets masked.
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
    /// How that body differs from what is wanted, and why.
    adjustments: Vec<AdjustmentView>,
    /// The body that came back, secrets masked.
    #[schema(value_type = Option<Object>)]
    response: Option<Value>,
    /// Each exchange on the wire, in order.
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
    /// Its id here (not the `client_id`).
    id: Uuid,
    /// Its generation; only grows.
    generation: i64,
    /// The generation of the settings that all processes share (`gateway.urls`, `branding` and the like) it was asked for
    /// with, or last updated to; null: it is older than those.
    settings_generation: Option<i64>,
    /// What the client is used for.
    status: ClientStatus,
    /// How it came to be.
    method: RegistrationMethod,
    /// The authorization server it belongs to.
    issuer: String,
    /// Its id there.
    client_id: String,
    /// Whether there is a secret (never shown).
    has_secret: bool,
    /// Whether it can be changed and deleted upstream (RFC 7592).
    manageable: bool,
    /// How it authenticates at the token endpoint, as registered.
    token_endpoint_auth_method: String,
    /// When its secret expires.
    client_secret_expires_at: Option<DateTime<Utc>>,
    /// The client as registered, without secrets (RFC 7591 §3.2.1).
    #[schema(value_type = Object)]
    response: Map<String, Value>,
    /// What was odd about the answer.
    warnings: Vec<String>,
    /// When it was recorded.
    created_at: DateTime<Utc>,
    /// When it stopped being active.
    ended_at: Option<DateTime<Utc>>,
    /// When it was last updated upstream (RFC 7592 §2.2).
    updated_at: Option<DateTime<Utc>>,
    /// When it was last read upstream and found well (RFC 7592 §2.1).
    verified_at: Option<DateTime<Utc>>,
    /// When a gateway first fetched it.
    fetched_at: Option<DateTime<Utc>>,
    /// Why it may not be known upstream any more: `update_lost`, `reported`, `forgotten`.
    doubt: Option<String>,
    /// How it ended: `deleted`, `unpublished`, `entered` (by hand, not ours to delete), `shared` (its id serves another
    /// server), `forgotten` (gone upstream before), `not_possible` (see the ledger of orphans).
    withdrawal: Option<String>,
    /// The result of its deletion, as a sentence.
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
