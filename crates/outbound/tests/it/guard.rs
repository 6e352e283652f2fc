//! What the guarded client refuses to do, seen through the metadata documents it fetches.

use crate::upstream::{Reply, Upstream, guarded, gzipped_spaces, hasty};
use registry_core::egress::EgressPolicy;
use registry_core::oauth::{Failure, FailureClass};
use registry_outbound::{DiscoverOutcome, DiscoverTarget, Limits, UpstreamClient, discover};

async fn search(guarded: &UpstreamClient, mcp_url: &str) -> DiscoverOutcome {
    let target = DiscoverTarget::at(mcp_url.to_owned());
    discover(guarded, target).await
}

async fn failure(guarded: &UpstreamClient, mcp_url: &str) -> Failure {
    search(guarded, mcp_url).await.result.unwrap_err()
}

const PLACE: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let upstream = Upstream::start(|_, _| Reply::status(401)).await;
    let strict = UpstreamClient::new(EgressPolicy::default(), Limits::default());
    let port = upstream.origin.rsplit(':').next().unwrap();
    for url in [
        upstream.url("/mcp"),
        format!("https://127.0.0.1:{port}/mcp"),
        format!("https://localhost:{port}/mcp"),
        format!("https://[::ffff:127.0.0.1]:{port}/mcp"),
        "https://10.0.0.1/mcp".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "ftp://mcp.example.com/".to_owned(),
        "https://user:pw@mcp.example.com/".to_owned(),
    ] {
        let failure = failure(&strict, &url).await;
        assert_eq!((failure.class, failure.code), (FailureClass::Security, "address_blocked"), "{url}");
        assert!(!failure.message.contains("pw"), "{}", failure.message);
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn addresses_named_by_upstreams_are_checked_too() {
    const NOT_FOUND: (FailureClass, &str) = (FailureClass::NeedsAdmin, "authorization_server_not_found");
    for (hint, expected) in [
        ("https://10.0.0.1/x", (FailureClass::Security, "address_blocked")),
        ("http://169.254.169.254/latest", (FailureClass::Security, "address_blocked")),
        ("file:///etc/passwd", NOT_FOUND),
        ("not a url", NOT_FOUND),
    ] {
        let challenge = format!("Bearer resource_metadata=\"{hint}\"");
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401).header("www-authenticate", challenge.clone()),
            _ => Reply::status(404),
        })
        .await;
        let failure = failure(&guarded(), &upstream.url("/mcp")).await;
        assert_eq!((failure.class, failure.code), expected, "{hint}");
        assert!(failure.message.contains(hint), "{hint} in: {}", failure.message);
        let places = [
            "POST /mcp",
            "GET /.well-known/oauth-protected-resource/mcp",
            "GET /.well-known/oauth-protected-resource",
        ];
        assert_eq!(upstream.asked(), places, "{hint}");
    }
}

#[tokio::test]
async fn document_redirects_are_followed_three_times_and_checked() {
    let upstream = Upstream::start(|origin, seen| match seen.path.as_str() {
        "/mcp" => Reply::status(401),
        path if path.starts_with(PLACE) => Reply::redirect(302, "/1"),
        "/1" => Reply::redirect(307, format!("{origin}/2")),
        "/2" => Reply::redirect(301, "/3"),
        "/3" => Reply::redirect(302, "/4"),
        _ => Reply::status(500),
    })
    .await;
    let outcome = search(&guarded(), &upstream.url("/mcp")).await;
    assert_eq!(outcome.result.unwrap_err().code, "authorization_server_not_found");
    let path = format!("GET {PLACE}/mcp");
    assert_eq!(upstream.asked()[..5], ["POST /mcp", path.as_str(), "GET /1", "GET /2", "GET /3"]);
    assert!(!upstream.asked().contains(&"GET /4".to_owned()), "{:?}", upstream.asked());
    assert_eq!(outcome.trace[1].note, "Too many redirects.");

    let upstream = Upstream::start(|_, seen| match seen.path.as_str() {
        "/mcp" => Reply::status(401),
        _ => Reply::redirect(302, "https://10.0.0.1/secrets"),
    })
    .await;
    assert_eq!(failure(&guarded(), &upstream.url("/mcp")).await.code, "address_blocked");
}

#[tokio::test]
async fn documents_are_bounded_and_valid() {
    let large = format!("{{\"resource\":\"{}\"}}", "x".repeat(256 * 1024)).into_bytes();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40)).into_bytes();
    let twice = br#"{"resource":"a","resource":"b"}"#.to_vec();
    for (body, encoding, note) in [
        (large, "identity", "answered with more than 262144 bytes."),
        (gzipped_spaces(300), "gzip", "answered with more than 262144 bytes."),
        (deep, "identity", "The response is not a valid JSON object."),
        (twice, "identity", "The response is not a valid JSON object."),
        (b"<html>".to_vec(), "identity", "No document here: the response is a page, not a JSON object."),
    ] {
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            _ => Reply::Answer { status: 200, headers: Vec::new(), body: body.clone() }
                .header("content-encoding", encoding),
        })
        .await;
        let outcome = search(&guarded(), &upstream.url("/mcp")).await;
        assert!(outcome.trace[1].note.ends_with(note), "{}", outcome.trace[1].note);
        assert_eq!(outcome.result.unwrap_err().code, "authorization_server_not_found");
    }
}

#[tokio::test]
async fn slow_answers_time_out() {
    for stall in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            _ => Reply::Stall(stall.into()),
        })
        .await;
        let failure = failure(&hasty(), &upstream.url("/mcp")).await;
        assert_eq!((failure.class, failure.code), (FailureClass::Transient, "timeout"), "{stall}");
    }
}
