//! Redirects: followed by documents alone, judged like any other address, and with nothing taken along.

use crate::authority::Authority;
use crate::names::Script;
use crate::upstream::{Reply, Upstream, asked, guarded};
use registry_core::egress::EgressPolicy;
use registry_core::secret::Secret;
use registry_outbound::{DiscoverTarget, Limits, UpstreamClient, delete, discover, register, self_check};
use serde_json::Map;

const PLACE: &str = "/.well-known/oauth-protected-resource/mcp";

/// What is said of a document that is redirected to `location`, and how many requests that took.
async fn said(client: &UpstreamClient, upstream: &Upstream, mcp_url: String) -> (String, String) {
    let target = DiscoverTarget::at(mcp_url);
    let outcome = discover(client, target).await;
    assert_eq!(upstream.asked()[1], format!("GET {PLACE}"));
    (outcome.result.unwrap_err().code.to_owned(), outcome.trace[1].note.clone())
}

const NOT_FOLLOWED: &str = "The redirect leads to an address that is not allowed.";

#[tokio::test]
async fn redirects_to_other_schemes_and_private_addresses_are_refused() {
    let authority = Authority::new("ours");
    let elsewhere = Upstream::start(|_, _| Reply::status(404)).await;
    let plain = elsewhere.url("/x");
    let policy = EgressPolicy { allow: vec!["127.0.0.2".parse().unwrap()], allow_http_loopback: true };
    for (location, code, note) in [
        // From https to http, be it to this machine, where http is allowed.
        (plain.as_str(), "authorization_server_not_found", NOT_FOLLOWED),
        ("file:///etc/passwd", "authorization_server_not_found", NOT_FOLLOWED),
        ("gopher://127.0.0.1:6379/_INFO", "authorization_server_not_found", NOT_FOLLOWED),
        ("data:application/json,{}", "authorization_server_not_found", NOT_FOLLOWED),
        ("javascript:alert(1)", "authorization_server_not_found", NOT_FOLLOWED),
        ("ftp://127.0.0.1/", "authorization_server_not_found", NOT_FOLLOWED),
        ("https://", "authorization_server_not_found", NOT_FOLLOWED),
        ("https://10.0.0.1/x", "address_blocked", "is private or reserved"),
        ("//10.0.0.1/x", "address_blocked", "is private or reserved"),
        ("\\\\10.0.0.1\\x", "address_blocked", "is private or reserved"),
        ("https://0x0a.1/x", "address_blocked", "is private or reserved"),
        ("https://[::ffff:a00:1]/x", "address_blocked", "is private or reserved"),
        ("https://169.254.169.254/latest/meta-data/", "address_blocked", "is never reached"),
        ("https://metadata.google.internal/", "address_blocked", "is never reached"),
        ("https://user:canary@as.example/", "address_blocked", "user name or password"),
        ("https://inside.example/", "address_blocked", "is private or reserved"),
    ] {
        let to = location.to_owned();
        let upstream =
            Upstream::start_at("127.0.0.2:0", Some(authority.server(&["as.example"])), move |_, seen| {
                if seen.path == "/mcp" { Reply::status(401) } else { Reply::redirect(302, to.clone()) }
            })
            .await;
        // The server, twice, and then the name it redirects to.
        let script = Script::in_turn(&[&["127.0.0.2"], &["127.0.0.2"], &["10.9.9.9"]]);
        let client = UpstreamClient::new(policy.clone(), Limits::default())
            .with_lookup(script)
            .with_certificates(authority.pem.as_bytes())
            .unwrap();
        let (its_code, its_note) =
            said(&client, &upstream, format!("https://as.example:{}/mcp", upstream.port)).await;
        if code == "address_blocked" {
            assert_eq!(its_code, code, "{location}");
            assert_eq!(upstream.seen().len(), 2, "{location}");
        }
        assert!(its_note.contains(note), "{location}: {its_note}");
        assert!(!its_note.contains("canary"), "{location}: {its_note}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn redirects_without_location_are_answers() {
    for reply in [
        Reply::status(302),
        Reply::redirect(302, "\u{fc}nsinn"),
        Reply::redirect(304, "/x"),
        Reply::redirect(305, "/x"),
        Reply::redirect(201, "/x"),
    ] {
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PLACE => reply.clone(),
            _ => Reply::status(404),
        })
        .await;
        let (_, note) = said(&guarded(), &upstream, upstream.url("/mcp")).await;
        assert!(note.starts_with("No document here"), "{note}");
        assert!(!upstream.asked().contains(&"GET /x".to_owned()));
    }
}

#[tokio::test]
async fn loops_end() {
    for (path, to) in [(PLACE, PLACE), ("/1", "/2")] {
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PLACE => Reply::redirect(302, to),
            "/2" => Reply::redirect(307, path),
            "/1" => Reply::redirect(308, to),
            _ => Reply::status(404),
        })
        .await;
        let (_, note) = said(&guarded(), &upstream, upstream.url("/mcp")).await;
        assert_eq!(note, "Too many redirects.");
        let hops =
            upstream.seen().iter().filter(|seen| [PLACE, "/1", "/2"].contains(&seen.path.as_str())).count();
        assert_eq!(hops, 4, "the first and three more");
    }
}

#[tokio::test]
async fn redirected_request_carries_no_credentials() {
    let end = Upstream::start(|_, _| Reply::status(404)).await;
    let to = end.url("/end");
    let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
        "/mcp" => Reply::status(401).header("set-cookie", "canary=1"),
        PLACE => Reply::redirect(302, "/hop?canary=1").header("set-cookie", "canary=2"),
        "/hop?canary=1" => {
            Reply::redirect(302, format!("{to}#canary")).header("set-cookie", "canary=3; Path=/")
        }
        _ => Reply::status(404),
    })
    .await;
    let (_, note) = said(&guarded(), &upstream, upstream.url("/mcp")).await;
    assert!(note.starts_with("No document here"), "{note}");
    let hop = &end.seen()[0];
    assert_eq!(hop.path, "/end");
    let mut names: Vec<&str> = hop.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "mcp-protocol-version", "user-agent"]);
    for seen in upstream.seen().iter().skip(1).chain([hop]) {
        assert!(!format!("{:?}", seen.headers).contains("canary"), "{seen:?}");
    }
}

#[tokio::test]
async fn request_with_a_body_or_credential_is_never_redirected() {
    let other = Upstream::start(|_, _| Reply::status(204)).await;
    for status in [301, 302, 303, 307, 308] {
        let to = other.url("/x");
        let upstream = Upstream::start(move |_, _| Reply::redirect(status, to.clone())).await;
        let token = Secret::new("canary");
        let url = upstream.url("/register");
        for token in [None, Some(&token)] {
            let failure = register(&guarded(), &url, asked(&Map::new()), token).await.result.unwrap_err();
            assert_eq!(failure.code, "registration_redirected", "{status}");
        }
        assert!(delete(&guarded(), &url, &token).await.result.is_err(), "{status}");
        // A document of our own is to be where we say it is.
        assert!(self_check(&guarded(), &upstream.url("/c.json"), "{}").await.result.is_err(), "{status}");
        // The first request of a discovery carries a body too.
        let target = DiscoverTarget::at(upstream.url("/mcp"));
        assert!(discover(&guarded(), target).await.trace[0].note.contains("redirects are not followed"));
        assert_eq!(
            upstream.asked()[..5],
            ["POST /register", "POST /register", "DELETE /register", "GET /c.json", "POST /mcp"]
        );
    }
    let kinds: Vec<String> = other.asked();
    assert!(kinds.iter().all(|asked| asked == "GET /x"), "{kinds:?}");
}
