//! What an authorization server is asked for, as a port: the registration worker calls it, the crate that opens
//! connections implements it.

use crate::oauth::{AuthorizationServerMetadata, Discovery, Exchange, Failure, Issued, ManagedClient};
use crate::registration::{ActiveClient, AuthType, Desired, Transport};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::future::Future;

/// Authorization servers, as the registration worker uses them. Every address is hostile: an implementation judges where
/// it leads, follows no redirect with a body or a secret, and ends each request after a bounded time and size.
pub trait AuthorizationServers: Send + Sync + 'static {
    /// Finds the authorization server of an MCP server (RFC 9728, RFC 8414). Registers nothing and sends no secret.
    fn discover(&self, target: DiscoverTarget) -> impl Future<Output = DiscoverOutcome> + Send;

    /// Sends one registration to the registration endpoint of `discovery` (RFC 7591 §3).
    fn register(
        &self,
        discovery: &Discovery,
        endpoint: &str,
        request: &Map<String, Value>,
        initial_access_token: Option<&Secret>,
    ) -> impl Future<Output = RegisterOutcome> + Send;

    /// Reads a client (RFC 7592 §2.1).
    fn read(&self, client: &ManagedClient) -> impl Future<Output = ManageOutcome> + Send;

    /// Updates a client to `request` (RFC 7592 §2.2).
    fn update(
        &self,
        client: &ManagedClient,
        request: &Map<String, Value>,
    ) -> impl Future<Output = ManageOutcome> + Send;

    /// Deletes a client (RFC 7592 §2.3).
    fn delete(&self, client: &ManagedClient) -> impl Future<Output = DeleteOutcome> + Send;

    /// Reads the Client ID Metadata Document at `url` as an authorization server would, and compares it with `document`.
    fn self_check(&self, url: &str, document: &str) -> impl Future<Output = SelfCheckOutcome> + Send;
}

/// The input of a discovery.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoverTarget {
    /// The URL of the MCP server.
    pub mcp_url: String,
    /// What an admin set to override the metadata: `issuer` and members of RFC 8414 §2.
    pub overrides: Map<String, Value>,
    /// An issuer to trust even if another one was expected.
    pub trusted_issuer: Option<String>,
    /// The issuer of the active client: preferred where a resource names several.
    pub known_issuer: Option<String>,
    /// The methods to obtain a client besides dynamic registration.
    pub paths: ClientMethods,
    /// Whether a server without protected resource metadata may be one of the MCP revision 2025-03-26.
    pub legacy: bool,
    /// The resource identifier that an admin entered for the server (RFC 8707); `None`: the one that its metadata name.
    pub resource: Option<String>,
    /// Whether only the client credentials grant is used, so that no authorization endpoint is needed (RFC 8414 §2).
    pub without_sign_in: bool,
    /// The transport of the MCP server, which says how it is probed.
    pub transport: Transport,
    /// Stored with the result: the admin's inputs of this discovery.
    pub found_with: String,
}

impl DiscoverTarget {
    /// The input for an MCP server at `mcp_url` of which nothing more is known.
    pub fn at(mcp_url: impl Into<String>) -> Self {
        Self {
            mcp_url: mcp_url.into(),
            overrides: Map::new(),
            trusted_issuer: None,
            known_issuer: None,
            paths: ClientMethods::default(),
            legacy: false,
            resource: None,
            without_sign_in: false,
            transport: Transport::Http,
            found_with: String::new(),
        }
    }

    /// The input for `desired`, with `client` as the active client.
    pub fn of(desired: &Desired, client: Option<&ActiveClient>) -> Self {
        let effective = &desired.effective;
        let named = &effective.authorization_server;
        Self {
            mcp_url: desired.mcp_url.clone(),
            overrides: named.endpoints(),
            trusted_issuer: named.trusted_issuer.clone(),
            known_issuer: client.map(|client| client.issuer.clone()),
            paths: ClientMethods {
                entered: effective.credentials.is_some(),
                documents: desired.publishes_documents,
            },
            legacy: effective.registration.legacy_discovery,
            resource: effective.registration.resource.clone(),
            without_sign_in: desired.auth_type == AuthType::OauthClientCredentials,
            transport: desired.transport,
            found_with: effective.discovery_inputs(),
        }
    }
}

/// Methods to obtain a client besides dynamic registration. Where several authorization servers are named, one with a possible method is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientMethods {
    /// A user entered a client, so that every authorization server is possible.
    pub entered: bool,
    /// Client ID Metadata Documents are published here.
    pub documents: bool,
}

impl ClientMethods {
    /// Whether a client can be obtained at `server`.
    pub fn can_obtain_client(self, server: AuthorizationServerMetadata<'_>) -> bool {
        self.entered
            || server.registration_endpoint().is_some()
            || self.documents && server.client_id_metadata_document_supported()
    }
}

/// The result of a discovery.
#[derive(Clone, Debug)]
pub struct DiscoverOutcome {
    /// The discovery, or the failure.
    pub result: Result<Discovery, Failure>,
    /// Every exchange of the discovery.
    pub trace: Vec<Exchange>,
    /// The `resource` of metadata that belong to another address.
    pub other_resource: Option<String>,
}

/// The result of a registration.
#[derive(Debug)]
pub struct RegisterOutcome {
    /// The client, or the failure. [`FailureClass::Ambiguous`](crate::oauth::FailureClass::Ambiguous) or
    /// [`FailureClass::Unusable`](crate::oauth::FailureClass::Unusable) when a client may exist.
    pub result: Result<Issued, Failure>,
    /// The exchange, without secrets.
    pub exchange: Exchange,
}

/// The result of reading or updating a client.
#[derive(Debug)]
pub struct ManageOutcome {
    /// The client as it is now, or the failure. [`FailureClass::Ambiguous`](crate::oauth::FailureClass::Ambiguous) when the response was lost: secret
    /// and token may have been rotated.
    pub result: Result<Issued, Failure>,
    /// The exchanges, without secrets: an update that is answered without the client is followed by a read.
    pub exchanges: Vec<Exchange>,
}

/// The result of a deletion.
#[derive(Debug)]
pub struct DeleteOutcome {
    /// Success, or the failure.
    pub result: Result<(), Failure>,
    /// The exchange, without secrets.
    pub exchange: Exchange,
}

/// The result of the check.
#[derive(Debug)]
pub struct SelfCheckOutcome {
    /// Whether the document can be read, or why not.
    pub result: Result<(), Failure>,
    /// The exchange.
    pub exchange: Exchange,
}
