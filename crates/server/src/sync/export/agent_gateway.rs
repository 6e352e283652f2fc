//! The configuration of agentgateway (`binds`, `listeners`, `routes`, `backends`), as JSON, which its YAML reader takes. A `$`
//! that is no reference to a variable is doubled there.

use super::{Secrets, exported};
use crate::sync::upstream::Upstream;
use mcp_registry_client::GatewayDocument;
use serde_json::{Map, Value, json};

/// The port of agentgateway's own examples.
const PORT: u16 = 3000;

/// The file, and what the operator should know.
pub(crate) fn render(documents: &[GatewayDocument], plain: bool) -> (Value, Vec<String>) {
    let secrets = if plain { Secrets::Plain } else { Secrets::Variables("${", "}") };
    let (found, mut lines) = exported(documents);
    let routes: Vec<Value> = found.iter().map(|(_, upstream)| route(upstream, secrets, &mut lines)).collect();
    (json!({ "binds": [{ "port": PORT, "listeners": [{ "routes": routes }] }] }), lines)
}

fn route(upstream: &Upstream, secrets: Secrets, lines: &mut Vec<String>) -> Value {
    let name = upstream.name();
    let kind = if upstream.sse { "sse" } else { "mcp" };
    let mut target = json!({
        // Names there have letters, digits and hyphens.
        "name": format!("{}-{}", upstream.workspace, upstream.server).to_lowercase().replace('_', "-"),
        kind: { "host": literal(&upstream.url) },
    });
    if !upstream.headers.is_empty() {
        let set: Map<String, Value> = upstream
            .headers
            .iter()
            .map(|(header, value)| {
                let written = match secrets {
                    Secrets::Plain => literal(value),
                    Secrets::Variables(..) => secrets.write(&name, header, value, lines),
                };
                (header.clone(), json!(written))
            })
            .collect();
        target["policies"] = json!({ "requestHeaderModifier": { "set": set } });
    }
    if let Some(oauth) = &upstream.oauth {
        lines.push(format!(
            "{name}: agentgateway signs in nobody upstream. MCP clients bring a token that the client {} got at {}",
            oauth.client_id, oauth.authorization_endpoint
        ));
    }
    lines.extend(upstream.notes.iter().map(|note| format!("{name}: {note}")));
    json!({
        "name": target["name"],
        "matches": [{ "path": { "exact": format!("/{name}/mcp") } }],
        "backends": [{ "mcp": { "targets": [target] } }],
    })
}

/// A text in which agentgateway finds no variables.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
