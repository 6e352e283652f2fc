//! One server and the authorization server of its client, from the first registration to the deregistration.

use super::protected;
use registration_worker::WorkerOptions;
use registry::{Orphan, OrphanFilter, PageRequest, Settings};
use registry_core::egress::EgressPolicy;
use registry_core::permission::Role;
use registry_outbound::{Limits, UpstreamClient};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use support::{Client, Engine, Peer, TestRegistry, TestServer, mcp_client};
use tokio_util::sync::CancellationToken;

/// The server `acme/notes`, a worker, and the upstream.
pub(super) struct Life {
    pub(super) t: TestServer,
    pub(super) peer: Peer,
    mcp_url: String,
    admin: Client,
    gateway: Client,
    stop: CancellationToken,
    _mcp: Option<Peer>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What may be otherwise.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) engine: Engine,
    /// Environment of `protected-mcp.mjs`.
    pub(super) mcp: &'a [(&'a str, &'a str)],
    pub(super) settings: &'a dyn Fn(&mut Settings),
    /// A running `tls-front.mjs`: our public name, under which documents of clients are published.
    pub(super) front: Option<&'a Peer>,
}

impl Default for Circumstances<'_> {
    fn default() -> Self {
        Self { engine: Engine::Sqlite, mcp: &[], settings: &|_| {}, front: None }
    }
}

impl Life {
    /// Creates the server in front of `peer`; its client is being registered.
    pub(super) async fn begin(peer: Peer, configurations: &Value) -> Self {
        Self::begin_in(Circumstances::default(), peer, configurations).await
    }

    /// The same in other circumstances.
    pub(super) async fn begin_in(at: Circumstances<'_>, peer: Peer, configurations: &Value) -> Self {
        let egress: EgressPolicy =
            serde_json::from_value(json!({ "allow": [], "allow_http_loopback": true })).unwrap();
        let mut settings = Settings { egress, ..Settings::default() };
        settings.cimd_public_url = at.front.map(|front| front.text("public_url").to_owned());
        (at.settings)(&mut settings);
        let t = TestServer::over(Box::pin(TestRegistry::with(at.engine, settings)).await);
        let mcp = if peer.ready["mcp_url"].is_string() { None } else { Some(protected(&peer, at.mcp).await) };
        let mcp_url = mcp.as_ref().unwrap_or(&peer).text("mcp_url").to_owned();
        let admin = t.client(Role::Admin, None).await;
        let gateway = t.client(Role::Gateway, None).await;
        let stop = CancellationToken::new();
        let options = WorkerOptions {
            name: "test".into(),
            concurrency: 2,
            poll: Duration::from_millis(50),
            drain: Duration::from_secs(5),
        };
        let registry = t.inner.registry.clone();
        let mut guarded = UpstreamClient::new(registry.settings().egress.clone(), Limits::default());
        if let Some(front) = at.front {
            guarded = guarded.with_certificates(&std::fs::read(front.text("ca_file")).unwrap()).unwrap();
        }
        tokio::spawn(registration_worker::run(registry, Arc::new(guarded), options, stop.clone()));
        admin
            .given()
            .workspace("acme")
            .integration("notes", &mcp_url)
            .with("configurations", configurations.clone())
            .await;
        let life = Self { t, peer, mcp_url, admin, gateway, stop, _mcp: mcp };
        life.create_server("notes").await;
        life
    }

    /// Another server of the same integration.
    pub(super) async fn create_server(&self, slug: &str) {
        let body =
            json!({ "name": slug, "slug": slug, "mcp_integration_id": "notes", "workspace_id": "acme" });
        self.admin.post("/v1/mcp-servers", &body).await.expect(200);
    }

    /// The gateway's document, once `done` says so of it. Fetching it counts: people may have signed in from then on.
    pub(super) async fn document_when(&self, done: impl Fn(&Value) -> bool) -> Value {
        self.looking(
            || async { self.gateway.get("/v1/gateway/servers/acme/notes").await.expect(200).json() },
            done,
        )
        .await
    }

    /// The same for the registration as an admin sees it, which does not count as a use.
    pub(super) async fn registration_when(&self, done: impl Fn(&Value) -> bool) -> Value {
        self.registration_of("notes", done).await
    }

    /// The same for another server.
    pub(super) async fn registration_of(&self, server: &str, done: impl Fn(&Value) -> bool) -> Value {
        let read = || async {
            let list = self.admin.get("/v1/registrations").await.expect(200).json();
            let found =
                list["data"].as_array().unwrap().iter().find(|one| one["server_slug"] == server).cloned();
            found.unwrap_or_default()
        };
        self.looking(read, done).await
    }

    /// Waits until `server` is registered; whenever it waits for a moment, our clock moves past it. Never in between: a clock
    /// that jumps while a request is under way ends the worker's lease.
    pub(super) async fn registered_in_time(&self, server: &str) -> Value {
        let waited = RefCell::new(Value::Null);
        self.registration_of(server, |seen| {
            let waits = seen["state"] == "retrying" || seen["reason"] == "waiting_turn";
            let moment = json!([seen["updated_at"], seen["failures"], seen["reason"]]);
            if waits && moment != *waited.borrow() {
                waited.replace(moment);
                self.pass(600);
            }
            seen["state"] == "registered"
        })
        .await
    }

    async fn looking<F: Future<Output = Value>>(
        &self,
        read: impl Fn() -> F,
        done: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let found = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                last = read().await;
                if done(&last) {
                    return;
                }
                self.t.inner.registry.wait_for_commit(Duration::from_millis(50)).await;
            }
        })
        .await;
        assert!(found.is_ok(), "it never came to that; last seen: {last:#}");
        last
    }

    /// The first client: registered, known to the authorization server, and good enough for a real gateway.
    pub(super) async fn registered(&mut self) -> Value {
        let document = self.document_when(|seen| seen["registration"]["state"] == "registered").await;
        let event = self.peer.event("registered").await;
        assert_eq!(document["generation"], 1);
        assert_eq!(document["client"]["client_id"], event["client_id"]);
        assert_eq!(document["client"]["issuer"], self.peer.ready["issuer"]);
        self.signs_in(&document).await;
        document
    }

    /// A real gateway signs a user in with what the document says.
    pub(super) async fn signs_in(&self, document: &Value) {
        let seen = mcp_client(&self.mcp_url, document).await;
        assert_eq!(seen["caller"]["client_id"], document["client"]["client_id"], "{seen:#}");
    }

    /// The same at a server that does not tell who is calling; how many tools it showed.
    pub(super) async fn tools_of(&self, document: &Value) -> usize {
        mcp_client(&self.mcp_url, document).await["tools"].as_array().unwrap().len()
    }

    /// An admin changes the integration's Advanced Configuration.
    pub(super) async fn configure(&self, configurations: &Value) {
        let body = json!({ "configurations": configurations });
        self.admin.put("/v1/mcp-integrations/notes", &body).await.expect(200);
    }

    /// An admin changes the client's name and nothing else.
    pub(super) async fn rename(&self, name: &str) {
        self.configure(&json!({ "oauth_client_metadata": { "client_name": name } })).await;
    }

    /// Waits for an attempt of that step with that outcome.
    pub(super) async fn attempted(&self, step: &str, outcome: &str) {
        let id =
            self.registration_when(|seen| seen["id"].is_string()).await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/registrations/{id}");
        let fits = |attempt: &Value| attempt["step"] == step && attempt["outcome"] == outcome;
        self.looking(
            || async { self.admin.get(&path).await.expect(200).json() },
            |seen| seen["attempts"].as_array().is_some_and(|attempts| attempts.iter().any(fits)),
        )
        .await;
    }

    /// The authorization server's answer to this client for an invalid code.
    pub(super) async fn token_endpoint_says(&self, document: &Value) -> String {
        let client = &document["client"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", "nobody-issued-this".to_owned()),
            ("code_verifier", "v".repeat(43)),
            ("redirect_uri", text(&client["redirect_uris"][0])),
            ("client_id", text(&client["client_id"])),
            ("client_secret", text(&client["client_secret"])),
        ];
        let endpoint = Client::new(document["authorization_server"]["token_endpoint"].as_str().unwrap(), "");
        let reply = Client::send(endpoint.request(reqwest::Method::POST, "").form(&form)).await;
        text(&reply.json()["error"])
    }

    /// A gateway complains about the client it was given; each call is another gateway's.
    pub(super) async fn report(&self, generation: &Value, error: &str) {
        let gateway = self.t.client(Role::Gateway, None).await;
        let body = json!({ "generation": generation, "error": error });
        let reply = gateway.post("/v1/gateway/servers/acme/notes/report", &body).await;
        assert!(reply.status.is_success(), "{}", reply.text);
    }

    /// An admin agrees to what the registration waits for.
    pub(super) async fn approve(&self, registration: &Value) {
        let path = format!("/v1/registrations/{}/approve", registration["id"].as_str().unwrap());
        self.admin.post(&path, &json!({})).await.expect(200);
    }

    /// Deletes the server `acme/notes` and waits until nothing is left to do.
    pub(super) async fn delete_server(&self) {
        self.admin.delete("/v1/mcp-servers/notes?workspace_id=acme").await.expect(200);
    }

    /// Waits until nothing is at `path` any more.
    pub(super) async fn gone(&self, path: &str) {
        let anybody = self.t.anonymous();
        self.looking(|| async { json!(anybody.get(path).await.status.as_u16()) }, |seen| *seen == json!(404))
            .await;
    }

    /// How many seconds it is until that moment, in seconds since 1970, by our clock.
    pub(super) fn until(&self, moment: i64) -> i64 {
        moment - self.t.inner.registry.now().timestamp()
    }

    /// Our clock moves; the authorization server's does not.
    pub(super) fn pass(&self, seconds: i64) {
        self.t.inner.clock.advance(chrono::Duration::seconds(seconds));
    }

    /// The ids that the authorization server remembers.
    pub(super) async fn remembered(&self) -> Vec<String> {
        let clients = self.peer.clients().await;
        clients.iter().map(|client| client["client_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the authorization server remembers exactly these.
    pub(super) async fn remembers(&self, ids: &[&Value]) {
        let wanted = json!(ids);
        self.looking(|| async { json!(self.remembered().await) }, |seen| *seen == wanted).await;
    }

    /// The ledger of clients that could not be withdrawn, once it has that many entries.
    pub(super) async fn orphans(&self, many: usize) -> Vec<Orphan> {
        let t = &self.t.inner;
        let read = async || {
            t.registry
                .orphans()
                .list(&t.admin(), OrphanFilter::default(), PageRequest::default())
                .await
                .unwrap()
                .items
        };
        self.looking(|| async { json!(read().await.len()) }, |seen| *seen == json!(many)).await;
        read().await
    }
}
