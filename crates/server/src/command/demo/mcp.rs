//! One tool call by MCP (Streamable HTTP).

use crate::command::CommandError;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

const REVISION: &str = "2025-11-25";

/// The tool's result; `None` when the server wants an access token, or another one.
pub(super) async fn call_tool(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    tool: &str,
) -> Result<Option<Value>, CommandError> {
    let begin = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": REVISION, "capabilities": {},
            "clientInfo": { "name": "demo gateway", "version": env!("CARGO_PKG_VERSION") },
        },
    });
    let call = json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": tool, "arguments": {} },
    });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    for message in [begin, initialized] {
        if send(http, url, token, &message).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(send(http, url, token, &call).await?.map(|told| told["result"].clone()))
}

async fn send(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    message: &Value,
) -> Result<Option<Value>, CommandError> {
    let failed = |error: reqwest::Error| CommandError::new(format!("POST {url}: {error}"));
    let mut request = http
        .post(url)
        .header(ACCEPT, "application/json, text/event-stream")
        .header(CONTENT_TYPE, "application/json")
        .header("mcp-protocol-version", REVISION)
        .body(message.to_string());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.map_err(failed)?;
    if response.status() == StatusCode::UNAUTHORIZED {
        return Ok(None);
    }
    let response = response.error_for_status().map_err(failed)?;
    let text = response.text().await.map_err(failed)?;
    if text.is_empty() {
        return Ok(Some(Value::Null));
    }
    let told: Value =
        serde_json::from_str(&text).map_err(|error| CommandError::new(format!("POST {url}: {error}")))?;
    match told.get("error") {
        Some(error) => Err(CommandError::new(format!("POST {url}: {error}"))),
        None => Ok(Some(told)),
    }
}
