//! Debian's glewlwyd: 200 for a new client, a new secret with every update, a list where RFC 7591 has a word, no registration
//! access token after the first answer, and deletion that disables.

use super::Life;
use serde_json::json;
use support::Peer;

/// The secret that the update brought is the one that works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_of_each_update_is_stored() {
    let mut life = Life::begin(Peer::start("glewlwyd.mjs", &[]).await, &json!({})).await;
    let first = life.registered().await;
    let mut secret = first["client"]["client_secret"].clone();
    for name in ["Renamed once", "Renamed twice"] {
        life.rename(name).await;
        let document = life.document_when(|seen| seen["client"]["client_name"] == name).await;
        assert_eq!(life.peer.event("updated").await["request"]["client_name"], name);
        assert_eq!(document["client"]["client_id"], first["client"]["client_id"]);
        assert_ne!(document["client"]["client_secret"], secret);
        secret = document["client"]["client_secret"].clone();
        life.signs_in(&document).await;
    }
    life.delete_server().await;
    life.peer.event("deleted").await;
    life.remembers(&[]).await;
    life.orphans(0).await;
}

/// One document is one moment: the secret that was replaced while it was read is never missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_get_complete_documents_during_an_update() {
    const UPDATES: usize = 8;
    let life = Life::begin(Peer::start("glewlwyd.mjs", &[]).await, &json!({})).await;
    life.registration_when(|seen| seen["state"] == "registered").await;
    let names: Vec<String> = (0..UPDATES).map(|number| format!("Renamed {number}")).collect();
    let updating = async {
        for name in &names {
            life.rename(name).await;
            life.document_when(|seen| seen["client"]["client_name"] == name.as_str()).await;
        }
    };
    let asking = async || {
        loop {
            let document = life.document_when(|_| true).await;
            assert!(document["client"]["client_secret"].is_string(), "{document:#}");
        }
    };
    tokio::select! { () = updating => {}, () = asking() => unreachable!(), () = asking() => unreachable!(), () = asking() => unreachable!() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_client_is_replaced() {
    let mut life = Life::begin(Peer::start("glewlwyd.mjs", &[]).await, &json!({})).await;
    let first = life.registered().await;
    life.peer.forget(first["client"]["client_id"].as_str().unwrap()).await;
    let says = life.token_endpoint_says(&first).await;
    assert_eq!(says, "unauthorized_client", "where RFC 6749 §5.2 has `invalid_client`");
    life.report(&first["generation"], &says).await;
    let asked = life.peer.event("refused").await;
    assert_eq!((&asked["method"], &asked["status"]), (&json!("GET"), &json!(401)));
    let second = life.document_when(|seen| seen["generation"] == 2).await;
    life.signs_in(&second).await;
    life.remembers(&[&second["client"]["client_id"]]).await;
}

/// Reading answers `token_endpoint_auth_method` as a list, and neither scope nor token: what is known is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_client_survives_a_report() {
    let mut life = Life::begin(Peer::start("glewlwyd.mjs", &[]).await, &json!({})).await;
    let first = life.registered().await;
    life.report(&first["generation"], "invalid_client").await;
    life.peer.event("read").await;
    life.attempted("verify", "succeeded").await;
    let after = life.document_when(|seen| seen["registration"]["state"] == "registered").await;
    assert_eq!(after["client"], first["client"]);
    life.rename("Renamed").await;
    let renamed = life.document_when(|seen| seen["client"]["client_name"] == "Renamed").await;
    life.signs_in(&renamed).await;
}
