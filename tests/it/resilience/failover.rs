//! The primary of a replicated PostgreSQL dies under load, and its standby is promoted.

use registry_core::permission::Role;
use reqwest::Method;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Client, Cluster, Installation, TestDatabase};

const DOCUMENT: &str = "/v1/gateway/servers/acme/linear";
/// Must not be in a log. The cluster trusts everybody, whatever the password.
const PASSWORD: &str = "failover-canary-7be1";
/// How many write at the same time.
const WRITERS: usize = 4;
/// How long writes may fail after the promotion.
const MAX_DOWNTIME: Duration = Duration::from_secs(10);

/// The URL of several hosts, in this order.
fn url(hosts: &[&Cluster]) -> String {
    let hosts: Vec<_> = hosts.iter().map(|cluster| cluster.host()).collect();
    format!("postgres://registry:{PASSWORD}@{}/postgres?target_session_attrs=read-write", hosts.join(","))
}

/// Writers and a gateway, until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    /// The workspaces whose creation was answered with 200, in this order.
    acknowledged: Arc<Mutex<Vec<String>>>,
    refused: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(admin: &Client, gateway: &Client) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (refused, reads) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        for writer in 0..WRITERS {
            let (stop, acknowledged, refused) = (stop.clone(), acknowledged.clone(), refused.clone());
            let admin = admin.clone();
            tasks.push(tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let slug = format!("w{writer}-{number}");
                    let body = json!({ "name": slug, "slug": slug });
                    let reply = Client::send(admin.request(Method::POST, "/v1/workspaces").json(&body)).await;
                    match reply.status.as_u16() {
                        200 => acknowledged.lock().unwrap().push(slug),
                        503 => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        _ => panic!("{reply:?}"),
                    }
                }
            }));
        }
        let (stopped, counted, gateway) = (stop.clone(), reads.clone(), gateway.clone());
        tasks.push(tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                gateway.get(DOCUMENT).await.expect(200);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }));
        Self { stop, acknowledged, refused, reads, tasks }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until `more` further writes are acknowledged; how long that took.
    async fn until_acknowledged(&self, more: usize) -> Duration {
        let (began, wanted) = (Instant::now(), self.count() + more);
        while self.count() < wanted {
            assert!(began.elapsed() < Duration::from_secs(30), "{} of {wanted} writes", self.count());
            assert!(self.tasks.iter().all(|task| !task.is_finished()), "a writer or the gateway failed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// What was acknowledged, once all have ended well.
    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a writer or the gateway failed");
        }
        self.acknowledged.lock().unwrap().clone()
    }
}

/// Those of `slugs` that `cluster` does not have.
async fn missing(cluster: &Cluster, slugs: &[String]) -> String {
    cluster
        .ask(&format!(
            "SELECT coalesce(string_agg(slug, ' ' ORDER BY place), '') \
             FROM unnest(ARRAY['{}']) WITH ORDINALITY AS wanted(slug, place) \
             WHERE NOT EXISTS (SELECT 1 FROM workspace WHERE workspace.slug = wanted.slug)",
            slugs.join("','")
        ))
        .await
}

/// How the primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// Its processes end, so that its connections do.
    Killed,
    /// Nothing answers, and nothing says so: as without power, or behind a broken network.
    Silent,
}

#[rstest]
#[case::killed(Loss::Killed)]
#[case::silent(Loss::Silent)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promoted_standby_takes_the_writes_and_no_acknowledged_write_is_lost(#[case] loss: Loss) {
    let primary = Cluster::start().await;
    let standby = primary.start_standby().await;
    // The standby comes first: its turn is not now.
    let installed = Installation::new(TestDatabase::in_cluster(url(&[&standby, &primary])));
    installed.run(&["migrate"]).await;
    // Requests that wait for a silent host end by this limit alone.
    let installed = installed.with("DATABASE__URL", &url(&[&primary, &standby])).with("LIMITS__SECONDS", "5");
    let (admin, key) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&[]).await;
    let (client, gateway) = (serving.client(&admin), serving.client(&key));
    client
        .given()
        .workspace("acme")
        .integration("linear", "https://mcp.linear.app/mcp")
        .with("auth_type", "headers")
        .with("configurations", json!({ "headers": { "X-Secret": "value" } }))
        .server("linear")
        .await;
    gateway.get(DOCUMENT).await.expect(200);

    let load = Load::start(&client, &gateway);
    load.until_acknowledged(40).await;
    primary.signal_every_process(match loss {
        Loss::Killed => Signal::KILL,
        Loss::Silent => Signal::STOP,
    });
    let read_before = load.reads.load(Ordering::Relaxed);
    standby.promote().await;
    let downtime = load.until_acknowledged(1).await;
    assert!(downtime < MAX_DOWNTIME, "{downtime:?}");
    load.until_acknowledged(40).await;
    let read_meanwhile = load.reads.load(Ordering::Relaxed) - read_before;
    assert!(read_meanwhile > 10, "{read_meanwhile}");

    // The former primary comes back as it was, and takes itself for the primary.
    match loss {
        Loss::Killed => primary.begin().await,
        Loss::Silent => primary.signal_every_process(Signal::CONT),
    }
    let promoted = load.count();
    load.until_acknowledged(40).await;
    // A process that starts now asks both.
    let second = installed.serve(&["--no-worker"]).await;
    let body = json!({ "name": "Late", "slug": "late" });
    second.client(&admin).post("/v1/workspaces", &body).await.expect(200);
    drop(second.end().await);

    let (refused, mut acknowledged) = (load.refused.load(Ordering::Relaxed), load.end().await);
    assert_eq!(missing(&standby, &acknowledged).await, "", "acknowledged and lost");
    let mut late = acknowledged.split_off(promoted);
    late.push("late".to_owned());
    assert_eq!(missing(&primary, &late).await, late.join(" "), "written to the former primary");
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
    let log = serving.end().await;
    assert!(!log.contains(PASSWORD), "{log}");
    let moved = log.lines().filter(|line| line.contains("the primary of the database changed"));
    assert_eq!(moved.count(), 1, "{log}");
    eprintln!(
        "{loss:?}: writes back after {downtime:?}, {refused} refused, {read_meanwhile} gateway reads meanwhile"
    );
}
