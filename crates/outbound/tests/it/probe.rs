//! One request to an MCP server.

use crate::upstream::{Reply, Upstream, guarded};
use registry_core::registration::Transport;
use registry_core::secret::Secret;
use registry_outbound::probe;
use serde_json::json;

fn header(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), Secret::new(value))
}

#[tokio::test]
async fn mcp_server_gets_an_initialize_request() {
    let upstream = Upstream::start(|_, seen| match seen.method.as_str() {
        "POST" => Reply::json(200, &json!({ "jsonrpc": "2.0" })),
        _ => Reply::status(200).header("content-type", "text/event-stream"),
    })
    .await;
    for (transport, method) in [(Transport::Http, "POST"), (Transport::Sse, "GET")] {
        let found = probe(&guarded(), &upstream.url("/mcp"), transport, &[header("x-key", "v")]).await;
        assert!(found.speaks && found.exchange.status == Some(200), "{found:?}");
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.header("x-key")), (method, Some("v")));
        assert!(seen.header("accept").unwrap().contains("text/event-stream"));
    }
}

#[tokio::test]
async fn configured_headers_follow_no_redirect_and_override_none() {
    let upstream = Upstream::start(|origin, _| Reply::redirect(302, format!("{origin}/elsewhere"))).await;
    let headers = [header("x-key", "canary"), header("Host", "evil.example"), header("accept", "text/html")];
    for transport in [Transport::Http, Transport::Sse] {
        let found = probe(&guarded(), &upstream.url("/mcp"), transport, &headers).await;
        assert_eq!((found.exchange.status, found.speaks), (Some(302), false));
        assert!(!format!("{found:?}").contains("canary"));
    }
    let seen = upstream.seen();
    assert_eq!(seen.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["/mcp", "/mcp"]);
    for one in seen {
        assert_eq!(one.headers.iter().filter(|(name, _)| name == "host" || name == "accept").count(), 2);
        assert!(one.header("host").unwrap().starts_with("127.0.0.1"));
    }
}

#[tokio::test]
async fn unsendable_header_is_reported_without_its_value() {
    let upstream = Upstream::start(|_, _| Reply::status(200)).await;
    let found =
        probe(&guarded(), &upstream.url("/mcp"), Transport::Http, &[header("x-key", "can\nary")]).await;
    assert!(found.exchange.status.is_none() && upstream.seen().is_empty());
    assert!(!found.exchange.note.contains("ary\n") && found.exchange.note.contains("line break"));
}
