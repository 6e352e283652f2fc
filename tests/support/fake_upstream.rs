//! An MCP server and its authorization server behind one loopback address, as raw sockets: a test replaces any answer by
//! what real servers were seen to send, odd statuses, headers, encodings and broken bodies included.
//!
//! Unlike the sandbox (`registry-sandbox`), which is a whole server with switches, this one has no OAuth flows. Its answers
//! are data that a test changes.

use crate::http_message::{Message, header};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// One answer, as bytes on the wire.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    raw: Option<Vec<u8>>,
}

impl Answer {
    /// With a body of this content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), raw: None }
    }

    /// A JSON document.
    pub fn json(status: u16, document: &Value) -> Self {
        Self::new(status, "application/json", document.to_string())
    }

    /// Plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain", text)
    }

    /// A page with this title.
    pub fn page(status: u16, title: &str) -> Self {
        let page = format!("<!doctype html><html><head><title>{title}</title></head><body>…</body></html>");
        Self::new(status, "text/html", page)
    }

    /// These bytes instead of an HTTP response; none at all: the connection is closed without an answer.
    pub fn raw(bytes: &[u8]) -> Self {
        Self { raw: Some(bytes.to_vec()), ..Self::text(200, "") }
    }

    /// With this header after those that are there.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this content type instead of the present one.
    #[must_use]
    pub fn labelled(mut self, content_type: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.header("content-type", content_type)
    }

    /// Compressed by gzip, and labelled so.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&self.body).expect("memory");
        self.body = encoder.finish().expect("memory");
        self.header("content-encoding", "gzip")
    }

    /// Compressed by brotli, and labelled so.
    #[must_use]
    pub fn brotli(mut self) -> Self {
        let mut packed = Vec::new();
        let mut encoder = brotli::CompressorWriter::new(&mut packed, 4096, 5, 22);
        encoder.write_all(&self.body).expect("memory");
        drop(encoder);
        self.body = packed;
        self.header("content-encoding", "br")
    }

    /// The same answer with another body, made from the present one.
    #[must_use]
    pub fn map_body(mut self, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        self.body = change(&self.body);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let has = |name: &str| self.headers.iter().any(|(one, _)| one.eq_ignore_ascii_case(name));
        let mut head = format!("HTTP/1.1 {} X\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !has("content-length") && !has("transfer-encoding") {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head.push_str("connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The JSON body; null when there is none.
    pub body: Value,
    /// The `Authorization` header, or empty.
    pub authorization: String,
}

type Route = Arc<dyn Fn(&Received, &mut UpstreamScript) -> Option<Answer> + Send + Sync>;

/// What the upstream answers. A test changes any of it, before and while it runs.
#[derive(Clone)]
pub struct UpstreamScript {
    /// `http://127.0.0.1:PORT`; the issuer, too.
    pub origin: String,
    /// `resource_metadata` of the challenge at `/mcp`; `None`: no challenge.
    pub hint: Option<String>,
    /// Protected resource metadata (RFC 9728), at the well-known address of `/mcp`.
    pub resource: Map<String, Value>,
    /// Authorization server metadata (RFC 8414), at the well-known address of the origin.
    pub metadata: Map<String, Value>,
    /// Status of a successful registration.
    pub status: u16,
    /// Members put into the answer to a registration.
    pub answer: Map<String, Value>,
    /// Members left out of the answer to a registration.
    pub omit: Vec<&'static str>,
    /// Whether clients can be managed (RFC 7592).
    pub manageable: bool,
    /// The clients that exist, by the id they were made with, as they were asked for.
    pub clients: BTreeMap<String, Map<String, Value>>,
    /// How many clients were ever made.
    pub made: usize,
    routes: BTreeMap<String, Route>,
}

impl UpstreamScript {
    /// The well-behaved upstream at this origin.
    pub fn at(origin: &str) -> Self {
        let of = |value: Value| value.as_object().cloned().expect("an object");
        Self {
            origin: origin.to_owned(),
            hint: Some(format!("{origin}/.well-known/oauth-protected-resource/mcp")),
            resource: of(json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [origin] })),
            metadata: of(json!({
                "issuer": origin,
                "authorization_endpoint": format!("{origin}/authorize"),
                "token_endpoint": format!("{origin}/token"),
                "registration_endpoint": format!("{origin}/register"),
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
            })),
            status: 201,
            answer: Map::new(),
            omit: Vec::new(),
            manageable: false,
            clients: BTreeMap::new(),
            made: 0,
            routes: BTreeMap::new(),
        }
    }

    /// A URL of this upstream.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Always answers `METHOD /path` (or `* /path`, or `*`) so.
    pub fn fixed(&mut self, route: &str, answer: Answer) {
        self.route(route, move |_, _| Some(answer.clone()));
    }

    /// Answers `METHOD /path` by a function; where it returns `None`, as if there were no such route.
    pub fn route(
        &mut self,
        route: &str,
        answer: impl Fn(&Received, &mut UpstreamScript) -> Option<Answer> + Send + Sync + 'static,
    ) {
        self.routes.insert(route.to_owned(), Arc::new(answer));
    }

    /// Ends a route.
    pub fn unroute(&mut self, route: &str) {
        self.routes.remove(route);
    }

    /// Makes a client of the request and answers so (RFC 7591 §3.2.1).
    pub fn register(&mut self, request: &Received) -> Answer {
        self.made += 1;
        let id = format!("client-{}", self.made);
        let mut client = request.body.as_object().cloned().unwrap_or_default();
        self.clients.insert(id.clone(), client.clone());
        client.insert("client_id".to_owned(), json!(id));
        client.insert("client_id_issued_at".to_owned(), json!(1_795_000_000));
        if client.get("token_endpoint_auth_method").is_some_and(|method| method != "none") {
            client.insert("client_secret".to_owned(), json!(format!("secret-{}", self.made)));
            client.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        if self.manageable {
            client.insert("registration_client_uri".to_owned(), json!(self.url(&format!("/register/{id}"))));
            client.insert("registration_access_token".to_owned(), json!(format!("token-{}", self.made)));
        }
        client.retain(|name, _| !self.omit.contains(&name.as_str()));
        client.extend(self.answer.clone());
        Answer::json(self.status, &Value::Object(client))
    }

    /// Reads, changes or deletes a client (RFC 7592 §2).
    pub fn manage(&mut self, request: &Received) -> Answer {
        let id = request.path.trim_start_matches("/register/").to_owned();
        let Some(client) = self.clients.get_mut(&id).filter(|_| self.manageable) else {
            return Answer::text(404, "not found");
        };
        match request.method.as_str() {
            "DELETE" => {
                self.clients.remove(&id);
                return Answer::text(204, "");
            }
            "PUT" => *client = request.body.as_object().cloned().unwrap_or_default(),
            _ => {}
        }
        let mut shown = client.clone();
        shown.insert("client_id".to_owned(), json!(id));
        Answer::json(200, &Value::Object(shown))
    }

    fn answer(&mut self, request: &Received) -> Answer {
        let (method, path) = (request.method.as_str(), request.path.as_str());
        let names = [format!("{method} {path}"), format!("* {path}"), "*".to_owned()];
        let route = names.iter().find_map(|name| self.routes.get(name)).cloned();
        route.and_then(|route| route(request, self)).unwrap_or_else(|| self.usual(request))
    }

    fn usual(&mut self, request: &Received) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            (_, path) if path.starts_with("/mcp") => {
                let refused = Answer::json(401, &json!({ "error": "unauthorized" }));
                match &self.hint {
                    Some(hint) => {
                        refused.header("www-authenticate", &format!("Bearer resource_metadata=\"{hint}\""))
                    }
                    None => refused,
                }
            }
            ("GET", "/.well-known/oauth-protected-resource/mcp") => {
                Answer::json(200, &Value::Object(self.resource.clone()))
            }
            ("GET", "/.well-known/oauth-authorization-server") => {
                Answer::json(200, &Value::Object(self.metadata.clone()))
            }
            ("POST", "/register") => self.register(request),
            (_, path) if path.starts_with("/register/") => self.manage(request),
            _ => Answer::text(404, "not found"),
        }
    }
}

struct Shared {
    script: Mutex<UpstreamScript>,
    received: Mutex<Vec<Received>>,
}

/// A running upstream; ends when dropped.
pub struct FakeUpstream {
    /// `http://127.0.0.1:PORT`
    pub origin: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Drop for FakeUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FakeUpstream {
    /// On a free port; `change` is applied to its script before the first request.
    pub async fn start(change: impl FnOnce(&mut UpstreamScript)) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let mut script = UpstreamScript::at(&origin);
        change(&mut script);
        let shared = Arc::new(Shared { script: Mutex::new(script), received: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Self { origin, shared, accepting }
    }

    /// The MCP server's address.
    pub fn mcp_url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    /// The script as it is now.
    pub fn script(&self) -> UpstreamScript {
        self.shared.script.lock().expect("unpoisoned").clone()
    }

    /// Changes the script while it runs.
    pub fn change(&self, change: impl FnOnce(&mut UpstreamScript)) {
        change(&mut self.shared.script.lock().expect("unpoisoned"));
    }

    /// Every request so far, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("unpoisoned").clone()
    }

    /// The bodies that `method path` received.
    pub fn bodies(&self, method: &str, path: &str) -> Vec<Value> {
        let received = self.received();
        received
            .into_iter()
            .filter(|one| one.method == method && one.path == path)
            .map(|one| one.body)
            .collect()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(handle(stream, shared.clone()));
    }
}

/// The first byte of a TLS connection (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

async fn handle(mut client: TcpStream, shared: Arc<Shared>) {
    let mut first = [0];
    // A TLS client would wait for an answer to its first record; it is told at once that nobody speaks TLS here.
    if client.peek(&mut first).await.is_err() || first[0] == TLS_HANDSHAKE {
        return;
    }
    let Some(message) = Message::read(&mut client).await else { return };
    let (method, target) = message.request_line();
    let request = Received {
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&message.body).unwrap_or_default(),
        authorization: header(&message.head, "authorization").unwrap_or_default().to_owned(),
    };
    shared.received.lock().expect("unpoisoned").push(request.clone());
    let bytes = shared.script.lock().expect("unpoisoned").answer(&request).bytes();
    // The client may have ended the connection meanwhile; then there is no receiver.
    drop(client.write_all(&bytes).await);
    drop(client.shutdown().await);
    // Bytes that were not read would turn the end of the connection into a reset.
    drop(client.read(&mut [0; 16]).await);
}
