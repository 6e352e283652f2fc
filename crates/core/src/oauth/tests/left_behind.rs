//! What an answer that cannot be used says of its client.

use crate::oauth::unusable::MAX_ID;
use crate::oauth::{HttpAnswer, UnusableClient};
use crate::secret::Secret;
use serde_json::json;

fn read(body: &str) -> UnusableClient {
    UnusableClient::read(&HttpAnswer::new(201, body.as_bytes()), "https://h/register")
}

#[test]
fn client_is_named_in_every_form() {
    let uri = "https://h/register/c";
    let whole =
        json!({ "client_id": "c", "registration_client_uri": uri, "registration_access_token": "tok-c" });
    let text = whole.to_string();
    let cut = &text[..text.len() - 1];
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        text.clone(),
        cut.to_owned(),
        format!("{text} trailing"),
        format!("{text}{text}"),
        json!(text).to_string(),
        json!([whole]).to_string(),
        json!({ "data": { "client": whole } }).to_string(),
        json!({ "body": text }).to_string(),
        text.replace("client_id", "clientId").replace("registration_client_uri", "registrationClientUri"),
        text.replace('}', ",\"client_id\":\"c\"}"),
        text.replace('}', ",\"x\":{\"y\":1,\"y\":2}}"),
        format!("client_id=c&registration_client_uri={uri}&registration_access_token=tok-c"),
        format!(
            "<c><client_id>c</client_id><registration_client_uri>{uri}</registration_client_uri><registration_access_token>tok-c</registration_access_token></c>"
        ),
        text.replace('"', "'"),
    ] {
        let client = read(&body);
        assert_eq!(client.client_id.as_deref(), Some("c"), "{body}");
        assert_eq!(client.management, Some((uri.to_owned(), Secret::new("tok-c"))), "{body}: {client:?}");
        assert!(!format!("{client:?}").contains("tok-c"));
    }
    let client = UnusableClient::read(&HttpAnswer::new(201, &utf_16), "https://h/register");
    assert!(client.management.is_some());
}

#[test]
fn entry_says_why_nothing_is_deleted() {
    let full = |id: &str, uri: &str, token: &str| {
        json!({ "client_id": id, "registration_client_uri": uri, "registration_access_token": token })
            .to_string()
    };
    for (body, id, why) in [
        (String::new(), None, "no `client_id`"),
        ("<html><a href='/login?client_id=foreign'>".to_owned(), None, "no `client_id`"),
        ("{\"client_id\":4711}".to_owned(), Some("4711"), "no management address"),
        ("{\"client_id\":[\"a\"]}".to_owned(), Some("a"), "no management address"),
        ("{\"client_id\":{\"value\":\"a\"}}".to_owned(), None, "no `client_id`"),
        ("{\"client_id\":\"a\",\"client_id\":\"b\"}".to_owned(), Some("a"), "several `client_id`s (a, b)"),
        (
            "[{\"client_id\":\"a\"},{\"client_id\":\"b\"}]".to_owned(),
            Some("a"),
            "several `client_id`s (a, b)",
        ),
        (
            "{\"client_id\":\"a\",\"registration_client_uri\":\"https://h/c\"}".to_owned(),
            Some("a"),
            "no `registration_access_token`",
        ),
        (full("a", "/register/a", "t"), Some("a"), "not a complete web address"),
        (full("a", "https://evil/a", "t"), Some("a"), "another origin"),
        (full("a", "https://h@evil/a", "t"), Some("a"), "not a complete web address"),
        (full("a", "https://h/a", "t\u{0}x"), Some("a"), "control or invisible"),
        (full("a\u{202e}\u{0}", "/a", "t"), Some("a\\u{202e}\\u{0}"), "not a complete"),
    ] {
        let client = read(&body);
        assert_eq!(client.client_id.as_deref(), id, "{body}");
        assert!(client.management.is_none() && client.fate().contains(why), "{body}: {}", client.fate());
    }
    let long = read(&json!({ "client_id": "x".repeat(9000) }).to_string());
    assert!(long.client_id.unwrap().chars().count() == MAX_ID + 1);
    let echoing = read(&full("a", "https://h/c?t=secret-token", "secret-token"));
    assert!(!echoing.registration_client_uri.unwrap().contains("secret-token"));
}

proptest::proptest! {
    #[test]
    fn hostile_answers_never_panic(body: Vec<u8>, text in "\\PC{0,80}") {
        let _ = UnusableClient::read(&HttpAnswer::new(200, &body), "https://h/register");
        let _ = read(&format!("{{\"client_id\":{text}"));
        let _ = read(&format!("client_id={text}"));
    }
}
