//! The switches for what was seen in the field: answers word for word, odd hints, echoes, expiries and refusals.

use super::*;
use crate::{AnswerWrapping, CannedAnswer, ExpiryForm};
use serde_json::Map;

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn canned_answer_replaces_the_own_one() {
    let mut quirks = Quirks::default();
    for (named, answer) in [
        ("GET /.well-known/oauth-authorization-server", CannedAnswer::new(500, Value::Null)),
        ("GET /.well-known/oauth-protected-resource/mcp", CannedAnswer::new(200, json!({}))),
        ("GET /page", CannedAnswer::new(403, json!("<title>Just a moment...</title>"))),
        ("POST /register", CannedAnswer::new(200, json!({"ok": false, "error": "disabled"}))),
    ] {
        quirks.answers.insert(named.to_owned(), answer);
    }
    let moved = CannedAnswer {
        headers: members(json!({"location": "/register/"})),
        ..CannedAnswer::new(301, json!(""))
    };
    quirks.answers.insert("GET /register".to_owned(), moved);
    let peer = Peer::with(quirks).await;
    assert_eq!(peer.get("/.well-known/oauth-authorization-server").await.status(), 500);
    assert_eq!(read(peer.get("/.well-known/oauth-protected-resource/mcp").await).await, (200, json!({})));
    let page = peer.get("/page").await;
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (403, "text/html; charset=utf-8")
    );
    assert_eq!(peer.get("/register").await.headers()["location"], "/register/");
    assert_eq!(peer.register(&metadata()).await, (200, json!({"ok": false, "error": "disabled"})));
    assert!(peer.sandbox.clients().is_empty(), "nothing was registered");
    assert!(
        peer.sandbox.requests().iter().any(|one| one.path == "/register" && one.status == 200),
        "it is logged"
    );
}

#[tokio::test]
async fn hint_and_challenge_are_odd() {
    let quirks = Quirks {
        resource_metadata_hint: Some("/mcp/.well-known".to_owned()),
        challenge_status: 403,
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    let refused = peer.mcp(None, &json!({})).await;
    assert_eq!(refused.status(), 403);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("resource_metadata=\"/mcp/.well-known\""), "{challenge}");

    assert_eq!(peer.get("/mcp").await.status(), 405);
    peer.sandbox.set_quirks(Quirks { challenge_on_get: true, ..Quirks::default() });
    let posted = peer.mcp(None, &json!({})).await;
    assert_eq!((posted.status().as_u16(), posted.headers()["allow"].to_str().unwrap()), (405, "GET"));
    let got = peer.get("/mcp").await;
    assert_eq!(got.status(), 401);
    assert!(got.headers()["www-authenticate"].to_str().unwrap().contains("resource_metadata"));
}

#[tokio::test]
async fn members_of_documents_are_replaced() {
    let quirks = Quirks {
        resource_members: members(
            json!({"resource": null, "authorization_servers": ["https://login.corp.invalid"]}),
        ),
        metadata_members: members(
            json!({"issuer": null, "introspection_endpoint": "http://keycloak.svc/introspect"}),
        ),
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    let (_, resource) = read(peer.get("/.well-known/oauth-protected-resource/mcp").await).await;
    assert!(resource.get("resource").is_none());
    assert_eq!(resource["authorization_servers"], json!(["https://login.corp.invalid"]));
    let (_, metadata) = read(peer.get("/.well-known/oauth-authorization-server").await).await;
    assert!(metadata.get("issuer").is_none());
    assert_eq!(metadata["introspection_endpoint"], "http://keycloak.svc/introspect");
}

#[tokio::test]
async fn answer_differs_from_what_is_registered() {
    let quirks = Quirks {
        answer_members: members(json!({"client_id": 4711, "scope": ["read"], "contacts": null})),
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    let (_, answer) = peer.register(&metadata()).await;
    assert_eq!((&answer["client_id"], &answer["scope"]), (&json!(4711), &json!(["read"])));
    assert!(answer.get("contacts").is_none());
    assert_eq!(peer.sandbox.clients()[0].metadata["scope"], "mcp:read mcp:write");
    for (wrapping, expected) in [
        (AnswerWrapping::String, "\"{"),
        (AnswerWrapping::List, "[{"),
        (AnswerWrapping::Data, "{\"data\":{"),
        (AnswerWrapping::Empty, ""),
        (AnswerWrapping::None, "{\"client_id\":"),
    ] {
        peer.sandbox.set_quirks(Quirks { answer_wrapping: wrapping, ..Quirks::default() });
        let before = peer.sandbox.clients().len();
        let text = peer.registering(&metadata()).send().await.unwrap().text().await.unwrap();
        assert!(text.starts_with(expected) && text.is_empty() == expected.is_empty(), "{wrapping:?}: {text}");
        assert_eq!(peer.sandbox.clients().len(), before + 1, "{wrapping:?}: a client is made");
    }
}

#[tokio::test]
async fn secret_expires_in_every_form() {
    let peer = Peer::with(Quirks::default()).await;
    let confidential = metadata_with(&json!({"token_endpoint_auth_method": "client_secret_post"}));
    for (form, times) in
        [(ExpiryForm::Seconds, 1), (ExpiryForm::Milliseconds, 1_000), (ExpiryForm::Microseconds, 1_000_000)]
    {
        let quirks =
            Quirks { secret_expiry_form: form, secret_expires_in: Some(86_400), ..Quirks::default() };
        peer.sandbox.set_quirks(quirks);
        let (_, answer) = peer.register(&confidential).await;
        let stored = peer.sandbox.client(id(&answer)).unwrap().secret_expires_at;
        assert_eq!(answer["client_secret_expires_at"].as_i64(), Some(stored * times), "{form:?}");
    }
    for (form, is_form) in [
        (
            ExpiryForm::Text,
            (|value: &Value| value.as_str().is_some_and(|text| text.parse::<i64>().is_ok()))
                as fn(&Value) -> bool,
        ),
        (ExpiryForm::Date, |value| value.as_str().is_some_and(|text| text.contains('T'))),
        (ExpiryForm::Absent, Value::is_null),
    ] {
        let quirks =
            Quirks { secret_expiry_form: form, secret_expires_in: Some(86_400), ..Quirks::default() };
        peer.sandbox.set_quirks(quirks);
        let (_, answer) = peer.register(&confidential).await;
        assert!(is_form(&answer["client_secret_expires_at"]), "{form:?}: {answer}");
    }
}

#[tokio::test]
async fn strict_server_names_what_it_refuses() {
    let known: Vec<String> =
        metadata().as_object().unwrap().keys().filter(|name| *name != "software_id").cloned().collect();
    let peer = Peer::with(Quirks { strict_members: Some(known), ..Quirks::default() }).await;
    let (status, refused) = peer.register(&metadata()).await;
    assert_eq!(status, 400);
    assert_eq!(refused["error_description"], "Unrecognized key(s) in object: 'software_id'");
    assert_eq!(peer.register(&metadata_with(&json!({"software_id": null}))).await.0, 201);

    peer.sandbox.set_quirks(Quirks { plain_client_name: true, ..Quirks::default() });
    let (status, refused) = peer.register(&metadata_with(&json!({"client_name": "Acme / MCP"}))).await;
    assert_eq!(status, 400);
    assert!(refused["error_description"].as_str().unwrap().contains("alphanumeric"));
    assert_eq!(peer.register(&metadata_with(&json!({"client_name": "Acme MCP-2"}))).await.0, 201);
}

#[tokio::test]
async fn update_is_carried_out_with_an_empty_answer() {
    let peer = Peer::with(Quirks { empty_update_answer: true, ..Quirks::default() }).await;
    let (_, client) = peer.register(&metadata()).await;
    let address = client["registration_client_uri"].as_str().unwrap();
    let token = client["registration_access_token"].as_str().unwrap();
    let body = metadata_with(&json!({"client_id": id(&client), "client_name": "Renamed"}));
    let updated = peer.http.put(address).bearer_auth(token).json(&body).send().await.unwrap();
    assert_eq!((updated.status().as_u16(), updated.text().await.unwrap()), (200, String::new()));
    assert_eq!(peer.sandbox.client(id(&client)).unwrap().metadata["client_name"], "Renamed");
}
