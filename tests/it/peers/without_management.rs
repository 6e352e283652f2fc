//! The authorization servers of the MCP project's own SDKs: neither knows RFC 7592, both issue secrets that expire.

use super::{Circumstances, Life};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use std::time::Duration as Patience;
use support::Peer;

const TYPESCRIPT: &str = "sdk-authorization-server.mjs";
const PYTHON: &str = "python_sdk.py";

fn with_a_secret() -> Value {
    json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_post" } })
}

/// The metadata changed and gateways use the client: a person is asked, and only then it is replaced. The old one drains, and
/// is written down because it cannot be deleted.
async fn changes(script: &str) {
    let mut life = Life::begin(Peer::start(script, &[]).await, &json!({})).await;
    let first = life.registered().await;
    life.rename("Renamed").await;
    let waiting = life.registration_when(|seen| seen["state"] == "outdated").await;
    assert_eq!(waiting["generation"], 1);
    assert_eq!(waiting["usable"], true);
    life.approve(&waiting).await;
    let second = life.document_when(|seen| seen["generation"] == 2).await;
    assert_eq!(life.peer.event("registered").await["request"]["client_name"], "Renamed");
    life.signs_in(&second).await;
    life.orphans(0).await;
    life.pass(Duration::days(8).num_seconds());
    let orphans = life.orphans(1).await;
    assert_eq!(orphans[0].client_id.as_deref(), first["client"]["client_id"].as_str());
}

/// No gateway has fetched it: it is replaced without approval.
async fn changes_unnoticed(script: &str) {
    let life = Life::begin(Peer::start(script, &[]).await, &json!({})).await;
    life.registration_when(|seen| seen["state"] == "registered").await;
    life.rename("Renamed").await;
    life.registration_when(|seen| seen["generation"] == 2 && seen["state"] == "registered").await;
}

/// A secret is renewed after two thirds of its life, before it is refused.
async fn renews(script: &str) {
    const LIFE: u64 = 8;
    let peer = Peer::start(script, &[("SECRET_EXPIRY", &LIFE.to_string())]).await;
    let at = Circumstances {
        settings: &|settings| settings.life.least_secret_life = Duration::zero(),
        ..Circumstances::default()
    };
    let mut life = Life::begin_in(at, peer, &with_a_secret()).await;
    let first = life.registered().await;
    let expiry = first["client"]["client_secret_expires_at"].as_i64().unwrap();
    assert!(expiry > 0);
    life.pass(life.until(expiry) * 2 / 3 + 1);
    let second = life.document_when(|seen| seen["generation"] == 2).await;
    assert_ne!(second["client"]["client_secret"], first["client"]["client_secret"]);
    life.signs_in(&second).await;
    // The old one is refused when its time has come.
    let refused = async {
        while life.token_endpoint_says(&first).await != "invalid_client" {
            life.t.inner.registry.wait_for_commit(Patience::from_millis(500)).await;
        }
    };
    tokio::time::timeout(Patience::from_secs(LIFE + 5), refused).await.expect("it expires");
}

/// The authorization server cannot be asked, so one gateway's report is not enough; a second report is.
async fn recovers(script: &str) {
    let mut life = Life::begin(Peer::start(script, &[]).await, &json!({})).await;
    let first = life.registered().await;
    life.peer.forget(first["client"]["client_id"].as_str().unwrap()).await;
    let says = life.token_endpoint_says(&first).await;
    assert_eq!(says, "invalid_client");
    life.report(&first["generation"], &says).await;
    let doubted = life.document_when(|seen| seen["client"].is_object()).await;
    assert_eq!(doubted["generation"], 1, "one report replaces nothing");
    life.report(&first["generation"], "invalid_client").await;
    let second = life.document_when(|seen| seen["generation"] == 2).await;
    life.signs_in(&second).await;
    // Late complaints about the first client do nothing to the second.
    life.report(&first["generation"], "invalid_client").await;
    life.report(&first["generation"], "invalid_client").await;
    life.remembers(&[&second["client"]["client_id"]]).await;
}

async fn withdraws(script: &str) {
    let mut life = Life::begin(Peer::start(script, &[]).await, &json!({})).await;
    let first = life.registered().await;
    life.delete_server().await;
    let orphans = life.orphans(1).await;
    assert_eq!(orphans[0].kind, "not_withdrawn");
    assert_eq!(orphans[0].client_id.as_deref(), first["client"]["client_id"].as_str());
    assert_eq!(orphans[0].issuer.as_deref(), first["client"]["issuer"].as_str());
    life.remembers(&[&first["client"]["client_id"]]).await;
}

macro_rules! on_both_sdks {
    ($($name:ident),* $(,)?) => {
        mod typescript_sdk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::TYPESCRIPT).await; })*
        }
        mod python_sdk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::PYTHON).await; })*
        }
    };
}

on_both_sdks!(changes, changes_unnoticed, renews, recovers, withdraws);

/// 429 with `Retry-After`: it is not asked again before that, and then it accepts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_sdk_waits_for_a_slow_registration() {
    let peer = Peer::start(TYPESCRIPT, &[("RATE_MAX", "1"), ("RATE_WINDOW_MS", "3000")]).await;
    let mut life = Life::begin(peer, &json!({})).await;
    life.registration_when(|seen| seen["state"] == "registered").await;
    life.create_server("second").await;
    assert_eq!(life.peer.event("refused").await["status"], 429);
    let waiting = life.registration_of("second", |seen| seen["state"] == "retrying").await;
    let not_before: DateTime<Utc> = waiting["not_before"].as_str().unwrap().parse().unwrap();
    let pause = life.until(not_before.timestamp());
    assert!((1..=3).contains(&pause), "as the server asked: {pause} s");
    assert_eq!(life.remembered().await.len(), 1);
    // The server's window passes on its own clock.
    life.registered_in_time("second").await;
    assert_eq!(life.remembered().await.len(), 2);
}
