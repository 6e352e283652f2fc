//! What an MCP server offers: tools, prompts, resources and resource templates (MCP, "Server features").

use crate::finding::{self, Finding};
use crate::words::words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;
use utoipa::ToSchema;

words! {
    /// Kind of a capability.
    CapabilityKind {
        /// A tool, named by `name`.
        Tool = "tool",
        /// A prompt, named by `name`.
        Prompt = "prompt",
        /// A resource, named by `uri`.
        Resource = "resource",
        /// A resource template, named by `uri_template`.
        ResourceTemplate = "resource_template",
    }
}

/// How many capabilities are kept of one server.
pub const MAX_CAPABILITIES: usize = 2_000;
/// How long the name or URI of a capability may be, in bytes.
pub const MAX_KEY: usize = 1_024;
/// How long the description of one capability may be, as JSON, in bytes.
const MAX_DEFINITION: usize = 65_536;

/// Members that the protocol and SDKs name in another way than gateways report them, which is how they are kept.
const RENAMED: [(&str, &str); 4] = [
    ("inputSchema", "input_schema"),
    ("outputSchema", "output_schema"),
    ("uriTemplate", "uri_template"),
    ("mimeType", "mime_type"),
];

/// One capability, as a gateway or the server itself described it.
#[derive(Clone, Debug, PartialEq)]
pub struct Capability {
    /// Its kind.
    pub kind: CapabilityKind,
    /// What it is called by: the URI of a resource, the URI template of a template, the name of anything else.
    pub key: String,
    /// All its members but `type` and `enabled`.
    pub definition: Map<String, Value>,
}

impl Capability {
    /// The name for display.
    pub fn name(&self) -> &str {
        self.definition.get("name").and_then(Value::as_str).unwrap_or(&self.key)
    }
}

/// Capabilities that were read, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct ReadCapabilities {
    /// Those that can be kept, each kind and key once.
    pub capabilities: Vec<Capability>,
    /// Why others were left out. A server with an odd tool keeps its others.
    pub findings: Vec<Finding>,
}

/// Reads the capabilities that a gateway sent; `pointer` is where the list stands.
pub fn read_capabilities(items: Vec<Value>, pointer: &str) -> ReadCapabilities {
    let mut read = ReadCapabilities::default();
    let mut seen = HashSet::new();
    for (index, item) in items.into_iter().enumerate() {
        let place = format!("{pointer}/{index}");
        if read.capabilities.len() == MAX_CAPABILITIES {
            let message =
                format!("Only the first {MAX_CAPABILITIES} capabilities are kept; the others are left out.");
            read.findings.push(Finding::warning(place, "too_many", message));
            break;
        }
        match read_one(item) {
            Ok(one) => {
                if seen.insert((one.kind, one.key.clone())) {
                    read.capabilities.push(one);
                }
            }
            Err(why) => read.findings.push(Finding::warning(place, "capability_left_out", why)),
        }
    }
    read
}

fn read_one(item: Value) -> Result<Capability, String> {
    let Value::Object(mut members) = item else {
        return Err("A capability is an object with `name` and `type`; this one is left out.".to_owned());
    };
    let kind = members.shift_remove("type");
    let Some(kind) = kind.as_ref().and_then(Value::as_str).and_then(CapabilityKind::parse) else {
        let words: Vec<_> = CapabilityKind::ALL.iter().map(|kind| format!("`{kind}`")).collect();
        return Err(format!("`type` must be one of {}; this capability is left out.", words.join(", ")));
    };
    members.shift_remove("enabled");
    members.retain(|_, value| !value.is_null());
    for (sent, kept) in RENAMED {
        rename(&mut members, sent, kept);
    }
    if matches!(kind, CapabilityKind::Tool) {
        // So the hosted product's SDK for Node.js names the schema of a tool's arguments.
        rename(&mut members, "schema", "input_schema");
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let key = match kind {
        CapabilityKind::Tool | CapabilityKind::Prompt => text("name"),
        CapabilityKind::Resource => text("uri").or_else(|| text("name")),
        CapabilityKind::ResourceTemplate => text("uri_template").or_else(|| text("name")),
    };
    let Some(key) = key.map(str::to_owned) else {
        return Err("This capability has no name, so it is left out.".to_owned());
    };
    if key.len() > MAX_KEY {
        return Err(format!("A name or URI may have {MAX_KEY} bytes; this capability is left out."));
    }
    let length = serde_json::to_string(&members).map_or(usize::MAX, |text| text.len());
    if length > MAX_DEFINITION {
        return Err(format!(
            "The description of `{}` has {length} bytes; {MAX_DEFINITION} are kept, so it is left out.",
            finding::echo(&key)
        ));
    }
    Ok(Capability { kind, key, definition: members })
}

/// Gives a member its other name, unless there is one of that name.
fn rename(members: &mut Map<String, Value>, sent: &str, kept: &str) {
    if let Some(value) = members.shift_remove(sent) {
        members.entry(kept).or_insert(value);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn capabilities_are_named_by_what_they_are_called_by() {
        for (item, kind, key, name) in [
            (json!({ "type": "tool", "name": "add" }), CapabilityKind::Tool, "add", "add"),
            (json!({ "type": "prompt", "name": "p", "enabled": false }), CapabilityKind::Prompt, "p", "p"),
            (
                json!({ "type": "resource", "name": "R", "uri": "file:///r" }),
                CapabilityKind::Resource,
                "file:///r",
                "R",
            ),
            (
                json!({ "type": "resource", "name": "file:///r" }),
                CapabilityKind::Resource,
                "file:///r",
                "file:///r",
            ),
            (
                json!({ "type": "resource_template", "uri_template": "file:///{p}", "name": "T" }),
                CapabilityKind::ResourceTemplate,
                "file:///{p}",
                "T",
            ),
        ] {
            let read = read_capabilities(vec![item], "/capabilities");
            assert!(read.findings.is_empty(), "{:?}", read.findings);
            let one = &read.capabilities[0];
            assert_eq!((one.kind, one.key.as_str(), one.name()), (kind, key, name));
            assert!(one.definition.get("type").is_none() && one.definition.get("enabled").is_none());
        }
    }

    #[test]
    fn members_are_kept_under_one_name() {
        let of = |item: Value| {
            read_capabilities(vec![item], "")
                .capabilities
                .remove(0)
                .definition
                .into_iter()
                .collect::<Vec<_>>()
        };
        let pair = |name: &str, value: Value| (name.to_owned(), value);
        for (sent, kept) in [
            (json!({ "inputSchema": {} }), vec![pair("input_schema", json!({}))]),
            (json!({ "schema": { "a": 1 } }), vec![pair("input_schema", json!({ "a": 1 }))]),
            (json!({ "schema": null }), vec![]),
            (
                json!({ "input_schema": 1, "inputSchema": 2, "schema": 3 }),
                vec![pair("input_schema", json!(1))],
            ),
            (json!({ "outputSchema": {} }), vec![pair("output_schema", json!({}))]),
        ] {
            let mut item = json!({ "type": "tool", "name": "add" });
            item.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
            let kept: Vec<_> = std::iter::once(pair("name", json!("add"))).chain(kept).collect();
            assert_eq!(of(item), kept, "{sent}");
        }
        let template = json!({ "type": "resource_template", "uriTemplate": "f:///{p}", "mimeType": "text/plain", "schema": 1 });
        let kept = vec![
            pair("schema", json!(1)),
            pair("uri_template", json!("f:///{p}")),
            pair("mime_type", json!("text/plain")),
        ];
        assert_eq!(of(template), kept);
    }

    #[test]
    fn odd_capabilities_are_left_out_and_the_others_kept() {
        let odd = [
            json!("add"),
            json!({ "name": "add" }),
            json!({ "type": "toll", "name": "add" }),
            json!({ "type": "tool" }),
            json!({ "type": "tool", "name": "" }),
            json!({ "type": "tool", "name": "x".repeat(MAX_KEY + 1) }),
            json!({ "type": "tool", "name": "big", "description": "x".repeat(MAX_DEFINITION) }),
        ];
        for item in odd {
            let read = read_capabilities(vec![item.clone(), json!({ "type": "tool", "name": "ok" })], "/c");
            assert_eq!(read.capabilities.len(), 1, "{item}");
            let [finding] = read.findings.as_slice() else { panic!("{item}") };
            assert_eq!(finding.pointer, "/c/0");
        }
        let twice = vec![json!({ "type": "tool", "name": "ok", "title": null }); 3];
        assert_eq!(read_capabilities(twice, "").capabilities.len(), 1);
        let many =
            (0..=MAX_CAPABILITIES).map(|n| json!({ "type": "tool", "name": format!("t{n}") })).collect();
        let read = read_capabilities(many, "");
        assert_eq!(read.capabilities.len(), MAX_CAPABILITIES);
        assert_eq!(read.findings.first().unwrap().code, "too_many");
    }
}
