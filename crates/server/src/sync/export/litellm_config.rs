//! `mcp_servers` of LiteLLM's configuration file, for a proxy without a database; as JSON, which its YAML reader takes.

use super::{Secrets, exported};
use crate::sync::litellm::{members, name_for};
use crate::sync::mark::server_id;
use mcp_registry_client::GatewayDocument;
use serde_json::{Map, Value, json};

/// The file, and what the operator should know.
pub(crate) fn render(documents: &[GatewayDocument], plain: bool) -> (Value, Vec<String>) {
    let secrets = if plain { Secrets::Plain } else { Secrets::Variables("os.environ/", "") };
    let (found, mut lines) = exported(documents);
    let mut servers = Map::new();
    for (_, upstream) in found {
        let server = upstream.name();
        let mut members = members(&upstream);
        members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        if let Some(Value::Object(headers)) = members.get_mut("static_headers") {
            for (header, value) in headers {
                let secret = value.as_str().unwrap_or_default().to_owned();
                *value = json!(secrets.write(&server, header, &secret, &mut lines));
            }
        }
        // In the file the client stands beside the rest.
        if let Some(Value::Object(client)) = members.remove("credentials") {
            members.extend(client.into_iter().filter(|(_, value)| !value.is_null()));
        }
        if let Some(secret) = members.get("client_secret").and_then(Value::as_str).map(str::to_owned) {
            let written = secrets.write(&server, "CLIENT_SECRET", &secret, &mut lines);
            members.insert("client_secret".to_owned(), json!(written));
        }
        // Without an id of its own the server gets another one with each change, and permissions are lost.
        let id = server_id(&server);
        members.insert("server_id".to_owned(), json!(format!("mcp-registry-{id}")));
        lines.extend(upstream.notes.iter().map(|note| format!("{server}: {note}")));
        let plain_name = name_for(&upstream, None);
        let name =
            if servers.contains_key(&plain_name) { name_for(&upstream, id.get(..6)) } else { plain_name };
        servers.insert(name, Value::Object(members));
    }
    (json!({ "mcp_servers": servers }), lines)
}
