//! Answers of success that yield no usable client, and odd ones that do (INV-3, INV-11, INV-33).

use crate::clock::Timestamp;
use crate::oauth::{Asked, Failure, FailureClass, HttpAnswer, Issued, read_answer};
use crate::secret::Secret;
use chrono::DateTime;
use serde_json::{Map, Value, json};

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn request() -> Map<String, Value> {
    json!({ "client_name": "A", "redirect_uris": ["https://g/cb"], "token_endpoint_auth_method": "none" })
        .as_object()
        .unwrap()
        .clone()
}

fn read(answer: &HttpAnswer<'_>) -> Result<Issued, Failure> {
    let listed = ["none".to_owned(), "client_secret_post".to_owned()];
    let request = request();
    let asked = Asked { request: &request, listed_methods: Some(&listed) };
    read_answer("https://h/register", answer, asked, now())
}

fn read_body(status: u16, body: &str) -> Result<Issued, Failure> {
    read(&HttpAnswer::new(status, body.as_bytes()))
}

#[test]
fn success_without_a_usable_client_is_never_repeated() {
    let managed = |more: Value| {
        let mut answer = json!({ "client_id": "c", "registration_client_uri": "https://h/register/c", "registration_access_token": "tok-c-1" });
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer.to_string()
    };
    for (status, body, code, id, deletable) in [
        (200, String::new(), "answer_not_json", None, false),
        (201, String::new(), "answer_not_json", None, false),
        (202, String::new(), "answer_not_json", None, false),
        (204, String::new(), "answer_not_json", None, false),
        (205, String::new(), "answer_not_json", None, false),
        (201, "null".into(), "answer_not_json", None, false),
        (201, "{}".into(), "client_id_missing", None, false),
        (201, "[]".into(), "answer_not_json", None, false),
        (201, "true".into(), "answer_not_json", None, false),
        (201, "\"made\"".into(), "answer_not_json", None, false),
        (200, "<html>sign in</html>".into(), "answer_not_json", None, false),
        (201, "{\"status\":\"created\"}".into(), "client_id_missing", None, false),
        (201, "{\"client_id\":null}".into(), "client_id_missing", None, false),
        (201, "{\"client_id\":\" \"}".into(), "client_id_missing", None, false),
        (201, managed(json!({ "client_id": 1.5 })), "client_id_missing", Some("1.5"), true),
        (201, managed(json!({ "client_id": ["c"] })), "client_id_missing", Some("c"), true),
        (201, managed(json!({ "client_id": "c\u{0}" })), "client_id_missing", Some("c\\u{0}"), true),
        (201, managed(json!({ "client_id": "c\u{fc}" })), "client_id_missing", Some("c\u{fc}"), true),
        (
            201,
            managed(json!({ "redirect_uris": ["https://other/cb"] })),
            "redirect_uris_not_honoured",
            Some("c"),
            true,
        ),
        (
            201,
            managed(json!({ "client_secret": "s", "client_secret_expires_at": 1_700_000_000 })),
            "client_secret_expired",
            Some("c"),
            true,
        ),
        (201, managed(json!({ "client_secret": "a\u{0}b" })), "secret_missing", Some("c"), true),
        (
            201,
            managed(json!({ "token_endpoint_auth_method": "client_secret_post" })),
            "secret_missing",
            Some("c"),
            true,
        ),
        (
            201,
            managed(json!({ "token_endpoint_auth_method": "private_key_jwt" })),
            "auth_method_not_usable",
            Some("c"),
            true,
        ),
        (201, managed(json!({ "error": "server_error" })), "answer_contradictory", Some("c"), true),
        (
            201,
            managed(json!({})).replace("\"c\"", "\"c\",\"client_id\":\"c\""),
            "answer_not_json",
            Some("c"),
            true,
        ),
        (201, managed(json!({})) + " trailing", "answer_not_json", Some("c"), true),
        (
            201,
            managed(
                json!({ "redirect_uris": ["https://other/cb"], "registration_client_uri": "https://evil/c" }),
            ),
            "redirect_uris_not_honoured",
            Some("c"),
            false,
        ),
        (201, "[{\"client_id\":\"a\"},{\"client_id\":\"b\"}]".into(), "answer_not_json", Some("a"), false),
        (201, "{\"client_id\":\"a\",\"client_id\":\"b\"}".into(), "answer_not_json", Some("a"), false),
    ] {
        let failure = read_body(status, &body).unwrap_err();
        assert_eq!(
            (failure.class, failure.code),
            (FailureClass::Unusable, code),
            "{status} {body}: {failure:?}"
        );
        assert!(failure.message.contains("not repeated by itself"), "{}", failure.message);
        let client = failure.unusable.clone().unwrap();
        assert_eq!(client.client_id.as_deref(), id, "{status} {body}");
        assert_eq!(client.management.is_some(), deletable, "{status} {body}: {client:?}");
        assert_eq!(client.not_deletable.is_none(), deletable, "{status} {body}");
        assert!(!format!("{failure:?}").contains("tok-c-1"), "{failure:?}");
    }
    let long = read_body(201, &json!({ "client_id": "x".repeat(9000) }).to_string()).unwrap_err();
    assert!(long.message.contains("9000 bytes"), "{}", long.message);
}

#[test]
fn unusable_answer_tells_no_secret() {
    for body in [
        json!({ "client_id": { "id": "c", "secret": "S3cretS3cret" } }).to_string(),
        json!({ "client_id": "a", "client_secret": ["S3cretS3cret"], "error": "odd S3cretS3cret" }).to_string(),
        json!({ "client_id": "a", "client_secret": { "value": "S3cretS3cret" }, "error": "e", "message": "S3cretS3cret" }).to_string(),
        "{\"client_id\":\"a\",\"client_id\":\"b\",\"client_secret\":\"S3cretS3cret\",\"message\":\"it is S3cretS3cret\"}".to_owned(),
        "{\"client_id\":\"S3cretS3cret\",\"client_id\":\"b\",\"registration_access_token\":\"S3cretS3cret\"}".to_owned(),
    ] {
        let failure = read_body(201, &body).unwrap_err();
        let told = format!("{failure:?}");
        assert!(!told.contains("S3cretS3cret"), "{body}: {told}");
    }
    // A stub's secret may equal the id, which is no secret.
    let stub = json!({
        "client_id": "abc12345", "client_secret": "abc12345", "redirect_uris": ["https://other/cb"],
        "registration_client_uri": "https://h/register/abc12345", "registration_access_token": "t0ken-t0ken",
    });
    let client = read_body(201, &stub.to_string()).unwrap_err().unusable.unwrap();
    assert_eq!((client.client_id.as_deref(), client.management.is_some()), (Some("abc12345"), true));
    let long = json!({
        "client_id": "x".repeat(3000), "redirect_uris": ["https://other/cb"],
        "registration_client_uri": "https://h/register/x", "registration_access_token": "t0ken-t0ken",
    });
    assert!(read_body(201, &long.to_string()).unwrap_err().unusable.unwrap().management.is_none());
}

#[test]
fn odd_answers_with_a_certain_meaning_are_registrations() {
    let client =
        json!({ "client_id": "c", "redirect_uris": ["https://g/cb"], "token_endpoint_auth_method": "none" });
    let text = client.to_string();
    let utf_16: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let latin: Vec<u8> = json!({ "client_id": "c", "client_name": "Caf?" })
        .to_string()
        .bytes()
        .map(|b| if b == b'?' { 0xe9 } else { b })
        .collect();
    let bodies: Vec<(u16, Option<&str>, Vec<u8>, usize)> = vec![
        (201, None, text.clone().into_bytes(), 0),
        (200, None, text.clone().into_bytes(), 0),
        (202, None, text.clone().into_bytes(), 1),
        (203, None, text.clone().into_bytes(), 1),
        (206, None, text.clone().into_bytes(), 1),
        (299, None, text.clone().into_bytes(), 1),
        (201, None, text.replace("\"c\"", "4711").into_bytes(), 1),
        (201, None, text.replace("\"c\"", "18446744073709551615").into_bytes(), 1),
        (201, None, json!(text).to_string().into_bytes(), 1),
        (201, None, json!(json!(text).to_string()).to_string().into_bytes(), 2),
        (201, None, json!([client]).to_string().into_bytes(), 1),
        (201, None, json!({ "data": client }).to_string().into_bytes(), 1),
        (201, None, json!({ "result": client, "success": true, "errors": [] }).to_string().into_bytes(), 1),
        (201, None, json!({ "client": client, "error": null }).to_string().into_bytes(), 1),
        (201, None, text.replace('{', "{\"error\":null,\"errors\":[],\"success\":true,").into_bytes(), 0),
        (201, None, utf_16, 1),
        (201, Some("application/json; charset=iso-8859-1"), latin, 2),
        (201, Some("text/html"), text.clone().into_bytes(), 0),
        (201, None, text.replace("client_id", "clientId").into_bytes(), 1),
        (201, None, format!("\u{feff}{text}\r\n\r\n").into_bytes(), 0),
        (201, None, text.replace("[\"https://g/cb\"]", "[]").into_bytes(), 1),
        (201, None, text.replace("[\"https://g/cb\"]", "{}").into_bytes(), 1),
    ];
    for (status, content_type, body, warnings) in bodies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let issued = read(&HttpAnswer { content_type, ..HttpAnswer::new(status, &body) });
        let issued = issued.unwrap_or_else(|failure| panic!("{status} {shown}: {failure:?}"));
        assert!(["c", "4711", "18446744073709551615"].contains(&issued.client_id.as_str()), "{shown}");
        assert_eq!(issued.response["client_id"], json!(issued.client_id), "{shown}");
        assert_eq!(issued.warnings.len(), warnings, "{status} {shown}: {:?}", issued.warnings);
    }
}

#[test]
fn refusal_with_a_status_of_success_is_a_refusal() {
    for (body, code, words) in [
        (
            json!({ "ok": false, "error": "invalid_client_metadata", "error_description": "team has disabled app registration" }),
            "invalid_client_metadata",
            "team has disabled app registration",
        ),
        (json!({ "ok": false, "message": "off" }), "invalid_client_metadata", "off"),
        (json!({ "success": false, "reason": "off" }), "invalid_client_metadata", "off"),
        (json!({ "error": "invalid_redirect_uri" }), "invalid_redirect_uri", ""),
        (json!({ "error": { "code": 403, "message": "no" } }), "registration_not_allowed", "no"),
        (json!({ "errors": [{ "message": "no" }] }), "invalid_client_metadata", "no"),
        (json!({ "status": "error", "message": "no" }), "invalid_client_metadata", "no"),
        (json!({ "statusCode": 401, "message": "no" }), "initial_access_token_needed", "no"),
        (json!({ "statusCode": "429", "message": "slow" }), "rate_limited", "slow"),
        (json!({ "title": "Bad", "detail": "no" }), "invalid_client_metadata", "no"),
        (json!({ "errorCode": "E1", "errorSummary": "no" }), "invalid_client_metadata", "no"),
        (
            json!({ "detail": [{ "loc": ["body", "scope"], "msg": "odd" }] }),
            "invalid_client_metadata",
            "scope: odd",
        ),
        (json!([{ "error": "access_denied" }]), "registration_not_allowed", ""),
        (json!("{\"error\":\"access_denied\"}"), "registration_not_allowed", ""),
        (json!({ "data": { "x": 1 }, "error": "access_denied" }), "registration_not_allowed", ""),
    ] {
        let failure = read_body(200, &body.to_string()).unwrap_err();
        assert_eq!(failure.code, code, "{body}");
        assert_ne!(failure.class, FailureClass::Unusable, "{body}");
        assert!(failure.unusable.is_none());
        assert_eq!(failure.error_description.as_deref().unwrap_or_default(), words, "{body}");
        assert!(failure.message.contains("The status was 200"), "{}", failure.message);
    }
}

#[test]
fn secrets_of_an_unusable_answer_are_not_shown() {
    let body = json!({
        "client_id": "c", "client_secret": "canary-secret", "registration_access_token": "canary-token",
        "redirect_uris": ["https://other/cb?x=canary-secret"], "message": "your secret is canary-secret, token canary-token",
        "registration_client_uri": "https://h/c?t=canary-token",
    });
    for text in [body.to_string(), json!([body]).to_string(), json!(body.to_string()).to_string()] {
        let failure = read_body(201, &text).unwrap_err();
        let client = failure.unusable.clone().unwrap();
        let shown = format!("{failure:?} {:?} {:?}", client.registration_client_uri, client.client_id);
        assert!(!shown.contains("canary"), "{shown}");
    }
    let failure = read_body(201, "{\"client_id\":\"token-of-ours\",\"redirect_uris\":[\"https://other/\"]}")
        .unwrap_err();
    let failure = failure.without(&Secret::new("token-of-ours"));
    assert!(!format!("{failure:?}").contains("token-of-ours"));
}
