//! What a test needs before it begins, made over the API, in one line:
//! `admin.given().workspace("acme").integration("linear", URL).server("linear").await`.

use crate::Client;
use serde_json::{Value, json};
use std::pin::Pin;

/// Objects that are created in this order once it is awaited. Each name is its slug with a capital letter.
#[derive(Debug)]
#[must_use = "nothing is created before it is awaited"]
pub struct Given<'a> {
    client: &'a Client,
    requests: Vec<(&'static str, Value)>,
}

impl Client {
    /// Begins a list of objects that this client creates; each must be answered with 200.
    pub fn given(&self) -> Given<'_> {
        Given { client: self, requests: Vec::new() }
    }
}

impl Given<'_> {
    /// A workspace.
    pub fn workspace(self, slug: &str) -> Self {
        self.object("/v1/workspaces", json!({ "name": name(slug), "slug": slug }))
    }

    /// An integration whose gateways sign in by OAuth with a registered client, unless [`Self::with`] says otherwise.
    pub fn integration(self, slug: &str, url: &str) -> Self {
        let body = json!({ "name": name(slug), "slug": slug, "url": url, "auth_type": "oauth_auto", "transport": "http" });
        self.object("/v1/mcp-integrations", body)
    }

    /// A server of the integration before it, in the workspace before it (`acme` if there is none).
    pub fn server(self, slug: &str) -> Self {
        let integration =
            self.slug_of("/v1/mcp-integrations").expect("an integration comes first").to_owned();
        self.server_of(&integration, slug)
    }

    /// A server of an integration that exists, in the workspace before it (`acme` if there is none).
    pub fn server_of(self, integration: &str, slug: &str) -> Self {
        let workspace = self.slug_of("/v1/workspaces").unwrap_or("acme");
        let body = json!({ "name": name(slug), "slug": slug, "mcp_integration_id": integration, "workspace_id": workspace });
        self.object("/v1/mcp-servers", body)
    }

    /// Sets a member of the object before it.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        let (_, body) = self.requests.last_mut().expect("an object comes first");
        body[member] = value.into();
        self
    }

    fn object(mut self, path: &'static str, body: Value) -> Self {
        self.requests.push((path, body));
        self
    }

    fn slug_of(&self, path: &str) -> Option<&str> {
        let last = self.requests.iter().rev().find(|(one, _)| *one == path);
        last.and_then(|(_, body)| body["slug"].as_str())
    }
}

impl<'a> IntoFuture for Given<'a> {
    /// The answers, in the order of the objects.
    type Output = Vec<Value>;
    type IntoFuture = Pin<Box<dyn Future<Output = Vec<Value>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut made = Vec::new();
            for (path, body) in &self.requests {
                made.push(self.client.post(path, body).await.expect(200).json());
            }
            made
        })
    }
}

fn name(slug: &str) -> String {
    let mut letters = slug.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
