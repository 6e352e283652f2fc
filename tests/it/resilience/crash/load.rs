//! What happens on the stage: processes that are killed, work that does not end, and a person who decides at the end.

use super::scenario::{SERVERS, Scenario};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{Client, Random, Serving};
use tokio::process::Child;
use tokio::sync::watch;

/// Maximum number of registrations in progress.
const MAX_UNDER_WAY: usize = 25;
/// How long the last registration may take once faults have stopped.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(3);
/// Entries on a page of the ledger.
pub(super) const LEDGER_PAGE: usize = 1000;
/// A registration with a later retry, in seconds from now, is retried by the user at the end.
const MAX_RETRY_WAIT_SECS: i64 = 10;

/// The two processes: `serve` with its worker, and `work`.
pub(super) struct Running {
    serving: Serving,
    working: Child,
}

impl Running {
    pub(super) fn serving(&self) -> &Serving {
        &self.serving
    }

    /// Ends both as an operator would.
    pub(super) async fn end(mut self) {
        self.serving.end().await;
        support::end(&mut self.working).await;
    }
}

/// Starts both processes and kills one or the other `kills` times, at random moments, while there is always work.
pub(super) async fn killed(scenario: &Scenario, kills: usize, random: &mut Random) -> (Running, Written) {
    let mut written = Written::default();
    let mut serving = scenario.installed.serve(&[]).await;
    let mut working = scenario.installed.work();
    let (address, addresses) = watch::channel(serving.url.clone());
    let mut worried = random.fork();
    let mut killing = random.fork();
    let kill = async {
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(killing.between(20, 700))).await;
            // `work` is up again in no time, so it is killed more often.
            if killing.chance(80) {
                assert!(working.try_wait().unwrap().is_none(), "`work` ended by itself");
                working.kill().await.unwrap();
                working = scenario.installed.work();
            } else {
                assert!(serving.child.try_wait().unwrap().is_none(), "`serve` ended by itself");
                serving.kill().await;
                serving = scenario.installed.serve(&[]).await;
                address.send_replace(serving.url.clone());
            }
        }
        Running { serving, working }
    };
    let running = tokio::select! {
        running = kill => running,
        () = cause_work(scenario, addresses, &mut worried, &mut written) => unreachable!("it does not end"),
    };
    (running, written)
}

/// What was written, as far as its writer was told.
#[derive(Default)]
pub(super) struct Written {
    /// The newest version of each server that was acknowledged.
    acknowledged: BTreeMap<String, usize>,
    /// Writes that were acknowledged.
    pub(super) count: usize,
}

impl Written {
    /// Every acknowledged write is there: no older value replaced it.
    pub(super) async fn is_all_there(&self, serving: &Serving, admin: &str) {
        let client = Client::new(&serving.url, admin);
        for (server, acknowledged) in &self.acknowledged {
            let found = client.get(&format!("/v1/mcp-servers/{server}")).await.expect(200).json();
            let text = &found["configurations"]["oauth_client_metadata"]["software_version"];
            let there: usize = text.as_str().unwrap_or_else(|| panic!("{found}")).parse().unwrap();
            assert!(there >= *acknowledged, "{server}: {there} stands where {acknowledged} was acknowledged");
        }
    }
}

/// Keeps the workers busy: asks for new clients and changes metadata, as far as the API can be reached.
async fn cause_work(
    scenario: &Scenario,
    addresses: watch::Receiver<String>,
    random: &mut Random,
    written: &mut Written,
) {
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0.. {
        pace.tick().await;
        let client = Client::new(&addresses.borrow().clone(), &scenario.admin);
        let Some(registrations) = list(&client).await else { continue };
        let (resting, under_way): (Vec<_>, Vec<_>) =
            registrations.iter().partition(|one| one["state"] == "registered" || waits_for_a_person(one));
        for _ in under_way.len()..MAX_UNDER_WAY.min(under_way.len() + resting.len()) {
            let mut saved = None;
            let sent = if random.chance(60) {
                let id = random.pick(&resting)["id"].as_str().unwrap();
                client
                    .request(reqwest::Method::POST, &format!("/v1/registrations/{id}/re-register"))
                    .send()
                    .await
            } else {
                let configurations =
                    json!({ "oauth_client_metadata": { "software_version": round.to_string() } });
                let server = random.pick(&scenario.servers);
                saved = Some(server);
                client
                    .request(reqwest::Method::PUT, &format!("/v1/mcp-servers/{server}"))
                    .json(&json!({ "configurations": configurations }))
                    .send()
                    .await
            };
            match sent {
                Ok(reply) => {
                    if let Some(server) = saved.filter(|_| reply.status().is_success()) {
                        written.acknowledged.insert(server.clone(), round);
                        written.count += 1;
                    }
                    assert!(reply.status().is_success(), "{}", reply.text().await.unwrap_or_default());
                }
                // Its process was killed.
                Err(_) => break,
            }
        }
    }
}

/// All registrations; `None` when the process behind `client` was killed.
async fn list(client: &Client) -> Option<Vec<Value>> {
    let path = format!("/v1/registrations?page_size={}", 2 * SERVERS);
    let reply = client.request(reqwest::Method::GET, &path).send().await.ok()?;
    assert!(reply.status().is_success(), "{}", reply.status());
    let listed: Value = serde_json::from_str(&reply.text().await.ok()?).ok()?;
    listed["data"].as_array().cloned()
}

fn waits_for_a_person(registration: &Value) -> bool {
    registration["state"] == "unconfirmed" && registration["not_before"].is_null()
}

/// Waits until every registration rests and every replaced client is gone, deciding what waits for a person. How many decisions that took.
pub(super) async fn settle(scenario: &Scenario, serving: &Serving) -> usize {
    let client = serving.client(&scenario.admin);
    let db = scenario.installed.database.connect().await;
    let mut decided = 0;
    let mut last = Vec::new();
    let all_rest = tokio::time::timeout(SETTLE_TIMEOUT, async {
        let mut pace = tokio::time::interval(Duration::from_millis(250));
        loop {
            pace.tick().await;
            last = list(&client).await.expect("nobody is killed any more");
            assert_eq!(last.len(), SERVERS);
            if last.iter().all(|one| one["state"] == "registered") && draining(&db).await == 0 {
                return;
            }
            for one in last.iter().filter(|one| waits_for_a_person(one) || waits_long(one)) {
                let id = one["id"].as_str().unwrap();
                client.post(&format!("/v1/registrations/{id}/retry"), &json!({})).await.expect(200);
                decided += 1;
            }
        }
    });
    if all_rest.await.is_err() {
        let stuck: Vec<_> = last.iter().filter(|one| one["state"] != "registered").collect();
        let left = draining(&db).await;
        panic!("{} of {SERVERS} never came to rest, {left} clients still drain: {stuck:#?}", stuck.len());
    }
    decided
}

/// Replaced clients that are still to be deleted.
async fn draining(db: &DatabaseConnection) -> i64 {
    let query = "SELECT COUNT(*) AS count FROM oauth_client WHERE status = 'draining'";
    let statement = Statement::from_string(db.get_database_backend(), query);
    db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "count").unwrap()
}

/// How many entries the ledger shows to its readers: as a list, and on the first page of a table.
pub(super) async fn shown_ledger(scenario: &Scenario, serving: &Serving) -> (usize, usize) {
    let client = serving.client(&scenario.admin);
    let path = format!("/v1/orphans?page_size={LEDGER_PAGE}");
    let list = client.get(&path).await.expect(200).json();
    let table = client.get(&format!("{path}&format=csv")).await.expect(200).text;
    (list["total"].as_u64().unwrap().try_into().unwrap(), table.trim_end().split("\r\n").count() - 1)
}

/// Backed off after many interruptions: it would come back by itself, but a test does not wait for hours.
fn waits_long(registration: &Value) -> bool {
    let until = registration["not_before"]
        .as_str()
        .and_then(|text| text.parse::<chrono::DateTime<chrono::Utc>>().ok());
    #[expect(clippy::disallowed_methods, reason = "other processes wrote it by this clock")]
    let now = chrono::Utc::now();
    registration["state"] == "retrying"
        && until.is_some_and(|until| (until - now).num_seconds() > MAX_RETRY_WAIT_SECS)
}
