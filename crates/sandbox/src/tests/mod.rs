//! A browser, a gateway and an authorization flow in miniature, over loopback.
#![expect(clippy::unwrap_used, reason = "tests")]

mod field;
mod flow;
mod management;
mod pages;
mod quirks;

use crate::{Options, Quirks, Sandbox};
use reqwest::{Client, RequestBuilder, Response, redirect};
use serde_json::{Value, json};
use std::time::Duration;

const CALLBACK: &str = "http://localhost:8787/oauth/upstream-callback";
const TEST_TIMEOUT: Duration = Duration::from_secs(10);

struct Peer {
    sandbox: Sandbox,
    http: Client,
}

impl Peer {
    async fn with(quirks: Quirks) -> Self {
        let sandbox = Sandbox::start(Options { quirks, ..Options::default() }).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "tests are clients, on loopback only")]
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { sandbox, http }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.origin())
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    fn registering(&self, body: &Value) -> RequestBuilder {
        self.http.post(self.url("/register")).json(body)
    }

    /// Status and JSON body of a registration.
    async fn register(&self, body: &Value) -> (u16, Value) {
        read(self.registering(body).send().await.unwrap()).await
    }

    fn posting(&self, path: &str, pairs: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.http.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    async fn token(&self, pairs: &[(&str, &str)]) -> (u16, Value) {
        read(self.posting("/token", pairs).send().await.unwrap()).await
    }

    fn authorize_path(&self, client_id: &str, changes: &[(&str, &str)]) -> String {
        let mcp = self.sandbox.mcp_url();
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
            ("state", "st&1"),
            ("resource", mcp.as_str()),
        ];
        pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        format!(
            "/authorize?{}",
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        )
    }

    /// Approves (or not) as a user would; the parameters the browser is sent back with.
    async fn decide(&self, client_id: &str, decision: &str) -> Vec<(String, String)> {
        let page = self.get(&self.authorize_path(client_id, &[])).await.text().await.unwrap();
        let number = page.split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let answer =
            self.posting("/authorize", &[("request", number), ("decision", decision)]).send().await.unwrap();
        sent_back(&answer)
    }

    async fn code(&self, client_id: &str) -> String {
        value(&self.decide(client_id, "approve").await, "code").unwrap()
    }

    async fn mcp(&self, token: Option<&str>, message: &Value) -> Response {
        let request = self.http.post(self.sandbox.mcp_url()).json(message);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap()
    }
}

/// The PKCE verifier of RFC 7636 appendix B, whose challenge `authorize_path` sends.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn sent_back(answer: &Response) -> Vec<(String, String)> {
    assert_eq!(answer.status(), 303);
    let location = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(CALLBACK));
    location.query_pairs().into_owned().collect()
}

fn value(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

async fn read(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// What a gateway asks for.
fn metadata() -> Value {
    json!({
        "client_name": "Acme Corp MCP Gateway",
        "client_uri": "https://acme.com",
        "logo_uri": "https://acme.com/assets/logo.png",
        "software_id": "com.acme.mcp-gateway",
        "software_version": "1.0.0",
        "scope": "mcp:read mcp:write",
        "contacts": ["security@acme.com", "legal@acme.com"],
        "tos_uri": "https://acme.com/legal/terms",
        "policy_uri": "https://acme.com/legal/privacy",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    })
}

/// [`metadata`] with some members changed; `null` removes one.
fn metadata_with(changes: &Value) -> Value {
    let mut body = metadata();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

fn id(registered: &Value) -> &str {
    registered["client_id"].as_str().unwrap()
}
