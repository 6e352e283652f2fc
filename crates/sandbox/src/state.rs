//! What the sandbox remembers: clients, running authorizations, codes, tokens, and what it was asked. In memory only.

use crate::quirks::{Quirks, ResourceMetadata};
use registry_core::clock::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use uuid::Uuid;

/// One `POST /register` as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisteredRequest {
    /// The JSON body, members in the order they arrived; `null` when it was no JSON.
    pub body: Value,
    /// Whether an `Authorization` header came along (its value is not kept).
    pub authorization: bool,
    /// The client that came of it; absent while undecided and when refused.
    pub client_id: Option<String>,
    /// When it arrived.
    pub at: Timestamp,
}

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// HTTP method.
    pub method: String,
    /// Path without the query (which may hold a code).
    pub path: String,
    /// HTTP status of the answer; of a lost answer the one that would have been.
    pub status: u16,
}

/// A client as the authorization server stores it.
#[derive(Clone)]
pub struct RegisteredClient {
    /// The issued id.
    pub client_id: String,
    /// The metadata as registered, which is not always what was asked for.
    pub metadata: Map<String, Value>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When the secret expires, in seconds since 1970; 0: never.
    pub secret_expires_at: i64,
    pub(crate) secret: Option<String>,
    pub(crate) registration_access_token: String,
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegisteredClient")
            .field("client_id", &self.client_id)
            .field("metadata", &self.metadata)
            .field("issued_at", &self.issued_at)
            .field("secret_expires_at", &self.secret_expires_at)
            .field("has_secret", &self.secret.is_some())
            .finish_non_exhaustive()
    }
}

impl RegisteredClient {
    /// Its secret, for a test to compare with.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The token that manages it (RFC 7592 §3), for a test to compare with.
    pub fn registration_access_token(&self) -> &str {
        &self.registration_access_token
    }

    /// Whether a secret was issued to it.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// A text member; empty when absent or of another type.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.metadata.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// The texts of a list member.
    pub(crate) fn list(&self, member: &str) -> Vec<&str> {
        self.metadata
            .get(member)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}

/// An authorization request that waits for a user, or the resulting code.
#[derive(Clone)]
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: Option<String>,
    pub(crate) code_challenge: String,
    pub(crate) expires_at: i64,
}

/// What an access or refresh token grants.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) scope: String,
    /// Of access tokens, in seconds since 1970; refresh tokens do not expire here.
    pub(crate) expires_at: i64,
}

/// Everything behind the one lock. Never held across an await.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) quirks: Quirks,
    pub(crate) clients: BTreeMap<String, RegisteredClient>,
    pub(crate) pending: BTreeMap<String, Authorization>,
    pub(crate) codes: BTreeMap<String, Authorization>,
    pub(crate) access_tokens: BTreeMap<String, Grant>,
    pub(crate) refresh_tokens: BTreeMap<String, Grant>,
    pub(crate) received: Vec<RegisteredRequest>,
    pub(crate) log: Vec<LoggedRequest>,
}

impl Book {
    /// Ends a client and everything issued to it.
    pub(crate) fn forget(&mut self, client_id: &str) -> bool {
        self.pending.retain(|_, waiting| waiting.client_id != client_id);
        self.codes.retain(|_, code| code.client_id != client_id);
        self.access_tokens.retain(|_, grant| grant.client_id != client_id);
        self.refresh_tokens.retain(|_, grant| grant.client_id != client_id);
        self.clients.remove(client_id).is_some()
    }
}

/// How far registrations have come, for those who wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Registration requests received.
    pub(crate) received: usize,
    /// Clients stored.
    pub(crate) registered: usize,
}

/// What all handlers share.
pub(crate) struct State {
    pub(crate) origin: String,
    pub(crate) name: String,
    book: Mutex<Book>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) stopping: watch::Sender<bool>,
}

impl State {
    pub(crate) fn new(origin: String, name: String, quirks: Quirks) -> Self {
        Self {
            origin,
            name,
            book: Mutex::new(Book { quirks, ..Book::default() }),
            progress: watch::Sender::default(),
            stopping: watch::Sender::new(false),
        }
    }

    /// The book. A handler that panicked leaves nothing half done that matters to a sandbox, so poison is ignored.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mcp_url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    /// The `issuer` of the metadata document: what clients belong to.
    pub(crate) fn issuer(&self, quirks: &Quirks) -> String {
        let slash = if quirks.slash_in_metadata_issuer { "/" } else { "" };
        quirks
            .metadata_issuer
            .clone()
            .unwrap_or_else(|| format!("{}{}{slash}", self.origin, quirks.issuer_path))
    }

    /// The issuer as the protected-resource metadata names it.
    pub(crate) fn advertised_issuers(&self, quirks: &Quirks) -> Vec<String> {
        let slash = if quirks.slash_in_resource_issuer { "/" } else { "" };
        quirks
            .authorization_servers
            .clone()
            .unwrap_or_else(|| vec![format!("{}{}{slash}", self.origin, quirks.issuer_path)])
    }

    /// The `resource` of the protected-resource metadata.
    pub(crate) fn resource(&self, quirks: &Quirks) -> String {
        quirks.resource.clone().unwrap_or_else(|| self.mcp_url())
    }

    /// Path of the protected-resource metadata, if there is any.
    pub(crate) fn resource_metadata_path(quirks: &Quirks) -> Option<&'static str> {
        match quirks.resource_metadata {
            ResourceMetadata::Path => Some("/.well-known/oauth-protected-resource/mcp"),
            ResourceMetadata::Root => Some("/.well-known/oauth-protected-resource"),
            ResourceMetadata::HeaderOnly => Some("/documents/protected-resource.json"),
            ResourceMetadata::None => None,
        }
    }
}

/// The current time. The sandbox simulates a third-party server, so it has its own clock.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a third-party server has its own clock")]
    let now = chrono::Utc::now();
    registry_core::clock::to_millis(now)
}

/// The present moment in seconds since 1970 (NumericDate).
pub(crate) fn now_seconds() -> i64 {
    now().timestamp()
}

/// An unguessable value: 244 random bits.
#[expect(clippy::disallowed_methods, reason = "a secret must not tell the time it was made")]
pub(crate) fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
