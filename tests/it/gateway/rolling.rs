//! Settings that all processes share are changed under load, one replica after the other, as `docs/operations.md` says.

use registry_core::permission::Role;
use registry_sandbox::{Options, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Client, Engine, Installation, Serving, TestDatabase};
use tokio::sync::Notify;

const SERVERS: usize = 4;
const STEP_TIMEOUT: Duration = Duration::from_secs(40);

/// Where the replicas are now, and how many requests went well.
#[derive(Default)]
struct Balancer {
    urls: Mutex<Vec<String>>,
    readings: AtomicU64,
    writes: AtomicU64,
    stop: AtomicBool,
    /// Notified after each request.
    request_done: Notify,
}

impl Balancer {
    /// Asks one replica after the other until one answers: only a refused or broken connection is a reason to try the next.
    async fn ask(
        &self,
        client: &reqwest::Client,
        request: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder,
        first: usize,
    ) -> Result<String, String> {
        let mut told = String::new();
        for number in 0..8 {
            let url = {
                let urls = self.urls.lock().unwrap();
                urls[(first + number) % urls.len()].clone()
            };
            match request(client, &url).send().await {
                Ok(answer) if answer.status() == 200 => match answer.text().await {
                    Ok(text) => return Ok(text),
                    Err(error) => told = format!("{told}; {error:?}"),
                },
                Ok(answer) => {
                    let status = answer.status();
                    return Err(format!("{url}: {status} {}", answer.text().await.unwrap_or_default()));
                }
                Err(error) => told = format!("{told}; {error:?}"),
            }
        }
        Err(told)
    }

    async fn until(&self, readings: u64, writes: u64, load: &[tokio::task::JoinHandle<Result<(), String>>]) {
        let (read, written) = (self.readings.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed));
        while self.readings.load(Ordering::Relaxed) < read + readings
            || self.writes.load(Ordering::Relaxed) < written + writes
        {
            if load.iter().any(tokio::task::JoinHandle::is_finished) {
                return;
            }
            drop(tokio::time::timeout(STEP_TIMEOUT, self.request_done.notified()).await);
        }
    }
}

fn http() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "tests are clients, on loopback only")]
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Waits until what `look` gives is there.
async fn when<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(STEP_TIMEOUT, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("it never came to this: {what}"))
}

/// A shared setting, the variable that changes it, and its new value; what has no variable is changed in the file.
type Change = (&'static str, &'static str, &'static str);

const GATEWAY_URLS: Change = ("gateway.urls", "GATEWAY__URLS", "https://new.example.com");
const BRANDING: Change = ("branding", "BRANDING__CLIENT_NAME", "Renamed ({workspace}/{server})");
const DOCUMENTS: Change = ("cimd.public_url", "CIMD__PUBLIC_URL", "https://documents.example.com");
const SECRETS: Change = ("secrets", "", "");

#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn rolling(engine: Engine, steps: &[Change]) {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut installed = Installation::new(TestDatabase::new(engine).await)
        .with("GATEWAY__URLS", "https://old.example.com")
        .with("WORKER__ISSUER_RATE__BURST", "60000")
        .with("WORKER__ISSUER_RATE__PER_MINUTE", "60000")
        .with("WORKER__POLL_MS", "50")
        .with("LOG__LEVEL", "warn");
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let mut replicas: Vec<Serving> = vec![installed.serve(&[]).await, installed.serve(&[]).await];
    let balancer = Arc::new(Balancer::default());
    *balancer.urls.lock().unwrap() = replicas.iter().map(|one| one.url.clone()).collect();
    let client = replicas[0].client(&admin);
    client.given().workspace("acme").integration("linear", &sandbox.mcp_url()).await;
    for number in 0..SERVERS {
        let slug = format!("server-{number}");
        client.given().server_of("linear", &slug).await;
    }
    when("every server has a client", async || {
        (sandbox.clients().len() == SERVERS && registered(&client).await == SERVERS).then_some(())
    })
    .await;

    let mut load = Vec::new();
    for number in 0..2 {
        let (balancer, gateway, http) = (balancer.clone(), gateway.clone(), http());
        load.push(tokio::spawn(async move {
            let mut turn = number;
            while !balancer.stop.load(Ordering::Relaxed) {
                turn += 1;
                let path = format!("/v1/gateway/servers/acme/server-{}", turn % SERVERS);
                let ask = |http: &reqwest::Client, url: &str| {
                    http.get(format!("{url}{path}")).bearer_auth(&gateway)
                };
                let text = balancer.ask(&http, ask, turn).await?;
                let document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                if !document["client"]["client_id"].is_string() {
                    return Err(format!("a document without client: {text}"));
                }
                balancer.readings.fetch_add(1, Ordering::Relaxed);
                balancer.request_done.notify_waiters();
            }
            Ok(())
        }));
    }
    {
        let (balancer, admin, http) = (balancer.clone(), admin.clone(), http());
        load.push(tokio::spawn(async move {
            let mut turn = 0;
            while !balancer.stop.load(Ordering::Relaxed) {
                turn += 1;
                let body = json!({ "description": format!("saved {turn}") });
                let ask = |http: &reqwest::Client, url: &str| {
                    let path = format!("{url}/v1/mcp-integrations/linear");
                    http.request(Method::PUT, path).bearer_auth(&admin).json(&body)
                };
                balancer.ask(&http, ask, turn).await?;
                balancer.writes.fetch_add(1, Ordering::Relaxed);
                balancer.request_done.notify_waiters();
            }
            Ok(())
        }));
    }

    let puts = || sandbox.requests().iter().filter(|request| request.method == "PUT").count();
    for &(setting, variable, value) in steps {
        let before = puts();
        balancer.until(8, 2, &load).await;
        if variable.is_empty() {
            let file = installed.database.folder.path().join("registry.toml");
            std::fs::write(file, "[secrets.added]\nenv = \"ADDED\"\n").unwrap();
        } else {
            installed = installed.with(variable, value);
        }
        // 1. The new settings are recorded. All replicas are of before, stay in service, and say so.
        installed.run(&["migrate"]).await;
        for replica in &replicas {
            let ready = replica.client("").get("/readyz").await.expect(200).json();
            assert_eq!(ready["settings"], "previous generation", "{setting}: {ready}");
            assert_eq!(ready["differing_settings"], json!([setting]));
        }
        balancer.until(8, 2, &load).await;
        // Clients are updated immediately, without waiting for the restarts.
        let all = async || {
            let clients = sandbox.clients();
            let all = |name: &str, part: &str| {
                clients.iter().all(|one| one.metadata[name].to_string().contains(part))
            };
            let done = match setting {
                "gateway.urls" => all("redirect_uris", value),
                "branding" => all("client_name", "Renamed"),
                _ => true,
            };
            (done && registered(&client_of(&replicas, &admin)).await == SERVERS).then_some(())
        };
        when(setting, all).await;
        // 2. One replica after the other is replaced.
        for (place, replica) in replicas.iter_mut().enumerate() {
            let new = installed.serve(&[]).await;
            balancer.urls.lock().unwrap()[place].clone_from(&new.url);
            std::mem::replace(replica, new).end().await;
            let ready = replica.client("").get("/readyz").await.expect(200).json();
            assert_eq!(ready, json!({ "status": "ready" }), "{setting}");
            balancer.until(8, 2, &load).await;
        }
        // 3. The rollout ends.
        installed.run(&["migrate", "--finish-rollout"]).await;
        for replica in &replicas {
            replica.client("").get("/readyz").await.expect(200);
        }
        let changed = usize::from(["gateway.urls", "branding"].contains(&setting)) * SERVERS;
        assert_eq!(puts() - before, changed, "{setting}: each client is updated once and no more");
    }
    balancer.until(20, 4, &load).await;
    balancer.stop.store(true, Ordering::Relaxed);
    for one in load {
        one.await.unwrap().unwrap();
    }
    assert_eq!(sandbox.clients().len(), SERVERS, "no client was replaced");
    for one in sandbox.clients() {
        let callbacks = one.metadata["redirect_uris"].to_string();
        let moved = steps.contains(&GATEWAY_URLS);
        assert_eq!(callbacks.contains("new.example.com"), moved, "{callbacks}");
        assert_eq!(callbacks.contains("old.example.com"), !moved, "{callbacks}");
    }
    for replica in replicas {
        replica.end().await;
    }
}

fn client_of(replicas: &[Serving], key: &str) -> Client {
    replicas[0].client(key)
}

async fn registered(client: &Client) -> usize {
    let list = client.get("/v1/registrations?state=registered").await.expect(200).json();
    list["data"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_settings_change_loses_no_request_and_updates_once_on_postgres() {
    rolling(Engine::Postgres, &[GATEWAY_URLS, SECRETS]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_change_of_every_other_shared_setting() {
    rolling(Engine::Postgres, &[BRANDING, DOCUMENTS]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_settings_change_loses_no_request_and_updates_once_on_sqlite() {
    rolling(Engine::Sqlite, &[GATEWAY_URLS]).await;
}
