//! What is kept of the past of a registration: attempts and generations of its client.

use crate::lookup::clients::method;
use crate::storage::columns::{json, moment};
use crate::storage::entity::{attempt, oauth_client};
use crate::{Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId};
use registry_core::oauth::{Adjustment, Exchange};
use registry_core::registration::{AttemptOutcome, AttemptStep, ClientStatus, RegistrationMethod};
use serde_json::{Map, Value};

/// One thing tried against an upstream.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// 1 for the first.
    pub number: i64,
    /// What was tried.
    pub step: AttemptStep,
    /// When it began.
    pub started_at: Timestamp,
    /// When its outcome was recorded.
    pub finished_at: Option<Timestamp>,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// Stable code of the failure.
    pub reason: Option<String>,
    /// A sentence for users.
    pub detail: Option<String>,
    /// The authorization server's own error code.
    pub error: Option<String>,
    /// The authorization server's own words.
    pub error_description: Option<String>,
    /// The body that was sent.
    pub request: Option<Value>,
    /// How it differs from the effective metadata.
    pub adjustments: Vec<Adjustment>,
    /// The answer, without secrets.
    pub response: Option<Value>,
    /// Every HTTP exchange of it.
    pub exchanges: Vec<Exchange>,
}

/// One generation of a client.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Our id of it.
    pub id: OauthClientId,
    /// 1 for the first.
    pub generation: i64,
    /// The generation of the settings that all processes share it was asked for with, or last updated to; `None`: before
    /// there were any.
    pub settings_generation: Option<i64>,
    /// What it is good for.
    pub status: ClientStatus,
    /// How it came to be.
    pub method: RegistrationMethod,
    /// The issuer it belongs to, verbatim from its metadata document.
    pub issuer: String,
    /// The id the authorization server knows it by.
    pub client_id: String,
    /// Whether it has a secret.
    pub has_secret: bool,
    /// Whether it can be read, changed and deleted upstream (RFC 7592).
    pub manageable: bool,
    /// How it authenticates at the token endpoint.
    pub token_endpoint_auth_method: String,
    /// When it was issued, as the authorization server says; in seconds since 1970.
    pub client_id_issued_at: Option<i64>,
    /// When its secret expires.
    pub client_secret_expires_at: Option<Timestamp>,
    /// The body it was asked for with; `None` where none was sent.
    pub request: Option<Map<String, Value>>,
    /// The answer that brought it, without secrets.
    pub response: Map<String, Value>,
    /// What was odd about that answer.
    pub warnings: Vec<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it stopped being active.
    pub ended_at: Option<Timestamp>,
    /// When it was last updated upstream (RFC 7592 §2.2).
    pub updated_at: Option<Timestamp>,
    /// When it was last read upstream and found well (RFC 7592 §2.1).
    pub verified_at: Option<Timestamp>,
    /// When a gateway first fetched it.
    pub fetched_at: Option<Timestamp>,
    /// Why it may not be known upstream any more: `update_lost`, `reported`, `forgotten`.
    pub doubt: Option<String>,
    /// How it ended: `deleted`, `unpublished`, `entered` (by hand, so not ours to delete), `shared` (its id serves another
    /// server), `forgotten` (gone upstream before), `not_possible` (see the orphan ledger).
    pub withdrawal: Option<String>,
    /// What came of its last deletion, a sentence for users.
    pub withdrawal_detail: Option<String>,
}

impl TryFrom<attempt::Model> for Attempt {
    type Error = Error;
    fn try_from(row: attempt::Model) -> Result<Self> {
        let read = |text: &Option<String>, column| {
            text.as_deref().map(|text| json::<Value>(text, "attempt", column, row.id)).transpose()
        };
        Ok(Self {
            id: AttemptId(row.id),
            number: row.number,
            started_at: moment(row.started_at),
            finished_at: row.finished_at.map(moment),
            request: read(&row.request, "request")?,
            response: read(&row.response, "response")?,
            adjustments: json(&row.adjustments, "attempt", "adjustments", row.id)?,
            exchanges: json(&row.exchanges, "attempt", "exchanges", row.id)?,
            step: row.step()?,
            outcome: row.outcome()?,
            reason: row.reason,
            detail: row.detail,
            error: row.error,
            error_description: row.error_description,
        })
    }
}

impl TryFrom<oauth_client::Model> for OAuthClient {
    type Error = Error;
    fn try_from(row: oauth_client::Model) -> Result<Self> {
        Ok(Self {
            id: OauthClientId(row.id),
            generation: row.generation,
            settings_generation: row.settings_generation,
            status: row.status()?,
            method: method(&row)?,
            has_secret: row.client_secret_id.is_some(),
            manageable: row.registration_client_uri.is_some() && row.registration_access_token_id.is_some(),
            client_secret_expires_at: row.client_secret_expires_at.map(moment),
            request: row
                .request
                .as_deref()
                .map(|text| json(text, "oauth_client", "request", row.id))
                .transpose()?,
            client_id_issued_at: row.client_id_issued_at,
            response: json(&row.response, "oauth_client", "response", row.id)?,
            warnings: json(&row.warnings, "oauth_client", "warnings", row.id)?,
            created_at: moment(row.created_at),
            ended_at: row.ended_at.map(moment),
            updated_at: row.updated_at.map(moment),
            verified_at: row.verified_at.map(moment),
            fetched_at: row.fetched_at.map(moment),
            doubt: row.doubt,
            withdrawal: row.withdrawal,
            withdrawal_detail: row.withdrawal_detail,
            issuer: row.issuer,
            client_id: row.client_id,
            token_endpoint_auth_method: row.auth_method,
        })
    }
}
