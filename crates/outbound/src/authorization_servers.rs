//! [`UpstreamClient`] as the port that the registration worker uses.

use crate::client::UpstreamClient;
use crate::{client_id_document, discovery, management, registration};
use registry_core::oauth::{Asked, Discovery, ManagedClient};
use registry_core::registration::{
    AuthorizationServers, DeleteOutcome, DiscoverOutcome, DiscoverTarget, ManageOutcome, RegisterOutcome,
    SelfCheckOutcome,
};
use registry_core::secret::Secret;
use serde_json::{Map, Value};

impl AuthorizationServers for UpstreamClient {
    async fn discover(&self, target: DiscoverTarget) -> DiscoverOutcome {
        discovery::discover(self, target).await
    }

    async fn register(
        &self,
        discovery: &Discovery,
        endpoint: &str,
        request: &Map<String, Value>,
        initial_access_token: Option<&Secret>,
    ) -> RegisterOutcome {
        let client = self.within(discovery.scope(self.policy()));
        let listed = discovery.authorization_server().token_endpoint_auth_methods_supported();
        let asked = Asked { request, listed_methods: listed.as_deref() };
        registration::register(&client, endpoint, asked, initial_access_token).await
    }

    async fn read(&self, client: &ManagedClient) -> ManageOutcome {
        management::read(self, client).await
    }

    async fn update(&self, client: &ManagedClient, request: &Map<String, Value>) -> ManageOutcome {
        management::update(self, client, request).await
    }

    async fn delete(&self, client: &ManagedClient) -> DeleteOutcome {
        let http = self.within(client.scope.clone());
        management::delete(&http, &client.registration_client_uri, &client.registration_access_token).await
    }

    async fn self_check(&self, url: &str, document: &str) -> SelfCheckOutcome {
        client_id_document::self_check(self, url, document).await
    }
}
