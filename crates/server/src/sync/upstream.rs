//! What a gateway is told of one server, made of the registry's document.

use mcp_registry_client::GatewayDocument;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Members of a document that no gateway but the open one carries out.
const NOT_CARRIED_OUT: [&str; 4] =
    ["authorization_params", "external_auth_config", "jwt_validation", "user_identity_forwarding"];

/// What should become of one server at the gateway.
pub(crate) enum Wanted {
    /// It is written there.
    Serve(Box<Upstream>),
    /// It stays as it is there, and is not made: its client is not ready. With the reason.
    Keep(String),
    /// It is removed there. With the reason.
    Remove(String),
    /// It cannot be written. With the reason.
    Refuse(String),
}

/// One server. It holds secrets, so it has no `Debug`.
pub(crate) struct Upstream {
    /// Slug of the workspace.
    pub(crate) workspace: String,
    /// Slug of the server.
    pub(crate) server: String,
    /// URL of the upstream MCP server.
    pub(crate) url: String,
    /// Whether it speaks the older transport with server-sent events.
    pub(crate) sse: bool,
    /// Headers that the gateway adds to each request; may be secret.
    pub(crate) headers: BTreeMap<String, String>,
    /// Names of the caller's headers that the gateway forwards.
    pub(crate) forwarded: Vec<String>,
    /// The only tools to offer; `None`: all.
    pub(crate) allowed_tools: Option<Vec<String>>,
    /// The OAuth client; `None`: no OAuth.
    pub(crate) oauth: Option<OAuth>,
    /// What the gateway will not do as the registry says, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// The client of a server, with its authorization server.
pub(crate) struct OAuth {
    /// Whether the gateway signs in as itself instead of for users (RFC 6749 §4.4).
    pub(crate) client_credentials: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    /// `none`, `client_secret_basic` or `client_secret_post`.
    pub(crate) auth_method: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) issuer: String,
    /// Whether its authorization responses name the issuer (RFC 9207).
    pub(crate) names_issuer: bool,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    /// The resource to request tokens for (RFC 8707).
    pub(crate) resource: Option<String>,
    pub(crate) scopes: Vec<String>,
}

impl Upstream {
    /// `workspace/server`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.workspace, self.server)
    }
}

/// What this document asks for.
pub(crate) fn wanted(document: &GatewayDocument) -> Wanted {
    let text = |name: &str| document.more.get(name).and_then(Value::as_str).unwrap_or_default();
    if document.status != "active" {
        return Wanted::Remove(format!("disabled ({})", text("reason")));
    }
    let uses_oauth = document.auth_type.starts_with("oauth_");
    let oauth = match oauth(document) {
        Ok(oauth) if uses_oauth => Some(oauth),
        Err(other) if uses_oauth => return other,
        _ => None,
    };
    let mut headers =
        if uses_oauth { BTreeMap::new() } else { strings(document, ["headers", "custom_headers"]) };
    headers.extend(strings(document, ["passthrough_headers", "passthrough_header"]));
    let mut notes = Vec::new();
    let forwarded = forwarded(document.more.get("forward_headers"), &mut notes);
    let allowed_tools = allowed_tools(&document.more, &mut notes);
    notes.extend(
        NOT_CARRIED_OUT
            .iter()
            .filter(|name| document.more.contains_key(**name))
            .map(|name| format!("`{name}` has no effect there")),
    );
    Wanted::Serve(Box::new(Upstream {
        workspace: document.workspace.clone(),
        server: document.server.clone(),
        url: document.url.clone(),
        sse: text("transport") == "sse",
        headers,
        forwarded,
        allowed_tools,
        oauth,
        notes,
    }))
}

fn oauth(document: &GatewayDocument) -> Result<OAuth, Wanted> {
    let (Some(client), Some(server)) = (&document.client, &document.authorization_server) else {
        let registration = document.more.get("registration").cloned().unwrap_or_default();
        let text = |name: &str| registration[name].as_str().unwrap_or_default().to_owned();
        let reason = if text("detail").is_empty() { text("state") } else { text("detail") };
        return Err(Wanted::Keep(format!("it has no OAuth client yet: {reason}")));
    };
    let auth_method = client.token_endpoint_auth_method.clone();
    if !matches!(auth_method.as_str(), "none" | "client_secret_basic" | "client_secret_post") {
        return Err(Wanted::Refuse(format!("the gateway cannot authenticate with `{auth_method}`")));
    }
    Ok(OAuth {
        client_credentials: document.auth_type == "oauth_client_credentials",
        client_id: client.client_id.clone(),
        client_secret: client.client_secret.clone(),
        auth_method,
        redirect_uris: client.redirect_uris.clone(),
        issuer: client.issuer.clone(),
        names_issuer: server.more.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
        authorization_endpoint: server.authorization_endpoint.clone(),
        token_endpoint: server.token_endpoint.clone(),
        resource: document.resource.clone(),
        scopes: document.scope.iter().flat_map(|scope| scope.split_whitespace()).map(str::to_owned).collect(),
    })
}

/// The headers under these names, which are two spellings of one member.
fn strings(document: &GatewayDocument, names: [&str; 2]) -> BTreeMap<String, String> {
    let members =
        names.iter().filter_map(|name| document.more.get(*name)).filter_map(Value::as_object).flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Of `forward_headers` the names that are forwarded under the same name.
fn forwarded(member: Option<&Value>, notes: &mut Vec<String>) -> Vec<String> {
    let list = match member {
        None => return Vec::new(),
        Some(Value::Object(form)) if form.get("mode").and_then(Value::as_str) == Some("allowlist") => {
            form.get("headers").and_then(Value::as_array)
        }
        Some(other) => other.as_array(),
    };
    let Some(list) = list else {
        notes.push("`forward_headers` has no effect there: it says what is not forwarded".to_owned());
        return Vec::new();
    };
    let names: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if names.len() < list.len() {
        notes.push("headers that `forward_headers` renames are not forwarded there".to_owned());
    }
    names
}

/// The list of permitted tools, where the document has one; without a list, tools that are switched off stay on there.
fn allowed_tools(members: &Map<String, Value>, notes: &mut Vec<String>) -> Option<Vec<String>> {
    let texts = |value: Option<&Value>| -> Vec<String> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let tools = members.get("tools").and_then(Value::as_object);
    let mut refused = texts(tools.and_then(|tools| tools.get("blocked")));
    let disabled = members.get("disabled_capabilities").and_then(Value::as_array).into_iter().flatten();
    let (tool, other): (Vec<_>, Vec<_>) = disabled.partition(|one| one["type"] == "tool");
    refused.extend(tool.iter().filter_map(|one| one["name"].as_str()).map(str::to_owned));
    if !other.is_empty() {
        notes.push("prompts and resources that are switched off are offered there".to_owned());
    }
    let allowed = tools.and_then(|tools| tools.get("allowed")).map(|list| texts(Some(list)));
    if allowed.is_none() && !refused.is_empty() {
        notes.push(format!("tools that are switched off are offered there: {}", refused.join(", ")));
    }
    allowed.map(|list| list.into_iter().filter(|name| !refused.contains(name)).collect())
}
