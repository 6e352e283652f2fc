//! A look at MCP servers: sessions, hostile servers, and what is never sent or told.

use crate::upstream::{Reply, Upstream, guarded, hasty};
use registry_core::capability::CapabilityKind;
use registry_core::egress::EgressPolicy;
use registry_core::secret::Secret;
use registry_outbound::{Limits, LookError, UpstreamClient, look};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KEY: &str = "canary-31-header";

fn headers() -> Vec<(String, Secret)> {
    let of = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    vec![of("X-Key", KEY), of("Mcp-Session-Id", "forged"), of("Accept", "text/html")]
}

/// The response of a server with one tool to a message.
fn response(body: &[u8]) -> Option<Value> {
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    let result = match sent["method"].as_str()? {
        "initialize" => json!({
            "protocolVersion": "2025-06-18", "capabilities": { "tools": {}, "prompts": {} },
            "serverInfo": { "name": "one", "version": "7" }, "instructions": format!("{KEY} is your key"),
        }),
        "tools/list" => json!({ "tools": [{ "name": "add", "inputSchema": { KEY: 1 } }] }),
        _ => return None,
    };
    let id = sent.get("id")?;
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn unknown_method(body: &[u8]) -> Value {
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    json!({ "jsonrpc": "2.0", "id": sent["id"], "error": { "code": -32601, "message": KEY } })
}

#[tokio::test]
async fn session_has_its_headers_and_an_end() {
    let upstream = Upstream::start(|_, seen| {
        if seen.method != "POST" {
            return Reply::status(405);
        }
        let answer = response(&seen.body).unwrap_or_else(|| unknown_method(&seen.body));
        if answer["id"].is_null() {
            return Reply::status(202);
        }
        Reply::json(200, &answer).header("mcp-session-id", "s-7")
    })
    .await;
    let seen = look(&guarded(), &upstream.url("/mcp"), &headers()).await.unwrap();
    assert_eq!(seen.info.server_version.as_deref(), Some("7"));
    let [tool] = seen.capabilities.as_slice() else { panic!("{seen:?}") };
    assert_eq!((tool.kind, tool.key.as_str()), (CapabilityKind::Tool, "add"));
    assert!(!format!("{seen:?}").contains(KEY), "{seen:?}");

    let asked = upstream.seen();
    let methods: Vec<_> = asked
        .iter()
        .map(|one| {
            let body: Value = serde_json::from_slice(&one.body).unwrap_or_default();
            body["method"].as_str().unwrap_or(&one.method).to_owned()
        })
        .collect();
    let expected = ["initialize", "notifications/initialized", "tools/list", "prompts/list", "DELETE"];
    assert_eq!(methods, expected, "no stream is opened, no list that is not announced is read");
    for (number, one) in asked.iter().enumerate() {
        assert_eq!(one.header("x-key"), Some(KEY));
        let session = (number > 0).then_some("s-7");
        assert_eq!(one.header("mcp-session-id"), session, "{one:?}");
        let version = if number == 0 { "2025-11-25" } else { "2025-06-18" };
        assert_eq!(one.header("mcp-protocol-version"), Some(version), "{one:?}");
        assert_eq!(one.headers.iter().filter(|(name, _)| name == "accept").count(), 1);
    }
}

#[tokio::test]
async fn private_addresses_and_redirects_are_not_followed() {
    let upstream = Upstream::start(|origin, _| Reply::redirect(307, format!("{origin}/elsewhere"))).await;
    let strict = UpstreamClient::new(EgressPolicy::default(), Limits::default());
    for url in [
        upstream.url("/mcp"),
        format!("https://127.0.0.1:{}/mcp", upstream.port),
        "https://10.0.0.1/mcp".to_owned(),
    ] {
        let error = look(&strict, &url, &headers()).await.unwrap_err();
        assert!(matches!(error, LookError::Unanswered(_)), "{url}: {error:?}");
    }
    assert_eq!(upstream.connections(), 0);
    let error = look(&guarded(), &upstream.url("/mcp"), &headers()).await.unwrap_err();
    assert!(matches!(&error, LookError::Failed(what) if what.contains("307")), "{error:?}");
    assert_eq!(upstream.asked(), ["POST /mcp"]);
}

#[tokio::test]
async fn servers_that_never_finish_end_in_time() {
    let stream = b"HTTP/1.1 200 x\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
    let json = b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\n\r\n".to_vec();
    let note = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n".to_vec();
    for reply in [
        Reply::Stall(Vec::new()),
        Reply::Stall(stream.clone()),
        Reply::Drip(stream.clone(), note.clone()),
        Reply::Flood(stream.clone(), note),
        Reply::Flood(stream, b"data: x".to_vec()),
        Reply::Flood(json, b" ".to_vec()),
    ] {
        let answer = reply.clone();
        let upstream = Upstream::start(move |_, _| answer.clone()).await;
        let started = Instant::now();
        let error = look(&hasty(), &upstream.url("/mcp"), &headers()).await.unwrap_err();
        assert!(!matches!(error, LookError::NeedsUser), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(9), "{error:?}");
        upstream.left_alone().await;
    }
}
