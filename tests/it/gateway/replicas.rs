//! Two replicas, restarted one after the other under load: who asks the other one when a connection is refused gets
//! every document.

use registry_core::permission::Role;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::{Client, Engine, Installation, Serving, TestDatabase};

const DOCUMENT: &str = "/v1/gateway/servers/acme/linear";

/// Ports that nothing listens on, and that no outgoing connection gets meanwhile (those begin at 32768).
fn free_ports() -> [u16; 2] {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut free = (first..32_000).filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [free.next().unwrap(), free.next().unwrap()]
}

/// Asks one replica after the other until one answers. Only a refused or broken connection is a reason to try the next.
async fn fetch(client: &reqwest::Client, ports: &[u16], first: usize, key: &str) -> Result<String, String> {
    let mut told = String::new();
    for number in 0..2 * ports.len() {
        let port = ports[(first + number) % ports.len()];
        let request = client.get(format!("http://127.0.0.1:{port}{DOCUMENT}")).bearer_auth(key);
        match request.send().await {
            Ok(response) if response.status() == 200 => match response.text().await {
                Ok(text) => return Ok(text),
                Err(error) => told = format!("{told}; {port}: {error:?}"),
            },
            Ok(response) => return Err(format!("{port}: {}", response.status())),
            Err(error) => told = format!("{told}; {port}: {error:?}"),
        }
    }
    Err(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateway_reads_survive_a_rolling_restart() {
    let ports = free_ports();
    let installed = Installation::new(TestDatabase::new(Engine::Postgres).await);
    installed.run(&["migrate"]).await;
    let (admin, key) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serve = async |installed: Installation, port: u16| -> (Installation, Serving) {
        let installed = installed.with("SERVER__LISTEN", &format!("127.0.0.1:{port}"));
        let serving = installed.serve(&["--no-worker"]).await;
        (installed, serving)
    };
    let (installed, first) = serve(installed, ports[0]).await;
    let (mut installed, second) = serve(installed, ports[1]).await;
    let admin = Client::new(&first.url, &admin);
    admin
        .given()
        .workspace("acme")
        .integration("linear", "https://mcp.linear.app/mcp")
        .with("auth_type", "headers")
        .with("configurations", json!({ "headers": { "X-Secret": "value" } }))
        .server("linear")
        .await;

    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = (0..4)
        .map(|number| {
            let (stop, count, key) = (stop.clone(), count.clone(), key.clone());
            tokio::spawn(async move {
                #[expect(clippy::disallowed_methods, reason = "tests are clients, on loopback only")]
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let text = fetch(&client, &ports, number, &key).await?;
                    assert!(text.contains("\"value\""), "{text}");
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    let mut replicas = [Some(first), Some(second)];
    for round in 0..4 {
        let place = round % 2;
        let before = count.load(Ordering::Relaxed);
        replicas[place].take().unwrap().end().await;
        let (again, serving) = serve(installed, ports[place]).await;
        installed = again;
        replicas[place] = Some(serving);
        while count.load(Ordering::Relaxed) < before + 200 {
            assert!(load.iter().all(|one| !one.is_finished()), "a reading failed");
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for one in load {
        one.await.unwrap().unwrap();
    }
}
