//! The whole app behind a real listener, and clients by identity.

use crate::{Engine, TestRegistry};
use mcp_registry::app::{Parts, build};
use registry::{NewApiKey, Registry};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use std::sync::OnceLock;

/// The app on its own port, on a new database.
pub struct TestServer {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// What lies behind it.
    pub inner: TestRegistry,
    handle: actix_web::dev::ServerHandle,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

impl TestServer {
    /// With loopback upstreams allowed.
    pub async fn new(engine: Engine) -> Self {
        Self::over(TestRegistry::new(engine).await)
    }

    /// In front of a registry that exists.
    pub fn over(inner: TestRegistry) -> Self {
        Self::over_at(inner, 0)
    }

    /// As above, on a port that is known before; 0 takes a free one.
    pub fn over_at(inner: TestRegistry, port: u16) -> Self {
        let parts = parts(inner.registry.clone());
        Self::build(inner, port, parts)
    }

    /// As behind a proxy that speaks TLS: cookies for https only, and browsers are told to keep to https.
    pub async fn secure(engine: Engine) -> Self {
        let inner = TestRegistry::new(engine).await;
        let parts = Parts { secure_cookies: true, hsts: Some(63_072_000), ..parts(inner.registry.clone()) };
        Self::build(inner, 0, parts)
    }

    fn build(inner: TestRegistry, port: u16, parts: Parts) -> Self {
        let (address, handle) = listen(port, parts);
        Self { url: format!("http://{address}"), inner, handle }
    }

    /// As [`Self::new`], with documents held in memory and kept true, as `mcp-registry serve` does.
    pub async fn following(engine: Engine) -> Self {
        let this = Self::new(engine).await;
        follow(&this.inner.registry, &this.inner.database.url).await;
        this
    }

    /// What its app is built from.
    pub fn parts(&self) -> Parts {
        parts(self.inner.registry.clone())
    }

    /// Another process on the same database, as far as one can be had in the same one; it follows too.
    pub async fn replica(&self) -> Replica {
        let registry = self.inner.second_process().await;
        follow(&registry, &self.inner.database.url).await;
        let (address, handle) = listen(0, parts(registry.clone()));
        Replica { url: format!("http://{address}"), registry, handle }
    }

    /// A client of another process, with its address.
    pub fn replica_of(&self, registry: Registry) -> Replica {
        let (address, handle) = listen(0, parts(registry.clone()));
        Replica { url: format!("http://{address}"), registry, handle }
    }

    /// A caller without credential.
    pub fn anonymous(&self) -> Client {
        Client { url: self.url.clone(), token: None }
    }

    /// A caller with this token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { url: self.url.clone(), token: Some(token.to_owned()) }
    }

    /// A caller with an API key of `role`, bound to `workspace` if one is given.
    pub async fn client(&self, role: Role, workspace: Option<&str>) -> Client {
        self.with_token(&self.key(role, workspace).await)
    }

    /// Such a key.
    pub async fn key(&self, role: Role, workspace: Option<&str>) -> String {
        let registry = &self.inner.registry;
        let new = NewApiKey {
            name: format!("{} {}", role.as_str(), workspace.unwrap_or("everywhere")),
            role,
            scopes: Vec::new(),
            workspace: workspace.map(Reference::parse),
            expires_at: None,
            reason: None,
        };
        registry.api_keys().create(&registry.operator(), new).await.expect("a key").key
    }
}

/// A second door to a [`TestServer`]'s database.
pub struct Replica {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// What lies behind it.
    pub registry: Registry,
    handle: actix_web::dev::ServerHandle,
}

impl Drop for Replica {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

fn listen(port: u16, parts: Parts) -> (std::net::SocketAddr, actix_web::dev::ServerHandle) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = actix_web::HttpServer::new(move || build(parts.clone()))
                .workers(1)
                .disable_signals()
                .tcp_nodelay(true)
                .bind(("127.0.0.1", port))
                .expect("a free port");
            let address = server.addrs()[0];
            let running = server.run();
            sender.send((address, running.handle())).expect("the test waits for it");
            running.await.expect("the server ends well");
        });
    });
    receiver.recv().expect("the server started")
}

/// Has `registry` keep in memory what gateways ask for, until the test ends.
pub async fn follow(registry: &Registry, url: &str) {
    let (following, url) = (registry.clone(), url.to_owned());
    tokio::spawn(async move { following.gateway().watch(&url, 64 << 20, std::future::pending()).await });
    while !registry.gateway().is_watching() {
        registry.wait_for_commit(std::time::Duration::from_millis(10)).await;
    }
}

fn parts(registry: Registry) -> Parts {
    static METRICS: OnceLock<metrics_exporter_prometheus::PrometheusHandle> = OnceLock::new();
    let metrics = METRICS.get_or_init(mcp_registry::telemetry::metrics).clone();
    Parts { registry, metrics, secure_cookies: false, basic: false, hsts: None }
}

/// The one HTTP client of all identities: to make one reads every root certificate of the machine, which took longer than
/// most requests. It keeps no connection, as each test has its own runtime, with which its connections end.
fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "tests are clients, on loopback only")]
    CLIENT.get_or_init(|| {
        let none = reqwest::redirect::Policy::none();
        reqwest::Client::builder()
            .no_proxy()
            .redirect(none)
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client")
    })
}

/// An API client with one identity.
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// This reply, once its status is `status`; panics with everything otherwise.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "the check is what it is called for")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// A header as text, or empty.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Code and pointer of each error of a problem document.
    pub fn errors(&self) -> Vec<(String, String)> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let text = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (text(error, "code"), text(error, "pointer"))).collect()
    }
}

impl Client {
    /// A caller with `token` (empty: without) at a server that the test does not start.
    pub fn new(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), token: (!token.is_empty()).then(|| token.to_owned()) }
    }

    /// A request with this identity's credential; to the API of the open gateway's control plane also as the gateway's own.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = client().request(method, format!("{}{path}", self.url));
        let is_of_gateway = ["/v2/", "/v1/logs/", "/v1/analytics/"].iter().any(|one| path.starts_with(one));
        match &self.token {
            Some(token) if is_of_gateway => {
                request.header("x-portkey-api-key", token).header("x-client-id-mcp-gateway", token)
            }
            Some(token) => request.header("x-portkey-api-key", token),
            None => request,
        }
    }

    /// Sends a request that was made by hand.
    pub async fn send(request: RequestBuilder) -> Reply {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, text: response.text().await.expect("a body") }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        Self::send(self.request(Method::GET, path)).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        Self::send(self.request(Method::POST, path).json(body)).await
    }

    /// PUT with JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        Self::send(self.request(Method::PUT, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        Self::send(self.request(Method::DELETE, path)).await
    }
}
