//! What the MCP server offers to everybody where the quirks ask for no token: tools, prompts and resources, in pages.

use crate::quirks::Quirks;
use serde_json::{Value, json};

/// The result of a method that is answered in another way without authorization; `None`: it is not.
pub(crate) fn result(
    quirks: &Quirks,
    method: &str,
    parameters: &Value,
    name: &str,
) -> Option<Result<Value, (i32, String)>> {
    if !quirks.no_auth {
        return None;
    }
    Some(match method {
        "initialize" => Ok(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {"listChanged": true}, "prompts": {}, "resources": {}},
            "serverInfo": {
                "name": "registry-sandbox", "title": name, "version": env!("CARGO_PKG_VERSION"),
                "description": "An MCP server for experiments.",
            },
            "instructions": "Ask for notes by their number.",
        })),
        "tools/list" => page(quirks, "tools", &tools(), parameters),
        "prompts/list" => page(quirks, "prompts", &prompts(), parameters),
        "resources/list" => page(quirks, "resources", &resources(), parameters),
        "resources/templates/list" => page(quirks, "resourceTemplates", &templates(), parameters),
        _ => return None,
    })
}

fn tools() -> Vec<Value> {
    let tool = |name: &str, title: &str| {
        json!({
            "name": name, "title": title,
            "inputSchema": {"type": "object", "properties": {"number": {"type": "integer"}}},
        })
    };
    vec![tool("read_note", "Read a note"), tool("write_note", "Write a note"), tool("whoami", "Who am I")]
}

fn prompts() -> Vec<Value> {
    vec![
        json!({"name": "summary", "title": "Sum up notes", "arguments": [{"name": "number", "required": true}]}),
    ]
}

fn resources() -> Vec<Value> {
    vec![json!({"uri": "notes://all", "name": "notes", "title": "All notes", "mimeType": "text/plain"})]
}

fn templates() -> Vec<Value> {
    vec![json!({"uriTemplate": "notes://{number}", "name": "note", "mimeType": "text/plain"})]
}

/// The page that the cursor of the parameters names: the position of its first item (MCP, "Pagination").
fn page(quirks: &Quirks, member: &str, items: &[Value], parameters: &Value) -> Result<Value, (i32, String)> {
    let size = if quirks.list_page_size == 0 { items.len() } else { quirks.list_page_size };
    let from = match parameters["cursor"].as_str() {
        None => 0,
        Some(cursor) => {
            let known = cursor.parse::<usize>().ok().filter(|from| *from < items.len());
            known.ok_or_else(|| (-32602, "This cursor is not known.".to_owned()))?
        }
    };
    let shown: Vec<_> = items.iter().skip(from).take(size).cloned().collect();
    let mut result = json!({ member: shown });
    if from + size < items.len() {
        result["nextCursor"] = json!((from + size).to_string());
    }
    Ok(result)
}
