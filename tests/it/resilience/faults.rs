//! A disk that is full, a disk that cannot be written, a clock that is set: clear errors, and recovery without hands.

use futures_util::future::join_all;
use registry_core::permission::Role;
use registry_sandbox::{Options, Sandbox};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{Client, Cluster, Engine, Installation, Serving, TestDatabase};
use tokio::process::Command;

async fn make(client: &Client, slug: &str) -> reqwest::Response {
    let body = json!({ "name": slug, "slug": slug, "description": "x".repeat(400) });
    client.request(reqwest::Method::POST, "/v1/workspaces").json(&body).send().await.expect("an answer")
}

/// A server that a gateway can fetch without anything being registered.
async fn make_server(client: &Client) {
    client
        .given()
        .workspace("acme")
        .integration("notes", "http://127.0.0.1:9/mcp")
        .with("auth_type", "headers")
        .server("notes")
        .await;
}

/// Until something holds, looked at again and again.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// As much as a file of this process may hold; the rest of the disk is full.
async fn limit(serving: &Serving, bytes: &str) {
    let pid = serving.child.id().unwrap().to_string();
    let limit = format!("--fsize={bytes}:");
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await.unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_stops_only_writes_until_space_is_freed() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    // Without it a process that writes beyond its limit is killed, which no full disk does.
    let mut command = installed.command(&[]);
    let program = command.as_std().get_program().to_owned();
    command = {
        let inner = command.as_std();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" serve --no-worker"]).arg(&program).kill_on_drop(true);
        shell.current_dir(inner.get_current_dir().unwrap());
        shell.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    };
    let serving = Installation::listening(command).await;
    let client = serving.client(&admin);
    make_server(&client).await;
    let fetch = async || serving.client(&gateway).get("/v1/gateway/servers/acme/notes").await;
    fetch().await.expect(200);

    let wal = installed.database.folder.path().join("registry.sqlite-wal");
    let size = std::fs::metadata(&wal).map_or(0, |data| data.len()).max(200_000) + 100_000;
    limit(&serving, &size.to_string()).await;
    let mut acknowledged = Vec::new();
    let mut refused = None;
    for number in 0..2_000 {
        let slug = format!("team-{number}");
        let reply = make(&client, &slug).await;
        if reply.status().is_success() {
            acknowledged.push(slug);
        } else {
            refused = Some((reply.status().as_u16(), reply.text().await.unwrap()));
            break;
        }
    }
    let (status, text) = refused.expect("the disk was never full");
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("disk") && text.contains("unavailable"), "{text}");
    // Reads work, for gateways too; refused writes left nothing behind.
    for round in 0..3 {
        for _ in 0..4 {
            fetch().await.expect(200);
            client.get("/v1/workspaces?page_size=1").await.expect(200);
            let refused = join_all((0..8).map(|_| make(&client, "while-full"))).await;
            assert!(refused.iter().all(|reply| reply.status().as_u16() == 503), "{refused:?}");
        }
        limit(&serving, "unlimited").await;
        // From the first one on, from several at once, and from other processes.
        for batch in 0..6 {
            let slugs: Vec<_> = (0..8).map(|one| format!("after-{round}-{batch}-{one}")).collect();
            for reply in join_all(slugs.iter().map(|slug| make(&client, slug))).await {
                let status = reply.status().as_u16();
                assert_eq!(status, 200, "{}", reply.text().await.unwrap());
            }
            acknowledged.extend(slugs);
        }
        installed.key(Role::Viewer).await;
        if round < 2 {
            // Nothing fits any more.
            limit(&serving, "1000").await;
        }
    }
    serving.kill().await;
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    for slug in &acknowledged {
        client.get(&format!("/v1/workspaces/{slug}")).await.expect(200);
    }
    client.get("/v1/workspaces/while-full").await.expect(404);
    serving.end().await;
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_postgres_disk_stops_only_writes_until_space_is_freed() {
    let cluster = Cluster::start_on_a_small_disk().await;
    let installed = Installation::new(TestDatabase::in_cluster(cluster.url()));
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    make_server(&client).await;
    let fetch = async || serving.client(&gateway).get("/v1/gateway/servers/acme/notes").await;
    fetch().await.expect(200);
    let mut acknowledged = Vec::new();
    let mut refusals = 0;
    for round in 0..3 {
        cluster.fill_disk();
        for number in 0.. {
            let slug = format!("team-{round}-{number}");
            let reply = make(&client, &slug).await;
            if reply.status().is_success() {
                acknowledged.push(slug);
                continue;
            }
            let (status, text) = (reply.status().as_u16(), reply.text().await.unwrap());
            assert!(status == 503 && text.contains("disk is full"), "{status} {text}");
            break;
        }
        for _ in 0..4 {
            fetch().await.expect(200);
            client.get("/v1/workspaces?page_size=1").await.expect(200);
            // What was refused may have left room in a page for another; it is there then, and whole.
            for (number, reply) in
                join_all((0..8).map(|_| make(&client, "while-full"))).await.iter().enumerate()
            {
                let status = reply.status().as_u16();
                assert!(status == 503 || status == 200 || status == 409, "{number}: {status}");
                refusals += usize::from(status == 503);
            }
        }
        cluster.free_disk();
        let slugs: Vec<_> = (0..8).map(|one| format!("after-{round}-{one}")).collect();
        for reply in join_all(slugs.iter().map(|slug| make(&client, slug))).await {
            let status = reply.status().as_u16();
            assert_eq!(status, 200, "{}", reply.text().await.unwrap());
        }
        acknowledged.extend(slugs);
    }
    cluster.kill().await;
    cluster.begin().await;
    until("it is reached again", async || client.get("/v1/workspaces").await.status.is_success()).await;
    for slug in &acknowledged {
        client.get(&format!("/v1/workspaces/{slug}")).await.expect(200);
    }
    eprintln!("3 full disks, {refusals} writes refused, {} acknowledged and found", acknowledged.len());
    serving.end().await;
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
}

#[tokio::test]
async fn unwritable_disk_is_reported_at_startup() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let folder = installed.database.folder.path();
    for entry in std::fs::read_dir(folder).unwrap() {
        std::fs::set_permissions(entry.unwrap().path(), std::fs::Permissions::from_mode(0o444)).unwrap();
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    let inner = installed.command(&["serve", "--no-worker"]);
    let inner = inner.as_std();
    // Nothing is unwritable for root.
    let root = Command::new("id").arg("-u").output().await.unwrap().stdout == b"0\n";
    let mut command = if root {
        let program = Path::new(inner.get_program());
        let readable = tempfile::tempdir().unwrap().keep();
        std::fs::set_permissions(&readable, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::copy(program, readable.join("mcp-registry")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(readable.join("mcp-registry"));
        command
    } else {
        Command::new(inner.get_program())
    };
    command
        .args(inner.get_args())
        .current_dir("/")
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = tokio::time::timeout(Duration::from_secs(20), command.kill_on_drop(true).output())
        .await
        .unwrap()
        .unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("cannot be written"), "{error}");
}

/// Writes until told to stop; what was acknowledged.
async fn write_on(client: &Client, name: &str, over: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let slug = format!("{name}-{number}");
        let reply = make(client, &slug).await;
        match reply.status().as_u16() {
            200 => acknowledged.push(slug),
            // The answer to a commit may have been lost with the database: then nothing was acknowledged.
            503 => tokio::task::yield_now().await,
            other => panic!("{other}: {}", reply.text().await.unwrap()),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted_database_loses_no_write_and_no_read() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let cluster = Cluster::start().await;
    let installed = Installation::new(TestDatabase::in_cluster(cluster.url()));
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&[]).await;
    let client = serving.client(&admin);
    client.given().workspace("acme").integration("notes", &sandbox.mcp_url()).await;
    let serve = async |slug: &str| {
        client.given().server_of("notes", slug).await;
    };
    serve("notes").await;
    let as_gateway = serving.client(&gateway);
    let has_client = async |slug: &str| {
        let reply = as_gateway.get(&format!("/v1/gateway/servers/acme/{slug}")).await;
        reply.status.is_success() && reply.json()["client"]["client_id"].is_string()
    };
    until("a client is registered", async || has_client("notes").await).await;

    let over = AtomicBool::new(false);
    let killing = async {
        for round in 0..3 {
            let made = format!("/v1/workspaces/one-{}", round * 20);
            until("writes go on", async || client.get(&made).await.status.is_success()).await;
            cluster.kill().await;
            as_gateway.get("/v1/gateway/servers/acme/notes").await.expect(200);
            assert_eq!(client.get("/v1/workspaces").await.status.as_u16(), 503, "round {round}");
            cluster.begin().await;
            until("it is reached again", async || client.get("/v1/workspaces").await.status.is_success())
                .await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (one, two, ()) =
        tokio::join!(write_on(&client, "one", &over), write_on(&client, "two", &over), killing);
    assert!(one.len() + two.len() >= 60, "{} {}", one.len(), two.len());
    for slug in one.iter().chain(&two) {
        client.get(&format!("/v1/workspaces/{slug}")).await.expect(200);
    }
    eprintln!("3 kills of the database, {} writes acknowledged and found", one.len() + two.len());
    // The worker recovers automatically too, and so do the watchers.
    serve("later").await;
    until("another client is registered", async || has_client("later").await).await;
    serving.end().await;
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clock_jumps_stop_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let installed = Installation::new(TestDatabase::new(engine).await);
        installed.run(&["migrate"]).await;
        let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
        let clock = installed.database.folder.path().join("clock");
        let set = |offset: &str| std::fs::write(&clock, offset).unwrap();
        set("+0d");
        let library = [
            "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        ];
        let library = library
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("faketime is not installed: run the tests through ./test");
        let mut command = installed.command(&["serve"]);
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let serving = Installation::listening(command).await;
        let client = serving.client(&admin);
        client.given().workspace("acme").await;
        for (index, offset) in ["+0d", "+3d", "-30d", "+400d", "-2h"].into_iter().enumerate() {
            set(offset);
            let slug = format!("notes-{index}");
            client.given().integration(&slug, &sandbox.mcp_url()).server(&slug).await;
            let as_gateway = serving.client(&gateway);
            for earlier in 0..=index {
                let path = format!("/v1/gateway/servers/acme/notes-{earlier}");
                until(&format!("{engine:?}: {path} is registered at {offset}"), async || {
                    as_gateway.get(&path).await.expect(200).json()["client"]["client_id"].is_string()
                })
                .await;
            }
            client.get("/v1/registrations").await.expect(200);
        }
        set("+0d");
        serving.end().await;
        let verdict = installed.run(&["audit", "verify"]).await;
        assert!(verdict.contains("form an unbroken chain"), "{verdict}");
    }
}
