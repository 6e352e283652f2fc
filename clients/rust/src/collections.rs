//! Integrations, servers and configurations, for automation.

use crate::registry::{Call, Registry, RegistryError};
use crate::types::{Changed, Item, Page};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde_json::{Value, json};

/// The integrations, or the servers. A reference is an id or a slug.
#[derive(Clone, Copy, Debug)]
pub struct Collection<'a> {
    registry: &'a Registry,
    root: &'static str,
}

/// The Advanced Configuration of the organisation.
#[derive(Clone, Copy, Debug)]
pub struct Configurations<'a> {
    registry: &'a Registry,
}

impl Registry {
    /// The MCP integrations.
    pub fn integrations(&self) -> Collection<'_> {
        Collection { registry: self, root: "/v1/mcp-integrations" }
    }

    /// The MCP servers.
    pub fn servers(&self) -> Collection<'_> {
        Collection { registry: self, root: "/v1/mcp-servers" }
    }

    /// The configuration of the organisation. That of an integration or a server is its member `configurations`.
    pub fn configurations(&self) -> Configurations<'_> {
        Configurations { registry: self }
    }
}

impl Collection<'_> {
    /// One page, after `cursor`.
    pub async fn list(self, cursor: Option<&str>) -> Result<Page, RegistryError> {
        let mut call = Call::new(Method::GET, self.root);
        call.query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        self.registry.request(call, &|_: &Page| true).await
    }

    /// One item.
    pub async fn get(self, reference: &str) -> Result<Item, RegistryError> {
        let path = format!("{}/{reference}", self.root);
        self.registry.request(Call::new(Method::GET, &path), &|_: &Item| true).await
    }

    /// Creates an item; never sent twice.
    pub async fn create(self, body: Value) -> Result<Changed, RegistryError> {
        let mut call = Call::new(Method::POST, self.root);
        call.body = Some(body);
        self.registry.request(call, &|_: &Changed| true).await
    }

    /// Changes members. With the `version` that was read, another user's change is never overwritten (412).
    pub async fn update(
        self,
        reference: &str,
        body: Value,
        version: Option<i64>,
    ) -> Result<Changed, RegistryError> {
        let path = format!("{}/{reference}", self.root);
        put(self.registry, &path, body, version).await
    }

    /// Deletes an item.
    pub async fn delete(self, reference: &str) -> Result<(), RegistryError> {
        let path = format!("{}/{reference}", self.root);
        self.registry.request(Call::new(Method::DELETE, &path), &|_: &Value| true).await.map(drop)
    }
}

impl Configurations<'_> {
    /// The configuration as it was written.
    pub async fn get(self) -> Result<Item, RegistryError> {
        self.registry.request(Call::new(Method::GET, ORGANISATION), &|_: &Item| true).await
    }

    /// Replaces the configuration.
    pub async fn put(self, configurations: Value, version: Option<i64>) -> Result<Changed, RegistryError> {
        put(self.registry, ORGANISATION, json!({ "configurations": configurations }), version).await
    }
}

const ORGANISATION: &str = "/v1/organisation/configuration";

async fn put(
    registry: &Registry,
    path: &str,
    body: Value,
    version: Option<i64>,
) -> Result<Changed, RegistryError> {
    let mut call = Call::new(Method::PUT, path);
    call.body = Some(body);
    call.header = version.map(|version| (IF_MATCH, format!("\"{version}\"")));
    registry.request(call, &|_: &Changed| true).await
}
