//! One registration: what is sent, and what is known when something goes wrong.

use crate::upstream::{Reply, Upstream, asked, guarded, hasty};
use registry_core::oauth::FailureClass;
use registry_core::secret::Secret;
use registry_outbound::{RegisterOutcome, UpstreamClient, register};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

fn request() -> Map<String, Value> {
    json!({ "client_name": "A", "redirect_uris": ["https://g/cb"], "token_endpoint_auth_method": "none" })
        .as_object()
        .unwrap()
        .clone()
}

async fn send(guarded: &UpstreamClient, url: &str) -> RegisterOutcome {
    register(guarded, url, asked(&request()), None).await
}

async fn class_and_code(guarded: &UpstreamClient, url: &str) -> (FailureClass, &'static str) {
    let failure = send(guarded, url).await.result.unwrap_err();
    (failure.class, failure.code)
}

#[tokio::test]
async fn client_is_registered_with_exactly_the_request() {
    let issued = json!({ "client_id": "c", "redirect_uris": ["https://g/cb"], "client_secret": "canary", "registration_access_token": "canary2", "registration_client_uri": "https://h/r/c" });
    let upstream = Upstream::start(move |_, _| Reply::json(201, &issued)).await;
    let token = Secret::new("iat");
    let url = upstream.url("/register?tenant=1");
    let outcome = register(&guarded(), &url, asked(&request()), Some(&token)).await;
    let issued = outcome.result.unwrap();
    assert_eq!(issued.client_id, "c");
    assert_eq!(issued.client_secret, Some(Secret::new("canary")));
    let seen = &upstream.seen()[0];
    assert_eq!(serde_json::from_slice::<Map<String, Value>>(&seen.body).unwrap(), request());
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/register?tenant=1"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("authorization"), Some("Bearer iat"));
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(outcome.exchange.status, Some(201));
    let shown = serde_json::to_string(&outcome.exchange).unwrap() + &format!("{:?}", issued.response);
    for secret in ["canary", "iat", "tenant"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn redirects_are_answers_and_never_followed() {
    let other = Upstream::start(|_, _| Reply::json(201, &json!({ "client_id": "other" }))).await;
    for status in [301, 302, 303, 307, 308] {
        let to = other.url("/register");
        let upstream = Upstream::start(move |_, _| Reply::redirect(status, to.clone())).await;
        let token = Secret::new("iat");
        let outcome = register(&guarded(), &upstream.url("/register"), asked(&request()), Some(&token)).await;
        let failure = outcome.result.unwrap_err();
        assert_eq!(failure.code, "registration_redirected");
        assert!(failure.message.contains(&other.url("/register")), "{}", failure.message);
        assert_eq!(upstream.seen().len(), 1);
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn lost_answer_is_ambiguous() {
    let half = "HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{\"client_id\":";
    for (guarded, lose) in [
        (guarded(), ""),
        (hasty(), "HTTP/1.1 201"),
        (hasty(), "HTTP/1.1 100 Continue\r\n\r\n"),
        (hasty(), half),
    ] {
        let upstream = Upstream::start(move |_, _| match lose {
            "" => Reply::Close,
            some => Reply::Stall(some.into()),
        })
        .await;
        let lost = class_and_code(&guarded, &upstream.url("/register")).await;
        assert_eq!(lost, (FailureClass::Ambiguous, "answer_lost"), "{lose}");
        assert_eq!(upstream.seen().len(), 1, "sent once and never again");
    }
    let named = "HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{\"client_id\":\"c\",\"x\":";
    let upstream = Upstream::start(move |_, _| Reply::Stall(named.into())).await;
    let lost = send(&hasty(), &upstream.url("/r")).await.result.unwrap_err();
    assert_eq!((lost.class, lost.code), (FailureClass::Ambiguous, "answer_lost"));
    assert_eq!(lost.unusable.unwrap().client_id.as_deref(), Some("c"), "what was read names the client");
}

#[tokio::test]
async fn too_large_answer_is_not_sent_for_again() {
    let upstream = Upstream::start(move |base, _| {
        let uri = format!("{base}/r/c");
        let large = json!({ "client_id": "c", "registration_client_uri": uri, "registration_access_token": "tok-of-c", "x": "x".repeat(64 * 1024) });
        Reply::json(201, &large)
    })
    .await;
    let failure = send(&guarded(), &upstream.url("/r")).await.result.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::Unusable, "answer_too_large"));
    let client = failure.unusable.unwrap();
    assert_eq!(client.management.unwrap().0, upstream.url("/r/c"));
}

#[tokio::test]
async fn unsent_request_is_not_ambiguous() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let refusing = format!("http://{}/register", gone.local_addr().unwrap());
    drop(gone);
    assert_eq!(class_and_code(&guarded(), &refusing).await, (FailureClass::Transient, "connection_failed"));
    // An open connection whose other side never speaks TLS: no request can have been read from it.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/register", silent.local_addr().unwrap());
    assert_eq!(class_and_code(&hasty(), &url).await, (FailureClass::Transient, "timeout"));
    // One that speaks something else.
    let plain = Upstream::start(|_, _| Reply::Close).await;
    let url = plain.url("/register").replace("http:", "https:");
    assert_eq!(class_and_code(&hasty(), &url).await.0, FailureClass::Transient);
    assert_eq!(class_and_code(&guarded(), "https://10.0.0.1/r").await.1, "address_blocked");
    assert_eq!(class_and_code(&guarded(), "/register/relative").await.1, "address_blocked");
}

#[tokio::test]
async fn partially_read_refusal_is_a_refusal() {
    let half = "HTTP/1.1 503 x\r\ncontent-length: 99\r\nretry-after: 7\r\n\r\nbusy";
    let upstream = Upstream::start(move |_, _| Reply::Stall(half.into())).await;
    let busy = send(&hasty(), &upstream.url("/r")).await.result.unwrap_err();
    assert_eq!((busy.class, busy.code), (FailureClass::Transient, "upstream_unavailable"));
    assert_eq!((busy.retry_after, busy.error_description.as_deref()), (Some(7), Some("busy")));
    let upstream = Upstream::start(|_, _| {
        let body = "no ".repeat(100_000).into_bytes();
        Reply::Answer { status: 403, headers: Vec::new(), body }
    })
    .await;
    let outcome = send(&guarded(), &upstream.url("/r")).await;
    let refused = outcome.result.unwrap_err();
    assert_eq!((refused.class, refused.code), (FailureClass::NeedsAdmin, "registration_not_allowed"));
    assert_eq!(refused.error_description.as_deref().map(str::len), Some(500));
    assert_eq!(outcome.exchange.excerpt, refused.error_description);
}

#[tokio::test]
async fn token_repeated_by_an_upstream_is_removed() {
    let token = Secret::new("iat-canary");
    for (status, body) in [
        (401, json!({ "error": "invalid_token", "error_description": "token iat-canary is bad" })),
        (400, json!("iat-canary")),
        (201, json!({ "client_id": "c", "echo": { "authorization": "Bearer iat-canary" } })),
    ] {
        let upstream = Upstream::start(move |_, _| Reply::json(status, &body)).await;
        let outcome = register(&guarded(), &upstream.url("/r"), asked(&request()), Some(&token)).await;
        assert!(!format!("{outcome:?}").contains("canary"), "{status}");
        if status == 401 {
            let failure = outcome.result.unwrap_err();
            assert_eq!(failure.code, "initial_access_token_needed");
            assert!(failure.message.contains("does not accept"), "{}", failure.message);
        }
    }
    let upstream = Upstream::start(|_, _| Reply::status(201)).await;
    let broken = Secret::new("line\nbreak");
    let outcome = register(&guarded(), &upstream.url("/r"), asked(&request()), Some(&broken)).await;
    let failure = outcome.result.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::Configuration, "token_not_sendable"));
    assert!(upstream.seen().is_empty());
}
