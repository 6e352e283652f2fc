//! A look at an MCP server, without a user: what it says about itself and what it offers (MCP, "Lifecycle", "Server features").
//!
//! The official SDK (`rmcp`) plays the client; `client` is its HTTP side over the guarded client. No tool is called, no prompt
//! or resource is read.

mod client;

use crate::client::UpstreamClient;
use crate::limits::{MAX_LOOK_TIME, MAX_MCP_ITEMS, MAX_MCP_PAGES};
use client::{McpHttp, WRAPPER};
use registry_core::capability::{Capability, read_capabilities};
use registry_core::secret::Secret;
use registry_core::server_info::ServerInfo;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientRequest, CustomRequest, Implementation, ProtocolVersion,
    ServerResult,
};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// How long the end of the session may take; the answer to the look does not depend on it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The lists of servers: the capability that announces them, the method, the member of the result, and our kind.
const LISTS: [(&str, &str, &str, &str); 4] = [
    ("tools", "tools/list", "tools", "tool"),
    ("prompts", "prompts/list", "prompts", "prompt"),
    ("resources", "resources/list", "resources", "resource"),
    ("resources", "resources/templates/list", "resourceTemplates", "resource_template"),
];

/// What an MCP server said.
#[derive(Debug)]
pub struct SeenServer {
    /// About itself.
    pub info: ServerInfo,
    /// What it offers, at most 2,000 of each kind.
    pub capabilities: Vec<Capability>,
}

/// Why a look saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookError {
    /// It answered 401 or 403.
    NeedsUser,
    /// It answered something else than an MCP server would: a sentence for users.
    Failed(String),
    /// It did not answer, or may not be asked: why, for the operator's log alone.
    Unanswered(String),
}

/// Asks the MCP server at `url` what it is and what it offers, with these headers, over Streamable HTTP. Takes at most 30 seconds.
/// No redirect is followed.
pub async fn look(
    http: &UpstreamClient,
    url: &str,
    headers: &[(String, Secret)],
) -> Result<SeenServer, LookError> {
    let mcp = McpHttp::new(http, headers);
    let seen = timeout(MAX_LOOK_TIME, ask(&mcp, url)).await;
    let mut seen = seen.unwrap_or_else(|_| {
        Err(LookError::Failed(format!(
            "Its answers together took longer than {} seconds.",
            MAX_LOOK_TIME.as_secs()
        )))
    })?;
    // A server may repeat what it was sent; it is shown to more users than those who may know the headers.
    for secret in &secrets(headers) {
        seen.info = serde_json::from_value(scrubbed(secret, json!(seen.info))).unwrap_or_default();
        for one in &mut seen.capabilities {
            one.key = secret.scrub(&one.key);
            if let Value::Object(clean) = scrubbed(secret, Value::Object(std::mem::take(&mut one.definition)))
            {
                one.definition = clean;
            }
        }
    }
    Ok(seen)
}

async fn ask(mcp: &McpHttp, url: &str) -> Result<SeenServer, LookError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    config.reinit_on_expired_session = false;
    let transport = StreamableHttpClientTransport::with_client(mcp.clone(), config);
    let identity = Implementation::new("mcp-registry", env!("CARGO_PKG_VERSION"));
    let mut client = ClientConfig::new(ClientCapabilities::default(), identity);
    client.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
    let failed = |what: &str| LookError::Failed(what.to_owned());
    let started = rmcp::serve_client(client, transport).await;
    let Ok(mut service) = started else {
        return Err(mcp.end().unwrap_or_else(|| failed("It refuses to begin a session (`initialize`).")));
    };
    let initialized = mcp.initialized().cloned().unwrap_or_default();
    let mut items = Vec::new();
    let mut end = None;
    for (capability, method, member, kind) in LISTS {
        let announced = initialized.get("capabilities").and_then(|all| all.get(capability));
        if announced.is_some_and(|one| !one.is_null())
            && let Err(error) = list(&service, method, member, kind, &mut items).await
        {
            end = Some(mcp.end().unwrap_or(error));
            break;
        }
    }
    let _ = timeout(CLOSE_TIMEOUT, service.close()).await;
    match end {
        Some(error) => Err(error),
        None => Ok(SeenServer { info: info(&initialized), capabilities: in_kinds(items) }),
    }
}

/// Reads one list, page after page. A server that announces a list and then does not know it offers nothing of that kind.
async fn list(
    service: &RunningService<RoleClient, ClientConfig>,
    method: &str,
    member: &str,
    kind: &str,
    items: &mut Vec<Value>,
) -> Result<(), LookError> {
    let mut cursor: Option<String> = None;
    let mut room = MAX_MCP_ITEMS;
    for _ in 0..MAX_MCP_PAGES {
        let parameters = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let request = ClientRequest::CustomRequest(CustomRequest::new(method, Some(parameters)));
        let result = match service.send_request(request).await {
            Ok(result) => result,
            Err(ServiceError::McpError(_)) => return Ok(()),
            Err(_) => return Err(LookError::Failed(format!("It did not answer `{method}`."))),
        };
        let Some(mut page) = as_sent(result) else {
            return Err(LookError::Failed(format!("It answered `{method}` with something that is no list.")));
        };
        let Some(Value::Array(found)) = page.remove(member) else { return Ok(()) };
        for item in found.into_iter().take(room) {
            room -= 1;
            items.push(as_reported(item, kind));
        }
        let next = page.remove("nextCursor").and_then(|next| next.as_str().map(str::to_owned));
        if next.is_none() || next == cursor || room == 0 {
            return Ok(());
        }
        cursor = next;
    }
    Ok(())
}

fn as_sent(result: ServerResult) -> Option<Map<String, Value>> {
    let ServerResult::CustomResult(result) = result else { return None };
    let Value::Object(mut wrapper) = result.0 else { return None };
    match wrapper.remove(WRAPPER) {
        Some(Value::Object(page)) => Some(page),
        _ => None,
    }
}

/// A capability with its kind, as gateways report it.
fn as_reported(item: Value, kind: &str) -> Value {
    let Value::Object(mut members) = item else { return item };
    members.insert("type".to_owned(), json!(kind));
    Value::Object(members)
}

/// At most 2,000 of all kinds are kept of one server; what cannot be read is left out.
fn in_kinds(items: Vec<Value>) -> Vec<Capability> {
    let read = read_capabilities(items, "");
    if !read.findings.is_empty() {
        tracing::debug!(count = read.findings.len(), "capabilities of an MCP server are left out");
    }
    read.capabilities
}

fn info(initialized: &Map<String, Value>) -> ServerInfo {
    let server = initialized.get("serverInfo");
    let text = |name: &str| server?.get(name)?.as_str().map(str::to_owned);
    let own = |name: &str| initialized.get(name)?.as_str().map(str::to_owned);
    ServerInfo {
        server_name: text("name"),
        server_version: text("version"),
        protocol_version: own("protocolVersion"),
        title: text("title"),
        description: text("description"),
        website_url: text("websiteUrl"),
        icons: server.and_then(|server| server.get("icons")?.as_array().cloned()),
        capability_flags: initialized.get("capabilities").and_then(|flags| flags.as_object().cloned()),
        instructions: own("instructions"),
    }
    .cleaned()
}

/// The values of headers; of one with a scheme (`Bearer …`, RFC 9110 §11.4) also the credential alone.
fn secrets(headers: &[(String, Secret)]) -> Vec<Secret> {
    let mut secrets: Vec<_> = headers.iter().map(|(_, value)| value.clone()).collect();
    let credentials = headers.iter().filter_map(|(_, value)| value.expose().split_once(' '));
    secrets.extend(credentials.map(|(_, credential)| Secret::new(credential.trim())));
    secrets
}

/// `value` without `secret` in any of its texts.
fn scrubbed(secret: &Secret, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(secret.scrub(&text)),
        Value::Array(items) => items.into_iter().map(|item| scrubbed(secret, item)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (secret.scrub(&name), scrubbed(secret, member)))
            .collect(),
        other => other,
    }
}
