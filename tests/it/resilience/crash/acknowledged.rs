//! `kill -9` of the process that answers, while several write through it: what was acknowledged is there afterwards, and
//! what was under way is there whole or not at all.

use super::kills;
use crate::admin::Browser;
use registry_core::permission::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{Client, Engine, Installation, Random, TestDatabase};
use tokio::sync::watch;

/// Each has its own servers, whose secrets it changes.
const WRITERS: usize = 4;

/// So many writes are acknowledged between two kills at least.
const MIN_WRITES: usize = 3;

/// The content at a path.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Gone,
    Named(String),
    Secret(String),
}

/// What a writer knows of an object: the last acknowledged write, and the unacknowledged ones.
struct Known {
    acknowledged: BTreeMap<String, State>,
    unheard: BTreeMap<String, State>,
    count: usize,
    /// Of all writers.
    total: watch::Sender<usize>,
}

/// A writer that sends one write after the other, through any running process.
struct Writer {
    name: String,
    admin: String,
    /// Of a browser, for what is sent through the pages.
    cookie: String,
    random: Random,
    known: Known,
}

impl Writer {
    /// Sends one write; whether it is known what came of it.
    async fn send(
        &mut self,
        url: &str,
        (method, path, body): (Method, &str, Value),
        thing: &str,
        state: State,
    ) {
        let client = Client::new(url, &self.admin);
        let sent = if path.starts_with("/ui/") {
            let request = Browser::at(Client::new(url, "")).with_cookie(&self.cookie).request(method, path);
            request.header("sec-fetch-site", "same-origin").form(&body).send().await
        } else {
            client.request(method, path).json(&body).send().await
        };
        match sent {
            Ok(reply) if reply.status().is_success() || reply.status().is_redirection() => {
                self.known.acknowledged.insert(thing.to_owned(), state);
                self.known.count += 1;
                self.known.total.send_modify(|total| *total += 1);
            }
            Ok(reply) => {
                let status = reply.status();
                panic!("{path}: {status} {}", reply.text().await.unwrap_or_default())
            }
            // No process received it.
            Err(error) if error.is_connect() => {}
            // Its process was killed: the write may be done or not. The object is not changed again.
            Err(_) => drop(self.known.unheard.insert(thing.to_owned(), state)),
        }
    }

    /// Writes until it is dropped.
    async fn write(&mut self, mut addresses: watch::Receiver<String>) {
        let mut heard = 0;
        for round in 0.. {
            if heard == self.known.count && round > 0 {
                // Its process is gone, until there is another.
                addresses.changed().await.unwrap();
            }
            heard = self.known.count;
            let url = addresses.borrow_and_update().clone();
            let slug = format!("{}-{round}", self.name);
            let thing = format!("/v1/workspaces/{slug}");
            let name = format!("Team {round}");
            let mine: Vec<String> = self.mine();
            match self.random.between(0, 100) {
                0..30 => {
                    let body = json!({ "name": name, "slug": slug });
                    self.send(&url, (Method::POST, "/v1/workspaces", body), &thing, State::Named(name)).await;
                }
                30..50 => {
                    let body = json!({ "name": name, "slug": slug, "description": "" });
                    self.send(&url, (Method::POST, "/ui/workspaces/new", body), &thing, State::Named(name))
                        .await;
                }
                50..65 if !mine.is_empty() => {
                    let thing = self.random.pick(&mine).clone();
                    let write = (Method::PUT, thing.as_str(), json!({ "name": name }));
                    self.send(&url, write, &thing, State::Named(name)).await;
                }
                65..75 if !mine.is_empty() => {
                    let thing = self.random.pick(&mine).clone();
                    self.send(&url, (Method::DELETE, thing.as_str(), json!({})), &thing, State::Gone).await;
                }
                _ => {
                    let thing = format!(
                        "/v1/gateway/servers/acme/{}-server-{}",
                        self.name,
                        self.random.between(0, 50)
                    );
                    if self.known.unheard.contains_key(&thing) {
                        heard = usize::MAX;
                        continue;
                    }
                    let server = thing.rsplit('/').next().unwrap_or_default();
                    let secret = format!("secret-{round}");
                    let body = json!({ "configurations": { "headers": { "X-Key": secret } } });
                    let path = format!("/v1/mcp-servers/{server}?workspace_id=acme");
                    let write = if self.known.acknowledged.contains_key(&thing) {
                        (Method::PUT, path.as_str(), body)
                    } else {
                        let body = json!({ "name": server, "slug": server, "mcp_integration_id": "notes",
                            "workspace_id": "acme", "configurations": body["configurations"] });
                        (Method::POST, "/v1/mcp-servers", body)
                    };
                    self.send(&url, write, &thing, State::Secret(secret)).await;
                }
            }
        }
    }

    /// The workspaces that are there for certain.
    fn mine(&self) -> Vec<String> {
        let sure = |thing: &str| !self.known.unheard.contains_key(thing);
        let named = self.known.acknowledged.iter().filter(|(_, state)| matches!(state, State::Named(_)));
        named.map(|(thing, _)| thing.clone()).filter(|thing| sure(thing)).collect()
    }

    /// Everything that was acknowledged is there. How many things were looked at.
    async fn find(&self, admin: &Client, gateway: &Client) -> usize {
        let things: Vec<_> = self.known.acknowledged.keys().chain(self.known.unheard.keys()).collect();
        for thing in &things {
            let client = if thing.contains("/gateway/") { gateway } else { admin };
            let reply = client.get(thing).await;
            let found = match reply.status.as_u16() {
                404 => State::Gone,
                200 if thing.contains("/gateway/") => {
                    State::Secret(reply.json()["headers"]["X-Key"].as_str().unwrap_or_default().to_owned())
                }
                200 => State::Named(reply.json()["name"].as_str().unwrap_or_default().to_owned()),
                other => panic!("{thing}: {other}"),
            };
            let acknowledged = self.known.acknowledged.get(*thing).unwrap_or(&State::Gone);
            let unheard = self.known.unheard.get(*thing);
            assert!(
                found == *acknowledged || Some(&found) == unheard,
                "{thing}: {found:?} stands where {acknowledged:?} was acknowledged (and {unheard:?} never heard of)"
            );
        }
        things.len()
    }
}

async fn acknowledged_writes_survive_kills(engine: Engine) {
    let seed = Random::seed();
    eprintln!("MCP_REGISTRY_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let installed = Installation::new(TestDatabase::new(engine).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let link = installed.run(&["user", "link", "--email", "ann@acme.com"]).await;
    let token = link.split("token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let mut serving = installed.serve(&[]).await;
    let client = serving.client(&admin);
    client
        .given()
        .workspace("acme")
        .integration("notes", "http://127.0.0.1:9/mcp")
        .with("auth_type", "headers")
        .await;
    let nobody = Browser::at(Client::new(&serving.url, ""));
    let signed_in = nobody.post("/ui/sign-in/link", &[("token", &token)]).await.expect(303);
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();

    let (address, addresses) = watch::channel(serving.url.clone());
    let (total, mut written) = watch::channel(0);
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer {
            name: format!("writer-{number}"),
            admin: admin.clone(),
            cookie: cookie.clone(),
            random: random.fork(),
            known: Known {
                acknowledged: BTreeMap::new(),
                unheard: BTreeMap::new(),
                count: 0,
                total: total.clone(),
            },
        })
        .collect();
    let writing =
        futures_util::future::join_all(writers.iter_mut().map(|writer| writer.write(addresses.clone())));
    let killing = async {
        for _ in 0..kills() {
            // However busy the machine is, something was written before each kill.
            let before = *written.borrow_and_update();
            written.wait_for(|total| *total >= before + MIN_WRITES).await.unwrap();
            tokio::time::sleep(Duration::from_millis(random.between(0, 200))).await;
            assert!(serving.child.try_wait().unwrap().is_none(), "`serve` ended by itself");
            serving.kill().await;
            serving = installed.serve(&[]).await;
            address.send_replace(serving.url.clone());
        }
        serving
    };
    let serving = tokio::select! {
        serving = killing => serving,
        _ = writing => unreachable!("it does not end"),
    };

    let (as_admin, as_gateway) = (serving.client(&admin), serving.client(&gateway));
    let (mut things, mut acknowledged, mut unheard) = (0, 0, 0);
    for writer in &writers {
        things += writer.find(&as_admin, &as_gateway).await;
        acknowledged += writer.known.count;
        unheard += writer.known.unheard.len();
    }
    serving.end().await;
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
    assert!(installed.run(&["seal", "status"]).await.contains("0 unreadable"));
    eprintln!(
        "{engine:?}: {} kills of `serve`, {acknowledged} writes acknowledged and found, {unheard} whose answer was cut off, at {things} addresses",
        kills()
    );
    assert!(acknowledged >= MIN_WRITES * kills() && unheard > kills() / 4, "{acknowledged} {unheard}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_on_sqlite() {
    acknowledged_writes_survive_kills(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_on_postgres() {
    acknowledged_writes_survive_kills(Engine::Postgres).await;
}
