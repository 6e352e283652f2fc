//! Logos, from servers that mean well and others.

use crate::names::Script;
use crate::upstream::{Reply, Upstream, guarded, gzipped_spaces, hasty};
use registry_core::egress::EgressPolicy;
use registry_core::logo::{MAX_LOGO_BYTES, Picture};
use registry_outbound::{Limits, LogoError, UpstreamClient, fetch_logo};

/// The beginning of a PNG, 512×256, and nothing more.
fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\0\0\x01\0\x08\x06\0\0\0".to_vec()
}

fn image(content_type: &str, body: Vec<u8>) -> Reply {
    Reply::Answer { status: 200, headers: vec![("content-type", content_type.to_owned())], body }
}

/// The code and the words of what went wrong.
async fn problem(client: &UpstreamClient, url: &str) -> (String, String) {
    match fetch_logo(client, url).await.unwrap_err() {
        LogoError::Answered(problem) => (problem.code.to_owned(), problem.message),
        LogoError::Unanswered(failure) => (format!("unanswered {}", failure.code), failure.message),
    }
}

#[tokio::test]
async fn image_is_returned_with_its_type() {
    let upstream = Upstream::start(|_, _| image("text/plain", png())).await;
    let (picture, bytes) = fetch_logo(&guarded(), &upstream.url("/logo")).await.unwrap();
    let expected =
        Picture { media_type: "image/png", pixels: Some((512, 256)), labelled: Some("text/plain".into()) };
    assert_eq!((picture, bytes), (expected, png()));
    let seen = upstream.seen().pop().unwrap();
    let mut names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        (seen.method.as_str(), names),
        ("GET", vec!["accept", "accept-encoding", "host", "user-agent"])
    );
}

#[tokio::test]
async fn html_declared_as_image_is_refused() {
    let upstream = Upstream::start(|_, seen| match seen.path.as_str() {
        "/page.png" => image("image/png", b"<!doctype html><script>alert(1)</script>".to_vec()),
        "/gone.png" => Reply::status(404),
        _ => image("text/html", b"<html>".to_vec()),
    })
    .await;
    for (path, code) in [("/page.png", "not_an_image"), ("/gone.png", "not_found"), ("/x", "not_an_image")] {
        assert_eq!(problem(&guarded(), &upstream.url(path)).await.0, code, "{path}");
    }
}

#[tokio::test]
async fn logo_redirect_is_reported_and_not_followed() {
    let other = Upstream::start(|_, _| image("image/png", png())).await;
    for location in
        [other.url("/logo.png"), "https://10.0.0.1/logo.png".into(), "https://169.254.169.254/latest".into()]
    {
        let to = location.clone();
        let upstream = Upstream::start(move |_, _| Reply::redirect(301, to.clone())).await;
        let (code, message) = problem(&guarded(), &upstream.url("/logo.png")).await;
        assert_eq!(code, "redirected");
        assert!(message.starts_with(&format!("answered 301 to {location}.")), "{message}");
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn endless_image_is_cut() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n\x89PNG".to_vec();
    let flood = Upstream::start(move |_, _| Reply::Flood(head.clone(), vec![0; 64 * 1024])).await;
    assert_eq!(problem(&guarded(), &flood.url("/logo.png")).await.0, "too_large");
    flood.left_alone().await;
    assert!(flood.written() < 32 * MAX_LOGO_BYTES as u64, "{}", flood.written());

    // A few hundred bytes that unfold to more.
    let bomb = Upstream::start(|_, _| {
        image("image/svg+xml", gzipped_spaces(2 * MAX_LOGO_BYTES / 1024)).header("content-encoding", "gzip")
    })
    .await;
    assert_eq!(problem(&guarded(), &bomb.url("/logo.svg")).await.0, "too_large");
}

#[tokio::test]
async fn slow_image_times_out() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n\x89PNG".to_vec();
    let slow = Upstream::start(move |_, _| Reply::Drip(head.clone(), vec![0])).await;
    assert_eq!(problem(&hasty(), &slow.url("/logo.png")).await.0, "unanswered timeout");
    slow.left_alone().await;
}

#[tokio::test]
async fn logo_on_a_private_address_is_not_requested() {
    let strict = || UpstreamClient::new(EgressPolicy::default(), Limits::default());
    let inside = strict().with_lookup(Script::in_turn(&[&["10.9.9.9"]]));
    for (client, url) in [
        (strict(), "https://10.0.0.1/logo.png"),
        (strict(), "http://acme.com/logo.png"),
        (strict(), "https://169.254.169.254/logo.png"),
        (inside, "https://inside.example/logo.png"),
    ] {
        assert_eq!(problem(&client, url).await.0, "unanswered address_blocked", "{url}");
    }
}
