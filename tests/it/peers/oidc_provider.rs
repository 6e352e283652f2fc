//! npm `oidc-provider`: RFC 7592 with a registration access token that changes with every update.

use super::Life;
use serde_json::{Value, json};
use support::Peer;

/// Register, update twice (the second proves that the token which came with the first was kept), withdraw.
async fn managed(peer: Peer, configurations: Value) {
    let mut life = Life::begin(peer, &configurations).await;
    let first = life.registered().await;
    for name in ["Renamed once", "Renamed twice"] {
        let mut changed = configurations.clone();
        changed["oauth_client_metadata"]["client_name"] = json!(name);
        life.configure(&changed).await;
        let document = life.document_when(|seen| seen["client"]["client_name"] == name).await;
        let event = life.peer.event("updated").await;
        assert_eq!(event["request"]["client_name"], name);
        assert_eq!(
            document["client"]["client_id"], first["client"]["client_id"],
            "nobody must sign in again"
        );
        assert_eq!(document["generation"], 1);
        life.signs_in(&document).await;
    }
    life.delete_server().await;
    assert_eq!(life.peer.event("deleted").await["client_id"], first["client"]["client_id"]);
    life.remembers(&[]).await;
    life.orphans(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_client_is_updated_and_withdrawn() {
    managed(Peer::start("oidc-provider.mjs", &[]).await, json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confidential_client_with_initial_access_token_is_updated_and_withdrawn() {
    let settings = [("ISSUER_PATH", "/tenant1"), ("INITIAL_ACCESS_TOKEN", "iat-1234567890")];
    let configurations = json!({
        "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_basic" },
        "registration": { "initial_access_token": "iat-1234567890" },
    });
    managed(Peer::start("oidc-provider.mjs", &settings).await, configurations).await;
}

/// One report is enough: the authorization server is asked (RFC 7592 §2.1), and does not know the client.
async fn recovers(peer: Peer) {
    let mut life = Life::begin(peer, &json!({})).await;
    let first = life.registered().await;
    life.peer.forget(first["client"]["client_id"].as_str().unwrap()).await;
    let says = life.token_endpoint_says(&first).await;
    assert_eq!(says, "invalid_client");
    life.report(&first["generation"], &says).await;
    let second = life.document_when(|seen| seen["generation"] == 2).await;
    life.signs_in(&second).await;
    life.remembers(&[&second["client"]["client_id"]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_client_is_replaced() {
    recovers(Peer::start("oidc-provider.mjs", &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_client_is_replaced_without_management() {
    recovers(Peer::start("oidc-provider.mjs", &[("MANAGE", "0")]).await).await;
}

/// A report about a client that is well leads to one question and to nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_client_survives_a_report() {
    let mut life = Life::begin(Peer::start("oidc-provider.mjs", &[]).await, &json!({})).await;
    let first = life.registered().await;
    life.report(&first["generation"], "invalid_client").await;
    life.attempted("verify", "succeeded").await;
    let after = life.document_when(|seen| seen["registration"]["state"] == "registered").await;
    assert_eq!(after["client"]["client_id"], first["client"]["client_id"]);
    life.remembers(&[&first["client"]["client_id"]]).await;
}

/// With management switched off the same server still hands out an address and a token; what is there can be read, while an
/// update and a deletion find nothing (404). That is no client forgotten: a person is asked, and what is left behind is
/// written down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_is_declared_gone_without_management() {
    let mut life = Life::begin(Peer::start("oidc-provider.mjs", &[("MANAGE", "0")]).await, &json!({})).await;
    let first = life.registered().await;
    life.rename("Renamed").await;
    let waiting = life.registration_when(|seen| seen["state"] == "outdated").await;
    assert_eq!(waiting["client_id"], first["client"]["client_id"]);
    life.signs_in(&life.document_when(|seen| seen["generation"] == 1).await).await;
    life.delete_server().await;
    let orphans = life.orphans(1).await;
    assert_eq!(orphans[0].client_id.as_deref(), first["client"]["client_id"].as_str());
    life.remembers(&[&first["client"]["client_id"]]).await;
}
