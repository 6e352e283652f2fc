//! The binary as an operator runs it: killed between save and registration, on both databases, with a real
//! authorization server outside; and nothing secret in anything it prints.

use registry_core::permission::Role;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use support::{Client, Engine, Peer, SEED_ENTERPRISE, TestDatabase};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `mcp-registry serve`.
struct Serving {
    child: Child,
    url: String,
    log: tokio::task::JoinHandle<String>,
}

fn command(database: &TestDatabase) -> Command {
    #[expect(clippy::disallowed_methods, reason = "how ./test tells where things are")]
    let binary =
        std::env::var("MCP_REGISTRY_TEST_BINARY").expect("MCP_REGISTRY_TEST_BINARY is not set: run ./test");
    let mut command = Command::new(binary);
    let folder: &Path = database.folder.path();
    command
        .current_dir(folder)
        .env("MCP_REGISTRY__DATABASE__URL", &database.url)
        .env("MCP_REGISTRY__SEALING__KEYS", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        .env("MCP_REGISTRY__SERVER__LISTEN", "127.0.0.1:0")
        .env("MCP_REGISTRY__EGRESS__ALLOW_HTTP_LOOPBACK", "true")
        .env("MCP_REGISTRY__LOG__LEVEL", "debug")
        .kill_on_drop(true);
    command
}

async fn run(database: &TestDatabase, arguments: &[&str]) -> String {
    let output = command(database).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn serve(database: &TestDatabase, arguments: &[&str]) -> Serving {
    let mut child = command(database)
        .arg("serve")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let log = tokio::spawn(async move {
        let mut log = String::new();
        while let Ok(Some(line)) = errors.next_line().await {
            log.push_str(&line);
            log.push('\n');
        }
        log
    });
    let listening = tokio::time::timeout(Duration::from_secs(20), async {
        while let Some(line) = output.next_line().await.unwrap() {
            if let Some(url) = line.split_once("listening on ").map(|(_, url)| url.trim().to_owned()) {
                return url;
            }
        }
        panic!("serve ended before it listened");
    });
    let url = listening.await.expect("serve listens in time");
    tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
    Serving { child, url, log }
}

impl Serving {
    /// `kill -9`; gives back the log.
    async fn kill(mut self) -> String {
        self.child.kill().await.unwrap();
        self.log.await.unwrap()
    }

    /// SIGTERM; must end well within ten seconds.
    async fn end(mut self) -> String {
        let pid = self.child.id().unwrap().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        let status =
            tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await.expect("ends within 10 s");
        assert_eq!(status.unwrap().code(), Some(0));
        self.log.await.unwrap()
    }
}

/// Saves a server with a worker-less process, kills it, starts another one: it is registered within five seconds.
async fn killed_between_save_and_registration(engine: Engine) {
    const CANARY: &str = "canary-7Kq-value";
    let mut authorization_server = Peer::start("oidc-provider.mjs", &[]).await;
    let introspection = authorization_server.ready["introspection"].to_string();
    let environment =
        [("AUTHORIZATION_SERVERS", authorization_server.text("issuer")), ("INTROSPECTION", &introspection)];
    let mcp = Peer::start("protected-mcp.mjs", &environment).await;

    let database = TestDatabase::new(engine).await;
    run(&database, &["migrate"]).await;
    let key = async |role: Role| {
        run(&database, &["key", "create", "--name", "test", "--role", role.as_str()]).await
    };
    let (admin, gateway) = (key(Role::Admin).await, key(Role::Gateway).await);

    let first = serve(&database, &["--no-worker"]).await;
    let as_admin = Client::new(&first.url, &admin);
    as_admin.post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" })).await.expect(200);
    let mut configurations: Value = serde_json::from_str(SEED_ENTERPRISE).unwrap();
    configurations["headers"] = json!({ "X-Secret": CANARY });
    let body = json!({ "name": "Notes", "slug": "notes", "url": mcp.text("mcp_url"), "auth_type": "oauth_auto", "transport": "http", "configurations": configurations });
    as_admin.post("/v1/mcp-integrations", &body).await.expect(200);
    let body =
        json!({ "name": "Notes", "slug": "notes", "mcp_integration_id": "notes", "workspace_id": "acme" });
    as_admin.post("/v1/mcp-servers", &body).await.expect(200);
    let mut logs = first.kill().await;

    let second = serve(&database, &[]).await;
    let as_gateway = Client::new(&second.url, &gateway);
    let found = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let document = as_gateway.get("/v1/gateway/servers/acme/notes").await.expect(200).json();
            if document["registration"]["state"] == "registered" {
                return document;
            }
            tokio::task::yield_now().await;
        }
    });
    let document = found.await.expect("registered within five seconds after the restart");
    let event = authorization_server.event("registered").await;
    assert_eq!(document["client"]["client_id"], event["client_id"]);
    assert_eq!(document["headers"]["X-Secret"], CANARY, "gateways get it");
    let as_admin = Client::new(&second.url, &admin);
    for path in [
        "/v1/mcp-integrations/notes",
        "/v1/mcp-integrations/notes/revisions",
        "/v1/audit-events",
        "/v1/registrations",
        "/v1/mcp-servers/notes/client-metadata",
        "/metrics",
    ] {
        assert!(!as_admin.get(path).await.expect(200).text.contains(CANARY), "{path} shows the secret");
    }
    logs += &second.end().await;
    assert!(logs.contains("step succeeded"), "the log was read: {logs}");
    for secret in [CANARY, &admin, &gateway] {
        assert!(!logs.contains(secret), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_on_sqlite() {
    killed_between_save_and_registration(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_on_postgres() {
    killed_between_save_and_registration(Engine::Postgres).await;
}

/// The wiring of `docker-compose.yml`: two API processes without worker, two workers, one PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_and_two_workers_serve_one_deployment() {
    let mut authorization_server = Peer::start("oidc-provider.mjs", &[]).await;
    let introspection = authorization_server.ready["introspection"].to_string();
    let environment =
        [("AUTHORIZATION_SERVERS", authorization_server.text("issuer")), ("INTROSPECTION", &introspection)];
    let mcp = Peer::start("protected-mcp.mjs", &environment).await;
    let database = TestDatabase::new(Engine::Postgres).await;
    let unready = serve(&database, &["--no-worker"]).await;
    Client::new(&unready.url, "").get("/readyz").await.expect(503);
    unready.end().await;
    run(&database, &["migrate"]).await;
    let admin = run(&database, &["key", "create", "--name", "a", "--role", "admin"]).await;
    let gateway = run(&database, &["key", "create", "--name", "g", "--role", "gateway"]).await;
    let replicas = [serve(&database, &["--no-worker"]).await, serve(&database, &["--no-worker"]).await];
    let _workers: Vec<Child> = (0..2)
        .map(|_| command(&database).arg("work").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    let first = Client::new(&replicas[0].url, &admin);
    first.get("/readyz").await.expect(200);
    first.post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" })).await.expect(200);
    let body = json!({ "name": "Notes", "slug": "notes", "url": mcp.text("mcp_url"), "auth_type": "oauth_auto", "transport": "http" });
    first.post("/v1/mcp-integrations", &body).await.expect(200);
    let body =
        json!({ "name": "Notes", "slug": "notes", "mcp_integration_id": "notes", "workspace_id": "acme" });
    first.post("/v1/mcp-servers", &body).await.expect(200);
    let event = authorization_server.event("registered").await;
    let second = Client::new(&replicas[1].url, &gateway);
    let found = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let document = second.get("/v1/gateway/servers/acme/notes").await.expect(200).json();
            if document["client"]["client_id"] == event["client_id"] {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.expect("the other replica serves it");
}
