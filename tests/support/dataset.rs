//! An organisation of any size, as it looks after years: every kind of state, histories, attempts, audit events.
//!
//! What people do is done through the application, so that every row of it is one the application writes. What the worker
//! would do for hours is done once, at the sandbox, and then copied in SQL to all other registrations.

use crate::TestRegistry;
use registration_worker::WorkerOptions;
use registry::{ConfigurationScope, PageRequest, RegistrationFilter};
use registry_core::id::RegistrationId;
use registry_core::registration::State;
use registry_core::slug::Reference;
use registry_outbound::{Limits, UpstreamClient};
use registry_sandbox::{Options, Sandbox};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, TransactionTrait};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How large an organisation is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Integrations, at least two. Each was saved `saves` times.
    pub integrations: usize,
    /// Workspaces. The first integration has a server in each.
    pub workspaces: usize,
    /// Servers, at least as many as workspaces; the others are spread over the other integrations.
    pub servers: usize,
    /// How often the first integration's configuration was saved.
    pub saves: usize,
}

/// What one needs to know of it afterwards.
#[derive(Debug)]
pub struct Dataset {
    /// The registration at the first server of the first integration: registered, with attempts.
    pub registration: RegistrationId,
}

/// The slug of an integration; also that of its server in workspace 0, if it is the first.
pub fn integration(number: usize) -> String {
    format!("service-{number:03}")
}

/// The slug of a workspace.
pub fn workspace(number: usize) -> String {
    format!("team-{number:02}")
}

/// An Advanced Configuration with this client name.
pub fn configuration(client_name: &str) -> String {
    format!(
        r#"{{
  "oauth_client_metadata": {{
    "client_name": "{client_name}",
    "client_uri": "https://acme.com",
    "software_id": "com.acme.mcp-gateway",
    "scope": "mcp:read mcp:write",
    "contacts": ["security@acme.com", "legal@acme.com"],
    "tos_uri": "https://acme.com/legal/terms",
    "policy_uri": "https://acme.com/legal/privacy"
  }}
}}"#
    )
}

impl Dataset {
    /// Fills an empty SQLite registry whose clock may be moved.
    pub async fn seed(t: &TestRegistry, size: Size) -> Self {
        let dataset = Self::create(t, size).await;
        copy(t, dataset.registration).await;
        dataset
    }

    /// As above, on any database, with what the worker does at the first server alone.
    pub async fn create(t: &TestRegistry, size: Size) -> Self {
        let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
        for number in 0..size.workspaces {
            t.workspace(&workspace(number)).await;
        }
        for number in 0..size.integrations {
            let url = match number {
                0 => sandbox.mcp_url(),
                _ => format!("https://mcp-{number}.example.com/mcp"),
            };
            t.integration(&integration(number), &url, Some(&configuration("Acme gateway"))).await;
            for save in 0..if number == 0 { size.saves } else { number % 4 } {
                t.clock.advance(chrono::Duration::minutes(1));
                save_as(t, number, &format!("Acme gateway, edition {save}")).await;
            }
        }
        t.server(&integration(0), &workspace(0)).await;
        let registration = register(t).await;
        sandbox.stop().await;
        for number in 1..size.workspaces {
            t.server(&integration(0), &workspace(number)).await;
        }
        for number in size.workspaces..size.servers {
            let others = size.integrations - 1;
            let (of, turn) = (1 + number % others, number / others);
            t.servers(&integration(of), &workspace((number + turn) % size.workspaces), 1).await;
        }
        Self { registration }
    }
}

/// What a request asks for.
#[derive(Debug)]
pub struct Asked {
    /// In words.
    pub name: &'static str,
    /// Path and query.
    pub path: String,
}

impl Dataset {
    /// The pages people look at, and what gateways ask for most, in the same form at every size.
    pub fn pages(&self) -> Vec<Asked> {
        let first = integration(0);
        let page = |name, path: String| Asked { name, path };
        vec![
            page("integrations", "/ui/integrations".to_owned()),
            page("integrations, searched", "/ui/integrations?q=service".to_owned()),
            page(
                "integrations, filtered and ordered",
                "/ui/integrations?q=service&view=attention&sort=failures".to_owned(),
            ),
            page("one integration", format!("/ui/integrations/{first}")),
            page("its configuration", format!("/ui/integrations/{first}/config")),
            page("its history", format!("/ui/integrations/{first}/history")),
            page("its workspaces", format!("/ui/integrations/{first}/access")),
            page("registrations", "/ui/registrations".to_owned()),
            page("registrations, filtered", "/ui/registrations?state=registered&q=team".to_owned()),
            page("one registration beside the list", format!("/ui/registrations/{}", self.registration)),
            page("workspaces", "/ui/workspaces".to_owned()),
            page("one workspace", format!("/ui/workspaces/{}", workspace(0))),
            page("audit log", "/ui/audit".to_owned()),
            page("go to", "/ui/go?q=service".to_owned()),
            page(
                "resolved metadata (API)",
                format!("/v1/mcp-servers/{first}/client-metadata?workspace_id={}", workspace(0)),
            ),
        ]
    }
}

/// Saves an integration's configuration.
async fn save_as(t: &TestRegistry, number: usize, client_name: &str) {
    let subject = ConfigurationScope::Integration(Reference::parse(&integration(number)));
    let text = Some(configuration(client_name));
    t.registry.configurations().set(&t.admin(), &subject, text, None, None).await.expect("a save");
}

/// Lets a worker register the only server there is.
async fn register(t: &TestRegistry) -> RegistrationId {
    let stop = CancellationToken::new();
    let guarded = Arc::new(UpstreamClient::new(t.settings.egress.clone(), Limits::default()));
    let options = WorkerOptions {
        name: "dataset".to_owned(),
        concurrency: 1,
        poll: Duration::from_millis(50),
        drain: Duration::from_secs(5),
    };
    let working = tokio::spawn(registration_worker::run(t.registry.clone(), guarded, options, stop.clone()));
    let filter = RegistrationFilter { states: vec![State::Registered], ..RegistrationFilter::default() };
    let registered = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            let all =
                t.registry.registrations().list(&t.admin(), filter.clone(), PageRequest::default()).await;
            if let Some(one) = all.expect("a list").items.first() {
                return one.id;
            }
            t.registry.wait_for_commit(Duration::from_millis(50)).await;
        }
    });
    let id = registered.await.expect("the sandbox registers in time");
    stop.cancel();
    working.await.expect("the worker ends well");
    id
}

/// Gives every other registration a state, and what led to it: of a hundred 74 are registered, 8 retry, 6 failed, 4 each
/// are unconfirmed, outdated or still queued.
async fn copy(t: &TestRegistry, from: RegistrationId) {
    let db = t.database.connect().await;
    #[expect(clippy::disallowed_methods, reason = "nobody else writes while a test seeds its database")]
    let txn = db.begin().await.expect("a transaction");
    let source = format!("x'{}'", from.0.simple());
    run(
        &txn,
        &format!(
            "UPDATE registration SET
               (discovery, discovered_at, rediscover_at, upstream, request) =
                 (SELECT discovery, discovered_at, rediscover_at, upstream, request
                  FROM registration WHERE id = {source}),
               state = CASE WHEN rowid * 37 % 100 < 74 THEN 'registered' WHEN rowid * 37 % 100 < 82 THEN 'retrying'
                 WHEN rowid * 37 % 100 < 88 THEN 'failed' WHEN rowid * 37 % 100 < 92 THEN 'unconfirmed'
                 WHEN rowid * 37 % 100 < 96 THEN 'outdated' ELSE 'queued' END,
               updated_at = updated_at - rowid * 60000
             WHERE id <> {source}"
        ),
    )
    .await;
    for (state, reason, failures, detail) in [
        ("retrying", "timeout", 3, "The authorization server did not answer in time."),
        ("failed", "registration_refused", 1, "The authorization server refused the registration."),
        ("unconfirmed", "connection_lost", 1, "The connection broke before the answer came."),
    ] {
        let why = format!(
            "UPDATE registration SET reason = '{reason}', failures = {failures}, detail = '{detail}',
             error = 'invalid_client_metadata', error_description = 'policy_uri must be on the host of client_uri'
             WHERE state = '{state}'"
        );
        run(&txn, &why).await;
    }
    let served = "other.state IN ('registered', 'outdated', 'unconfirmed')";
    let named = [("client_id", "'client-' || other.rowid")];
    each_other(&txn, "oauth_client", &source, served, &named).await;
    each_other(&txn, "attempt", &source, "other.state <> 'queued'", &[]).await;
    txn.commit().await.expect("a commit");
    db.close().await.expect("closed");
}

/// Copies the rows of `table` that belong to the registration `source` to every other one that `which` means.
async fn each_other(
    txn: &DatabaseTransaction,
    table: &str,
    source: &str,
    which: &str,
    changed: &[(&str, &str)],
) {
    let asked = format!("SELECT name FROM pragma_table_info('{table}')");
    let rows = txn.query_all_raw(Statement::from_string(txn.get_database_backend(), asked)).await;
    let columns: Vec<String> =
        rows.expect("columns").iter().map(|row| row.try_get("", "name").expect("a name")).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" => "randomblob(16)".to_owned(),
            "registration_id" => "other.id".to_owned(),
            name => match changed.iter().find(|(column, _)| *column == name) {
                Some((_, value)) => (*value).to_owned(),
                None => format!("one.{name}"),
            },
        })
        .collect();
    let insert = format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {table} one, registration other
         WHERE one.registration_id = {source} AND other.id <> {source} AND {which}",
        columns.join(", "),
        values.join(", ")
    );
    run(txn, &insert).await;
}

async fn run(txn: &DatabaseTransaction, sql: &str) {
    txn.execute_unprepared(sql).await.expect("a statement that fits the schema");
}
