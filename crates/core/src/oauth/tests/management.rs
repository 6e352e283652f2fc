//! Answers to reads and updates of clients (RFC 7592).

use crate::clock::Timestamp;
use crate::egress::Scope;
use crate::oauth::{HttpAnswer, ManagedClient};
use crate::secret::Secret;
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn recorded() -> ManagedClient {
    ManagedClient {
        client_id: "c".into(),
        client_secret: Some(Secret::new("s1")),
        client_secret_expires_at: Some(1_000),
        client_id_issued_at: Some(5),
        token_endpoint_auth_method: "client_secret_post".into(),
        registration_client_uri: "https://h/register/c".into(),
        registration_access_token: Secret::new("t1"),
        request: object(json!({ "client_name": "Old", "scope": "a", "redirect_uris": ["https://g/cb"] })),
        response: object(json!({
            "client_id": "c", "client_name": "Old", "scope": "a", "redirect_uris": ["https://g/cb"],
            "token_endpoint_auth_method": "client_secret_post", "subject_type": "public", "jwks": null,
            "registration_client_uri": "https://h/register/c",
        })),
        scope: Scope::Everything,
    }
}

fn now() -> Timestamp {
    chrono::DateTime::from_timestamp(2_000, 0).unwrap()
}

#[test]
fn update_repeats_the_answer_without_undesired_members() {
    let wanted = object(json!({ "client_name": "New", "redirect_uris": ["https://g/cb"] }));
    assert_eq!(
        Value::Object(recorded().update(&wanted)),
        json!({
            "client_id": "c", "client_secret": "s1", "client_name": "New", "redirect_uris": ["https://g/cb"],
            "token_endpoint_auth_method": "client_secret_post", "subject_type": "public",
        })
    );
}

#[test]
fn update_answer_is_merged_into_the_client() {
    let wanted = object(json!({ "client_name": "New", "redirect_uris": ["https://g/cb"] }));
    let read = |status, body: Value| {
        recorded().read_update(&HttpAnswer::new(status, body.to_string().as_bytes()), &wanted, now())
    };
    let bare = read(200, json!({ "client_id": "c" })).unwrap();
    assert_eq!(bare.response["client_name"], "New");
    assert_eq!(bare.client_secret.unwrap().expose(), "s1");
    assert_eq!(bare.registration_access_token.unwrap().expose(), "t1");
    assert_eq!(
        bare.client_secret_expires_at,
        Some(1_000),
        "past, but known: an update is no reason to forget it"
    );
    assert_eq!(bare.client_id_issued_at, Some(5));
    assert!(!bare.response.contains_key("scope"), "what was deleted is gone");
    let rotated = read(
        200,
        json!({ "client_id": "c", "client_secret": "s2", "client_secret_expires_at": 3_000, "registration_access_token": "t2", "client_name": null }),
    )
    .unwrap();
    assert_eq!(rotated.client_secret.unwrap().expose(), "s2");
    assert_eq!(rotated.registration_access_token.unwrap().expose(), "t2");
    assert_eq!(rotated.client_secret_expires_at, Some(3_000));
    let forever = read(200, json!({ "client_secret": "s2" })).unwrap();
    assert_eq!(forever.client_secret_expires_at, None, "the old expiry is not the new secret's");
    assert!(read(204, json!(null)).is_ok());
    assert_eq!(read(200, json!({ "client_id": "other" })).unwrap_err().code, "client_id_changed");
    assert_eq!(read(200, json!([])).unwrap_err().code, "answer_not_json");
    let foreign = read(200, json!({ "redirect_uris": ["https://evil/cb"], "client_secret": "s2" })).unwrap();
    assert!(!foreign.callbacks_honoured);
    assert_eq!(foreign.client_secret.unwrap().expose(), "s2", "a rotated secret is never lost");
    for (status, code) in [
        (401, "management_token_refused"),
        (404, "client_forgotten"),
        (405, "management_not_allowed"),
        (302, "management_not_allowed"),
        (403, "management_not_allowed"),
        (400, "invalid_client_metadata"),
        (503, "upstream_unavailable"),
        (429, "rate_limited"),
    ] {
        assert_eq!(read(status, json!({})).unwrap_err().code, code, "{status}");
    }
}

#[test]
fn update_without_an_answer_is_read_back() {
    let wanted = object(json!({ "client_name": "New", "redirect_uris": ["https://g/cb"] }));
    for (status, body, back) in [
        (200, "", true),
        (200, " \r\n", true),
        (200, "null", true),
        (200, "{}", true),
        (200, "\"\"", true),
        (201, "", true),
        (202, "", true),
        (203, "{ }", true),
        (204, "", true),
        (205, "", true),
        (200, "OK", true),
        (200, "<html>", true),
        (200, "[]", true),
        (200, "{\"client_id\":\"c\"}", false),
        (404, "", false),
        (302, "", false),
        (500, "", false),
    ] {
        let answer = HttpAnswer::new(status, body.as_bytes());
        assert_eq!(recorded().must_be_read_back(&answer), back, "{status} {body:?}");
        if back && answer.says_nothing() {
            let issued = recorded().read_update(&answer, &wanted, now()).unwrap();
            assert_eq!(issued.response["client_name"], "New");
            assert!(issued.warnings[0].contains("taken to be as it was asked for"), "{:?}", issued.warnings);
        }
    }
    let read = |status, body: Value| {
        recorded().read_back(&HttpAnswer::new(status, body.to_string().as_bytes()), &wanted, now())
    };
    let done =
        read(200, json!({ "client_id": "c", "client_name": "New", "registration_access_token": "t2" }))
            .unwrap()
            .unwrap();
    assert_eq!(done.registration_access_token.unwrap().expose(), "t2");
    assert!(done.warnings.is_empty(), "{:?}", done.warnings);
    let ignored = read(200, json!({ "client_id": "c", "client_name": "Old" })).unwrap().unwrap();
    assert_eq!(ignored.response["client_name"], "Old");
    assert!(ignored.warnings[0].contains("client_name"), "{:?}", ignored.warnings);
    assert_eq!(read(200, json!({ "client_id": "d" })).unwrap().unwrap_err().code, "client_id_changed");
    for (status, body) in
        [(404, json!({})), (405, json!({})), (200, json!({})), (200, json!(null)), (200, json!("OK"))]
    {
        assert!(read(status, body.clone()).is_none(), "{status} {body}");
    }
}

#[test]
fn unusable_auth_method_in_an_answer_changes_nothing() {
    for method in ["private_key_jwt", "client_secret_jwt", "tls_client_auth", "bearer"] {
        let body = json!({ "client_id": "c", "token_endpoint_auth_method": method }).to_string();
        let issued = recorded().read_read(&HttpAnswer::new(200, body.as_bytes()), now()).unwrap();
        assert_eq!(issued.token_endpoint_auth_method, "client_secret_post");
        assert!(issued.warnings.iter().any(|one| one.contains(method)), "{:?}", issued.warnings);
    }
    let body = json!({ "client_id": "c", "token_endpoint_auth_method": "none" }).to_string();
    let issued = recorded().read_read(&HttpAnswer::new(200, body.as_bytes()), now()).unwrap();
    assert_eq!(issued.token_endpoint_auth_method, "client_secret_post");
}

#[test]
fn read_returns_rotated_credentials() {
    let body = json!({ "client_id": "c", "registration_access_token": "t2", "token_endpoint_auth_method": ["client_secret_basic"], "redirect_uris": ["https://g/cb"] });
    let read = recorded().read_read(&HttpAnswer::new(200, body.to_string().as_bytes()), now()).unwrap();
    assert_eq!(read.registration_access_token.unwrap().expose(), "t2");
    assert_eq!(read.token_endpoint_auth_method, "client_secret_basic");
    assert_eq!(recorded().read_read(&HttpAnswer::new(404, b""), now()).unwrap_err().code, "client_forgotten");
}

#[test]
fn secrets_are_hidden_from_debug_output() {
    let text = format!("{:?}", recorded());
    assert!(!text.contains("s1") && !text.contains("t1"), "{text}");
}

#[test]
fn unusable_management_members_keep_the_old_ones() {
    for odd in [
        json!({ "registration_client_uri": "https://h/register/c#a" }),
        json!({ "registration_client_uri": "https://me@h/register/c" }),
        json!({ "registration_client_uri": "no address" }),
        json!({ "registration_client_uri": 7 }),
        json!({ "registration_access_token": 7 }),
    ] {
        let read = recorded().read_read(&HttpAnswer::new(200, odd.to_string().as_bytes()), now()).unwrap();
        assert_eq!(read.registration_client_uri.as_deref(), Some("https://h/register/c"), "{odd}");
        assert!(read.registration_access_token.is_some(), "{odd}");
    }
}
