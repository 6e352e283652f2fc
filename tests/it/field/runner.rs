//! The registry that the cases run against, and the order of what happens: all are created, settled together, then judged.

use super::{Case, Expectation, Seen, check};
use crate::worker::Working;
use registry::{IssuerRate, RequestLimits, Settings};
use registry_core::egress::EgressPolicy;
use registry_core::permission::Role;
use registry_outbound::Limits;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Client, Engine, FakeUpstream, TestRegistry, TestServer};

/// The longest a registration may take on a busy machine, between two moves of the clock.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(1);

/// The registry with a worker, an admin and a gateway.
pub(super) struct Field {
    pub(super) t: TestServer,
    pub(super) admin: Client,
    pub(super) gateway: Client,
    worker: Working,
    db: DatabaseConnection,
}

impl Field {
    pub(super) async fn new(engine: Engine) -> Self {
        Self::with(engine, |_| {}).await
    }

    pub(super) async fn with(engine: Engine, change: impl FnOnce(&mut Settings)) -> Self {
        let egress: EgressPolicy =
            serde_json::from_value(json!({ "allow": [], "allow_http_loopback": true })).unwrap();
        let mut settings = Settings {
            egress,
            gateway_urls: vec!["https://gw.example".to_owned()],
            issuer_rate: IssuerRate { burst: 1000, per_minute: 60_000 },
            limits: RequestLimits { burst: 1_000_000, per_second: 1_000_000, ..RequestLimits::default() },
            ..Settings::default()
        };
        change(&mut settings);
        let t = TestServer::over(Box::pin(TestRegistry::with(engine, settings)).await);
        let admin = t.client(Role::Admin, None).await;
        let gateway = t.client(Role::Gateway, None).await;
        admin.given().workspace("acme").await;
        // An upstream that never answers costs the test this long.
        let limits = Limits { total: Duration::from_secs(4), ..Limits::default() };
        let worker = Working::start(&t.inner.registry, limits);
        let db = t.inner.database.connect().await;
        Self { t, admin, gateway, worker, db }
    }

    /// Waits until no worker has anything to do before the clock moves.
    pub(super) async fn settle(&self) {
        let now = self.t.inner.registry.now().timestamp_millis();
        let busy = Statement::from_string(
            self.db.get_database_backend(),
            format!("SELECT id FROM registration WHERE lease_until > 0 OR due_at <= {now} LIMIT 1"),
        );
        let idle = async {
            while self.db.query_one_raw(busy.clone()).await.unwrap().is_some() {
                self.t.inner.registry.wait_for_commit(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SETTLE_TIMEOUT, idle).await.expect("the worker comes to rest");
    }

    /// Waits until nothing changes any more but by what a user does: what is repeated by itself after a pause, is.
    pub(super) async fn settle_repeated(&self) {
        self.settle().await;
        for minutes in [2, 3] {
            let waiting = self.admin.get("/v1/registrations?page_size=500").await.expect(200).json();
            let waits = |one: &Value| one["not_before"].is_string();
            if !waiting["data"].as_array().unwrap().iter().any(waits) {
                return;
            }
            self.t.inner.clock.advance(chrono::Duration::minutes(minutes));
            self.settle().await;
        }
    }

    pub(super) async fn create(&self, slug: &str, case: &Case) -> Seen {
        let upstream = std::sync::Arc::new(FakeUpstream::start(|script| (case.script)(script)).await);
        let mut seen = Seen {
            registration: Value::Null,
            document: Value::Null,
            orphans: Vec::new(),
            saved: Value::Null,
            upstream,
        };
        let configuration = (case.configuration)(&seen.upstream.script(), &seen);
        self.save(slug, case, configuration, &mut seen).await;
        seen
    }

    /// Creates integration and server; a refusal is seen in `saved`.
    async fn save(&self, slug: &str, case: &Case, configuration: Value, seen: &mut Seen) {
        let body = json!({
            "name": case.name, "slug": slug, "auth_type": case.auth_type, "transport": case.transport,
            "url": case.url.map_or_else(|| format!("{}{}", seen.upstream.mcp_url(), case.suffix), str::to_owned),
            "configurations": configuration,
        });
        let reply = self.admin.post("/v1/mcp-integrations", &body).await;
        seen.saved = reply.json();
        if reply.status == 200 {
            let body =
                json!({ "name": slug, "slug": slug, "mcp_integration_id": slug, "workspace_id": "acme" });
            let made = self.admin.post("/v1/mcp-servers", &body).await.expect(200).json();
            seen.registration = json!({ "id": made["registration"]["id"] });
        }
    }

    /// Reads again what can be seen.
    pub(super) async fn look(&self, slug: &str, seen: &mut Seen) {
        let Some(id) = seen.registration["id"].as_str().map(str::to_owned) else { return };
        seen.registration = self.admin.get(&format!("/v1/registrations/{id}")).await.expect(200).json();
        let document = self.gateway.get(&format!("/v1/gateway/servers/acme/{slug}")).await;
        seen.document = document.json();
        let orphans = self.admin.get("/v1/orphans?page_size=500").await.expect(200).json();
        let mine = |one: &&Value| one["registration_id"] == id;
        seen.orphans = orphans["data"].as_array().unwrap().iter().filter(mine).cloned().collect();
    }

    /// The second step of a case: its integration is saved with another configuration, or created if it was refused.
    pub(super) async fn then(
        &self,
        slug: &str,
        case: &Case,
        configuration: &Value,
        seen: &mut Seen,
    ) -> Result<(), String> {
        if seen.registration.is_null() {
            self.save(slug, case, configuration.clone(), seen).await;
            return check(!seen.registration.is_null(), || {
                format!("{configuration} is not saved: {}", seen.saved)
            });
        }
        self.configure(slug, configuration, seen).await
    }

    /// Saves another configuration of a case's integration.
    pub(super) async fn configure(
        &self,
        slug: &str,
        configuration: &Value,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let path = format!("/v1/mcp-integrations/{slug}");
        let reply = self.admin.put(&path, &json!({ "configurations": configuration })).await;
        let (status, text) = (reply.status, reply.text.clone());
        seen.saved = reply.json();
        check(status == 200, || format!("{configuration} is not saved: {status} {text}"))
    }

    pub(super) async fn end(self) {
        self.worker.stop().await;
        self.db.close().await.unwrap();
    }
}

/// Creates the integrations of all cases, and lets the worker do what it does by itself.
pub(super) async fn begin(field: &Field, cases: &[Case]) -> Vec<(String, Seen)> {
    let mut all = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let slug = format!("case-{number}");
        let seen = field.create(&slug, case).await;
        all.push((slug, seen));
    }
    field.settle_repeated().await;
    for (slug, seen) in &mut all {
        field.look(slug, seen).await;
    }
    all
}

/// Runs all cases on SQLite, and every third on PostgreSQL. Fails with all that failed.
pub(super) async fn run(engine: Engine, cases: Vec<Case>) {
    let step = if engine == Engine::Sqlite { 1 } else { 3 };
    let cases: Vec<Case> = cases.into_iter().step_by(step).collect();
    let field = Box::pin(Field::new(engine)).await;
    let mut failed = Vec::new();
    let mut all = begin(&field, &cases).await;
    let mut judge = |case: &Case, step: &str, expectations: &[Expectation], seen: &Seen| {
        let wrong = expectations.iter().find_map(|judge| judge(seen).err());
        failed.extend(wrong.map(|wrong| format!("{}{step}: {wrong}", case.name)));
    };
    for (case, (_, seen)) in cases.iter().zip(&all) {
        judge(case, "", &case.expectations, seen);
    }
    let mut second = Vec::new();
    for (case, (slug, seen)) in cases.iter().zip(&mut all) {
        let Some((configuration, expectations)) = &case.then else { continue };
        let configuration = configuration(&seen.upstream.script(), seen);
        match field.then(slug, case, &configuration, seen).await {
            Ok(()) => second.push((case, expectations, slug, seen)),
            Err(wrong) => {
                judge(case, " (then)", &[Box::new(move |_: &Seen| Err(wrong.clone())) as Expectation], seen);
            }
        }
    }
    field.settle_repeated().await;
    for (case, expectations, slug, seen) in second {
        field.look(slug, seen).await;
        judge(case, " (then)", expectations, seen);
    }
    field.end().await;
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
