//! What the generated document gets beyond what the operations say: the typed Advanced Configuration, plain names,
//! events of streams, one default for security.

use crate::gateway;
use registry_core::metadata::{CONFIGURATION_SCHEMA, configuration_schemas};
use serde_json::{Map, Value, json};

/// The prefix that utoipa gives to the name of a list.
const LISTED: &str = "Listed_";
const SCHEMAS: &str = "#/components/schemas/";
/// Takes an Advanced Configuration with errors too: finding them is what its operation is for.
pub(super) const UNCHECKED: &str = "CheckConfiguration";

/// Makes the document one that code generators make good clients of.
pub(super) fn refine(document: &mut Value) {
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        for (name, schema) in schemas.iter_mut() {
            if name != UNCHECKED {
                walk(schema, &mut type_configurations);
            }
        }
        if let Some(document) = schemas.get_mut("GatewayDocument") {
            gateway::type_document(document);
        }
        rename_lists(schemas);
        schemas.extend(configuration_schemas());
        schemas.extend(event_schemas());
        schemas.sort_keys();
    }
    walk(document, &mut rename_reference);
    walk(document, &mut open_object);
    walk(document, &mut lift_description);
    for (operation, event) in
        [("/v1/gateway/changes", "GatewayEvent"), ("/v1/rollouts/{rollout}/events", "RolloutEvent")]
    {
        name_events(document, operation, event);
    }
    move_security_to_root(document);
}

/// Calls `visit` for every object in `value`, outermost first.
fn walk(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            // Examples are no schemas.
            let schemas =
                members.iter_mut().filter(|(name, _)| !matches!(name.as_str(), "example" | "examples"));
            schemas.for_each(|(_, member)| walk(member, visit));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// Gives every property `configurations` its type. The check of bodies knows objects only: the application validates their
/// members itself, with its own codes.
fn type_configurations(schema: &mut Map<String, Value>) {
    let Some(property) = schema.get_mut("properties").and_then(|all| all.get_mut("configurations")) else {
        return;
    };
    let reference = json!({ "$ref": format!("{SCHEMAS}{CONFIGURATION_SCHEMA}") });
    let is_nullable = property["type"].is_array();
    let description = property["description"].take();
    *property = if is_nullable { json!({ "oneOf": [reference, { "type": "null" }] }) } else { reference };
    property["description"] = description;
}

fn rename_lists(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().filter(|name| name.starts_with(LISTED)).cloned().collect();
    for name in names {
        if let Some(schema) = schemas.remove(&name) {
            schemas.insert(format!("{}List", &name[LISTED.len()..]), schema);
        }
    }
}

fn rename_reference(object: &mut Map<String, Value>) {
    if let Some(Value::String(reference)) = object.get_mut("$ref")
        && let Some(item) = reference.strip_prefix(SCHEMAS).and_then(|name| name.strip_prefix(LISTED))
    {
        *reference = format!("{SCHEMAS}{item}List");
    }
}

/// An object without members may have any: generators read a bare `object` as one that is empty.
fn open_object(object: &mut Map<String, Value>) {
    let is_object = match object.get("type") {
        Some(Value::String(one)) => one == "object",
        Some(Value::Array(several)) => several.iter().any(|one| one == "object"),
        _ => false,
    };
    if is_object && !object.contains_key("properties") {
        object.entry("additionalProperties").or_insert(Value::Bool(true));
    }
}

/// The description of a nullable reference belongs to the member, not to one of its alternatives.
fn lift_description(object: &mut Map<String, Value>) {
    let Some(alternatives) = object.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let described = alternatives.iter_mut().filter_map(Value::as_object_mut);
    let found =
        described.filter(|one| one.contains_key("$ref")).find_map(|one| one.shift_remove("description"));
    if let Some(description) = found {
        object.entry("description").or_insert(description);
    }
}

/// The schemas of what the streams send, as server-sent events.
fn event_schemas() -> Map<String, Value> {
    let event = |description: &str, names: &[&str], id: bool, data: &str| {
        let mut schema = json!({
            "type": "object",
            "description": description,
            "required": ["event", "data"],
            "properties": {
                "event": { "type": "string", "enum": names, "description": "Name of the event." },
                "data": { "$ref": format!("{SCHEMAS}{data}"), "description": "Its data, JSON on one line." },
            },
        });
        if id {
            schema["required"] = json!(["id", "event", "data"]);
            schema["properties"]["id"] = json!({
                "type": "integer", "format": "int64",
                "description": "The revision, to be sent back in `Last-Event-ID`.",
            });
        }
        schema
    };
    let position = json!({
        "type": "object",
        "description": "A position in the change feed.",
        "required": ["revision"],
        "properties": { "revision": {
            "type": "integer", "format": "int64", "examples": [413],
            "description": "The revision to continue from.",
        } },
    });
    let any = json!({
        "description": "One event of the change feed. Lines that begin with a colon are comments that keep the connection open.",
        "oneOf": [
            { "$ref": format!("{SCHEMAS}GatewayChangeEvent") },
            { "$ref": format!("{SCHEMAS}GatewayPositionEvent") },
        ],
    });
    Map::from_iter([
        ("GatewayEvent".to_owned(), any),
        (
            "GatewayChangeEvent".to_owned(),
            event(
                "A change, in the order of commits.",
                &["changed", "deleted", "identities"],
                true,
                "GatewayChange",
            ),
        ),
        (
            "GatewayPositionEvent".to_owned(),
            event(
                "`start`: where the stream begins. `reset`: the position that was sent has expired; fetch every document again.",
                &["start", "reset"],
                true,
                "GatewayPosition",
            ),
        ),
        ("GatewayPosition".to_owned(), position),
        (
            "RolloutEvent".to_owned(),
            event("The rollout, at first and whenever it moves.", &["rollout"], false, "Rollout"),
        ),
    ])
}

/// Says what the text of a stream holds (JSON Schema 2020-12, `contentSchema`).
fn name_events(document: &mut Value, path: &str, event: &str) {
    let schema =
        &mut document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"];
    *schema = json!({
        "type": "string",
        "contentMediaType": "text/event-stream",
        "contentSchema": { "type": "array", "items": { "$ref": format!("{SCHEMAS}{event}") } },
    });
}

/// One `security` for all operations; the public ones say that they need none.
fn move_security_to_root(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if let Some(members) = operation.as_object_mut()
            && members.contains_key("responses")
            && members.get("security").is_some()
        {
            members.insert("security".to_owned(), json!([]));
        }
    }
    let security = json!([{ "api_key": [] }, { "bearer": [] }]);
    if let Some(members) = document.as_object_mut() {
        members.insert("security".to_owned(), security);
    }
}
