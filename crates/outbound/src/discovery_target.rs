//! The input and the result of a discovery.

use futures_util::future::BoxFuture;
use registry_core::oauth::{AuthorizationServerMetadata, Discovery, Exchange, Failure};
use registry_core::registration::{ActiveClient, Desired};
use serde_json::{Map, Value};

/// The input of a discovery.
#[derive(Clone, Debug, Default)]
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
    /// Stored with the result: the admin's inputs of this discovery.
    pub found_with: String,
}

impl DiscoverTarget {
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
            found_with: effective.discovery_inputs(),
        }
    }
}

/// Methods to obtain a client besides dynamic registration. Where several authorization servers are named, one with a possible method is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientMethods {
    /// A user entered a client, so that every authorization server is possible.
    pub entered: bool,
    /// Client ID Metadata Documents are published here.
    pub documents: bool,
}

impl ClientMethods {
    /// Whether a client can be obtained at `server`.
    pub(crate) fn can_obtain_client(self, server: AuthorizationServerMetadata<'_>) -> bool {
        self.entered
            || server.registration_endpoint().is_some()
            || self.documents && server.client_id_metadata_document_supported()
    }
}

/// The result of a discovery.
#[derive(Debug)]
pub struct DiscoverOutcome {
    /// The discovery, or the failure.
    pub result: Result<Discovery, Failure>,
    /// Every exchange of the discovery.
    pub trace: Vec<Exchange>,
    /// The `resource` of metadata that belong to another address.
    pub other_resource: Option<String>,
}

/// Called with an issuer before anything is sent to it; a failure ends the search there.
pub type BeforeRequest<'a> = dyn Fn(String) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a;
