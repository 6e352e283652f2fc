//! What the registry sends, as far as this library reads it. Further members are kept in `more`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// Everything that a gateway needs for one server: one consistent snapshot. It holds secrets; `Debug` shows none.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayDocument {
    /// Slug of the workspace.
    pub workspace: String,
    /// Slug of the server.
    pub server: String,
    /// URL of the upstream MCP server.
    pub url: String,
    /// Authentication at the upstream: `oauth_auto`, `oauth_client_credentials`, `headers`, `none`.
    pub auth_type: String,
    /// Revision of the last change; only grows.
    pub revision: i64,
    /// Generation of the client; only grows. Absent without a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// `active`, or `disabled`: then refuse all users.
    pub status: String,
    /// Metadata of the client's authorization server (RFC 8414).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<AuthorizationServer>,
    /// The client as registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<GatewayClient>,
    /// The resource to request tokens for (RFC 8707).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The scopes to request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl GatewayDocument {
    /// `workspace/server`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.workspace, self.server)
    }
}

impl fmt::Debug for GatewayDocument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client.as_ref();
        formatter
            .debug_struct("GatewayDocument")
            .field("name", &self.name())
            .field("revision", &self.revision)
            .field("generation", &self.generation)
            .field("client_id", &client.map(|client| &client.client_id))
            .finish_non_exhaustive()
    }
}

/// A client as it was registered (RFC 7591 §3.2.1), with the issuer that it belongs to. `Debug` shows no secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayClient {
    /// The `client_id`.
    pub client_id: String,
    /// The `client_secret`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// The authentication method to use at the token endpoint, and no other.
    pub token_endpoint_auth_method: String,
    /// The redirect URIs; a gateway uses the first.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The issuer of the client.
    pub issuer: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl fmt::Debug for GatewayClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GatewayClient").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Metadata of an authorization server (RFC 8414 §2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationServer {
    /// The issuer, to compare with `iss` of authorization responses (RFC 9207).
    pub issuer: String,
    /// Where users sign in.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One page of documents, in the order of their last change.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewayPage {
    /// The documents.
    pub data: Vec<GatewayDocument>,
    /// Whether there are more after `revision`.
    pub has_more: bool,
    /// The last revision of this page.
    pub revision: i64,
}

/// The changes after a position.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewayChanges {
    /// The position to continue from.
    pub revision: i64,
    /// The position has expired: fetch all documents again.
    pub reset: bool,
    /// The changes, in the order of their commits.
    pub changes: Vec<GatewayChange>,
}

/// One change.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewayChange {
    /// Revision of the change.
    pub revision: i64,
    /// `changed`, `deleted`, `identities`; in streams also `start` and `reset`.
    #[serde(default)]
    pub event: String,
    /// Slug of the workspace.
    #[serde(default)]
    pub workspace: String,
    /// Slug of the server.
    #[serde(default)]
    pub server: String,
}

/// The answer to `ensure`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Ensured {
    /// The document, with a client.
    Ready(Box<GatewayDocument>),
    /// There is no client yet.
    NotYet {
        /// State of the registration.
        state: Option<String>,
        /// The reason as a sentence.
        detail: Option<String>,
    },
}

/// The reaction to a report.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reported {
    /// `stale`, `ignored`, `noted`, `checking`, `replacing` or `rediscovering`.
    pub verdict: String,
}

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    /// The items.
    pub data: Vec<Item>,
    /// Whether there are more, after `next_cursor`.
    pub has_more: bool,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

/// An integration, a server or a configuration, with the version for `If-Match`.
#[derive(Clone, Debug, Deserialize)]
pub struct Item {
    /// The id; absent for the organisation's configuration.
    pub id: Option<String>,
    /// The slug.
    pub slug: Option<String>,
    /// The version to send with a change.
    pub version: i64,
    /// The Advanced Configuration as it was written.
    pub configurations: Option<Map<String, Value>>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The answer to a change.
#[derive(Clone, Debug, Deserialize)]
pub struct Changed {
    /// Id of what was made.
    pub id: Option<String>,
    /// What the registry says about the configuration.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// A finding about a member of a request.
#[derive(Clone, Debug, Deserialize)]
pub struct Finding {
    /// JSON Pointer into the request.
    pub pointer: String,
    /// Stable code.
    pub code: String,
    /// `error`, `warning` or `notice`.
    pub severity: String,
    /// What is wrong, and what to do.
    pub message: String,
}
