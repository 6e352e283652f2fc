//! Client ID Metadata Documents: published by us under an https name with an authority of its own, read by npm
//! `oidc-provider`, which is told nothing else about our client.

use super::{Circumstances, Life};
use serde_json::{Value, json};
use support::{Client, Peer};

async fn reader(front: &Peer) -> Peer {
    Peer::start("oidc-provider.mjs", &[("CIMD", "1"), ("NODE_EXTRA_CA_CERTS", front.text("ca_file"))]).await
}

/// Lets the front pass requests on to us.
async fn open(front: &Peer, life: &Life) {
    let control = Client::new(front.text("control"), "");
    Client::send(control.request(reqwest::Method::PUT, "").body(life.t.url.clone())).await.expect(200);
}

fn registered(seen: &Value) -> bool {
    seen["registration"]["state"] == "registered"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_id_document_is_published_changed_and_removed() {
    let mut front = Peer::start("tls-front.mjs", &[]).await;
    let at = Circumstances { front: Some(&front), ..Circumstances::default() };
    let configurations = json!({ "registration": { "method": "cimd" } });
    let life = Life::begin_in(at, reader(&front).await, &configurations).await;
    open(&front, &life).await;
    life.registered_in_time("notes").await; // the first look may have come before the front was open
    let document = life.document_when(registered).await;
    assert_eq!(document["registration"]["method"], "cimd");
    let client_id = document["client"]["client_id"].as_str().unwrap();
    let path = client_id.strip_prefix(front.text("public_url")).expect("under our public name").to_owned();
    assert!(path.starts_with("/oauth/clients/"), "{path}");
    assert_eq!(front.event("fetched").await["path"], path.as_str(), "our own check");
    life.signs_in(&document).await;
    assert_eq!(front.event("fetched").await["path"], path.as_str(), "the authorization server");

    let mut renamed = configurations.clone();
    renamed["oauth_client_metadata"]["client_name"] = json!("Renamed");
    life.configure(&renamed).await;
    let after = life.document_when(|seen| seen["client"]["client_name"] == "Renamed").await;
    assert_eq!(after["client"]["client_id"], document["client"]["client_id"]);
    assert_eq!(after["generation"], 1);
    let published = life.t.anonymous().get(&path).await.expect(200).json();
    assert_eq!(published["client_name"], "Renamed");
    life.signs_in(&after).await;

    life.delete_server().await;
    life.gone(&path).await;
    life.orphans(0).await;
    life.remembers(&[]).await;
}

/// A document that cannot be read from outside is useless: under `auto` the next method is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_client_id_document_is_not_used() {
    let front = Peer::start("tls-front.mjs", &[]).await;
    let at = Circumstances { front: Some(&front), ..Circumstances::default() };
    let mut life = Life::begin_in(at, reader(&front).await, &json!({})).await;
    let document = life.registered().await;
    assert_eq!(document["registration"]["method"], "dcr");
}
