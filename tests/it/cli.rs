//! The binary as an operator runs it: killed between save and registration, on both databases, with a real
//! authorization server outside; and nothing secret in anything it prints.

use futures_util::future::join_all;
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Client, Engine, Installation, Peer, Serving, TestDatabase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Child;

/// Between two polls: polling without a pause takes the processor from the process under test.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Saves a server with a worker-less process, kills it, starts another one: it is registered within five seconds.
async fn killed_between_save_and_registration(engine: Engine) {
    const CANARY: &str = "canary-7Kq-value";
    let mut authorization_server = Peer::start("oidc-provider.mjs", &[]).await;
    let introspection = authorization_server.ready["introspection"].to_string();
    let environment =
        [("AUTHORIZATION_SERVERS", authorization_server.text("issuer")), ("INTROSPECTION", &introspection)];
    let mcp = Peer::start("protected-mcp.mjs", &environment).await;

    let installed = Installation::new(TestDatabase::new(engine).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);

    let first = installed.serve(&["--no-worker"]).await;
    let as_admin = Client::new(&first.url, &admin);
    as_admin.given().workspace("acme").await;
    let mut configurations: Value = serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap();
    configurations["headers"] = json!({ "X-Secret": CANARY });
    as_admin
        .given()
        .integration("notes", mcp.text("mcp_url"))
        .with("configurations", configurations)
        .server("notes")
        .await;
    let mut logs = first.kill().await;

    let second = installed.serve(&[]).await;
    let as_gateway = Client::new(&second.url, &gateway);
    let found = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let document = as_gateway.get("/v1/gateway/servers/acme/notes").await.expect(200).json();
            if document["registration"]["state"] == "registered" {
                return document;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
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
async fn killed_process_loses_nothing_on_sqlite() {
    killed_between_save_and_registration(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_process_loses_nothing_on_postgres() {
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
    let installed = Installation::new(TestDatabase::new(Engine::Postgres).await);
    let unready = installed.serve(&["--no-worker"]).await;
    Client::new(&unready.url, "").get("/readyz").await.expect(503);
    unready.end().await;
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let replicas = [installed.serve(&["--no-worker"]).await, installed.serve(&["--no-worker"]).await];
    let _workers: [Child; 2] = [installed.work(), installed.work()];
    let first = Client::new(&replicas[0].url, &admin);
    first.get("/readyz").await.expect(200);
    first.given().workspace("acme").integration("notes", mcp.text("mcp_url")).server("notes").await;
    let event = authorization_server.event("registered").await;
    let second = Client::new(&replicas[1].url, &gateway);
    let found = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let document = second.get("/v1/gateway/servers/acme/notes").await.expect(200).json();
            if document["client"]["client_id"] == event["client_id"] {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    });
    found.await.expect("the other replica serves it");
}

/// An idle connection from a loopback address.
async fn connect(serving: &Serving, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(serving.url.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap()
}

/// What comes back on it; nothing, where it is closed.
async fn ask(stream: &mut TcpStream) -> String {
    drop(stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await);
    let mut answer = [0; 512];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_is_limited_to_its_share_of_connections() {
    let installed =
        Installation::new(TestDatabase::new(Engine::Sqlite).await).with("LIMITS__CONNECTIONS", "8");
    let serving = installed.serve(&["--no-worker"]).await;
    let (one, other) = ([127, 0, 0, 7], [127, 0, 0, 8]);
    let mut held = vec![connect(&serving, one).await, connect(&serving, one).await];
    for stream in &mut held {
        assert!(ask(stream).await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(ask(&mut connect(&serving, one).await).await, "", "closed at once");
    assert!(ask(&mut connect(&serving, other).await).await.starts_with("HTTP/1.1 200"));
    held.pop();
    let freed = tokio::time::timeout(Duration::from_secs(10), async {
        while !ask(&mut connect(&serving, one).await).await.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    });
    freed.await.expect("who leaves makes room");
    drop(held);
    serving.end().await;
}

/// A watcher of changes on its own connection, from an address; whether it was admitted.
async fn follows(serving: &Serving, from: [u8; 4], key: &str) -> Option<TcpStream> {
    let mut stream = connect(serving, from).await;
    let request = format!(
        "GET /v1/gateway/changes HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nx-portkey-api-key: {key}\r\n\r\n"
    );
    drop(stream.write_all(request.as_bytes()).await);
    let mut answer = [0; 512];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).starts_with("HTTP/1.1 200").then_some(stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_of_a_few_addresses_leave_room_for_others() {
    let installed =
        Installation::new(TestDatabase::new(Engine::Sqlite).await).with("LIMITS__CONNECTIONS", "40");
    installed.run(&["migrate"]).await;
    let gateway = installed.key(Role::Gateway).await;
    let admin = installed.key(Role::Admin).await;
    let serving = installed.serve(&["--no-worker"]).await;
    let as_admin = serving.client(&admin);
    as_admin
        .given()
        .workspace("acme")
        .integration("notes", "https://notes.example/mcp")
        .with("auth_type", "none")
        .server("notes")
        .await;
    let mut held = Vec::new();
    for last in 1..=5 {
        // Each takes as much as it gets.
        while let Some(stream) = follows(&serving, [127, 0, 1, last], &gateway).await {
            held.push(stream);
        }
    }
    assert!((20..40).contains(&held.len()), "{}", held.len());
    for last in 1..=3 {
        let mut fresh = connect(&serving, [127, 0, 2, last]).await;
        assert!(ask(&mut fresh).await.starts_with("HTTP/1.1 200"), "a probe from a fresh address");
        let request = format!(
            "GET /v1/gateway/servers/acme/notes HTTP/1.1\r\nhost: x\r\nx-portkey-api-key: {gateway}\r\n\r\n"
        );
        fresh.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 512];
        let read = tokio::time::timeout(Duration::from_secs(10), fresh.read(&mut answer)).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).starts_with("HTTP/1.1 200"));
    }
    drop(held);
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_attempts_use_little_memory() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    let serving = installed.serve(&["--no-worker"]).await;
    let status = format!("/proc/{}/status", serving.child.id().unwrap());
    let peak = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    let nobody = Client::new(&serving.url, "");
    nobody.get("/ui/sign-in").await.expect(200);
    let before = peak();
    let tries = (0..24).map(|number| {
        let form = [("email", format!("a{number}@acme.com")), ("password", "a wrong password".to_owned())];
        Client::send(
            nobody.request(Method::POST, "/ui/sign-in").header("sec-fetch-site", "same-origin").form(&form),
        )
    });
    for reply in join_all(tries).await {
        // Where the machine is busy some are given up.
        assert!([422, 503].contains(&reply.status.as_u16()), "{}", reply.status);
    }
    // One hash takes 19 MiB.
    assert!(peak() - before < 150, "{before} MiB, then {} MiB", peak());
    serving.end().await;
}
