//! RFC 7592.

use super::*;
use reqwest::Method;

impl Peer {
    async fn manage(
        &self,
        method: Method,
        client: &Value,
        token: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let request =
            self.http.request(method, client["registration_client_uri"].as_str().unwrap()).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        read(request.send().await.unwrap()).await
    }
}

fn rat(client: &Value) -> &str {
    client["registration_access_token"].as_str().unwrap()
}

/// What RFC 7592 §2.2 wants to be sent.
fn update(client: &Value, changes: &Value) -> Value {
    let mut body = client.clone();
    let members = body.as_object_mut().unwrap();
    for owned in [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ] {
        members.remove(owned);
    }
    members.extend(changes.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn clients_are_read_updated_and_deleted() {
    let peer = Peer::with(Quirks::default()).await;
    let (_, client) = peer.register(&metadata()).await;
    assert_eq!(peer.manage(Method::GET, &client, rat(&client), None).await, (200, client.clone()));
    assert_eq!(peer.manage(Method::GET, &client, "wrong", None).await.0, 401);

    let body = update(&client, &json!({"client_name": "Renamed", "policy_uri": null, "tos_uri": ""}));
    let (status, updated) = peer.manage(Method::PUT, &client, rat(&client), Some(&body)).await;
    assert_eq!((status, &updated["client_name"]), (200, &json!("Renamed")));
    assert!(updated.get("policy_uri").is_none() && updated.get("tos_uri").is_none());
    assert_eq!(rat(&updated), rat(&client));

    for wrong in [
        update(&client, &json!({"client_id": "another"})),
        update(&client, &json!({"client_id_issued_at": 1})),
        update(&client, &json!({"client_secret": "chosen"})),
        update(&client, &json!({"contacts": "a@b.example"})),
    ] {
        let (status, body) = peer.manage(Method::PUT, &client, rat(&client), Some(&wrong)).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_client_metadata")), "{wrong}");
    }
    assert_eq!(peer.manage(Method::DELETE, &client, rat(&client), None).await.0, 204);
    assert_eq!(peer.manage(Method::GET, &client, rat(&client), None).await.0, 401);
}

#[tokio::test]
async fn tokens_and_secrets_rotate() {
    let quirks = Quirks { rotate_registration_access_token: true, rotate_secret: true, ..Quirks::default() };
    let peer = Peer::with(quirks).await;
    let (_, first) =
        peer.register(&metadata_with(&json!({"token_endpoint_auth_method": "client_secret_post"}))).await;
    let (_, second) = peer.manage(Method::GET, &first, rat(&first), None).await;
    assert_ne!(rat(&first), rat(&second));
    assert_eq!(peer.manage(Method::GET, &first, rat(&first), None).await.0, 401);
    let (_, third) = peer.manage(Method::PUT, &first, rat(&second), Some(&update(&second, &json!({})))).await;
    assert_ne!(rat(&second), rat(&third));
    assert_ne!(second["client_secret"], third["client_secret"]);
}

#[tokio::test]
async fn management_may_be_partial_or_absent() {
    let peer = Peer::with(Quirks { no_management: true, ..Quirks::default() }).await;
    let (_, client) = peer.register(&metadata()).await;
    assert!(
        client.get("registration_client_uri").is_none() && client.get("registration_access_token").is_none()
    );
    assert_eq!(peer.get(&format!("/register/{}", id(&client))).await.status(), 404);

    peer.sandbox.set_quirks(Quirks { relative_management_uri: true, ..Quirks::default() });
    let (_, client) = peer.register(&metadata()).await;
    assert_eq!(client["registration_client_uri"], format!("/register/{}", id(&client)));

    let omit = vec!["registration_access_token".to_owned(), "scope".to_owned()];
    peer.sandbox.set_quirks(Quirks { no_delete: true, omit_management_members: omit, ..Quirks::default() });
    let (_, client) = peer.register(&metadata()).await;
    let (_, answer) = peer.manage(Method::GET, &client, rat(&client), None).await;
    assert!(answer.get("scope").is_none() && answer.get("registration_access_token").is_none());
    assert_eq!(peer.manage(Method::DELETE, &client, rat(&client), None).await.0, 405);
}

#[tokio::test]
async fn update_may_happen_without_an_answer() {
    let quirks = Quirks { lost_management_answers: 1, ..Quirks::default() };
    let peer = Peer::with(quirks).await;
    let (_, client) = peer.register(&metadata()).await;
    let address = client["registration_client_uri"].as_str().unwrap();
    let body = update(&client, &json!({"client_name": "Renamed"}));
    assert!(peer.http.put(address).bearer_auth(rat(&client)).json(&body).send().await.is_err());
    assert_eq!(peer.sandbox.client(id(&client)).unwrap().metadata["client_name"], "Renamed");
    assert_eq!(peer.manage(Method::GET, &client, rat(&client), None).await.0, 200);
}
