//! The Advanced Configuration as plain schemas with names, for the OpenAPI document: what code generators make types of.
//!
//! [`super::schema`] says what is valid; this says what there is. Nothing here narrows a string, and defaults are prose,
//! because generated clients would send them.

use crate::metadata::fields::field::{Field, Kind, Rule, Section, Usage};
use crate::metadata::fields::table::in_section;
use serde_json::{Map, Value, json};

/// Name of the schema of the Advanced Configuration.
pub const CONFIGURATION_SCHEMA: &str = "AdvancedConfiguration";
/// Name of the schema of `forward_headers`, in all its forms.
const FORWARD_HEADERS: &str = "ForwardHeaders";
/// Name of the schema of one entry of `forward_headers`.
const HEADER_TO_FORWARD: &str = "HeaderToForward";

/// The name of a section's schema.
const fn name_of(section: Section) -> &'static str {
    match section {
        Section::TopLevel => CONFIGURATION_SCHEMA,
        Section::ClientMetadata => "OAuthClientMetadata",
        Section::Registration => "RegistrationSettings",
        Section::ForwardHeaders => "ForwardHeadersByMode",
        Section::ForwardedHeader => "RenamedHeader",
        Section::UserIdentityForwarding => "UserIdentityForwarding",
        Section::JwtValidation => "JwtValidation",
        Section::ClaimRule => "ClaimRule",
        Section::ExternalAuthConfig => "ExternalAuthConfig",
        Section::Tools => "ToolSettings",
        Section::RateLimit => "ToolRateLimit",
        Section::Transport => "TransportSettings",
    }
}

/// What the schema of a section says of it.
const fn description_of(section: Section) -> &'static str {
    match section {
        Section::TopLevel => {
            "The Advanced Configuration. `null` means \"not set here\"; unknown members are kept, with a warning. The complete rules are at `/v1/schemas/advanced-configuration`."
        }
        Section::ClientMetadata => {
            "Client metadata (RFC 7591 §2), a client that was registered beforehand, and corrections to discovery (RFC 8414 §2). Values in other languages are members such as `client_name#fr`."
        }
        Section::Registration => "How the registry obtains and replaces the OAuth client.",
        Section::ForwardHeaders => "A rule that says which headers of the caller are forwarded.",
        Section::ForwardedHeader => "A header of the caller that is forwarded under another name.",
        Section::UserIdentityForwarding => "How the gateway tells the MCP server who is calling.",
        Section::JwtValidation => "How the gateway checks the tokens that MCP clients bring.",
        Section::ClaimRule => "The values that a claim must have.",
        Section::ExternalAuthConfig => {
            "An authorization server of yours that MCP clients sign in at, in place of the gateway's own."
        }
        Section::Tools => "Which tools the gateway allows, and their rate limit.",
        Section::RateLimit => "How often tools may be called.",
        Section::Transport => "Which MCP transport the gateway tries first.",
    }
}

/// Every schema of the Advanced Configuration, by name. References begin with `#/components/schemas/`.
pub fn configuration_schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for section in Section::ALL {
        schemas.insert(name_of(section).to_owned(), object(section));
    }
    schemas.insert(
        FORWARD_HEADERS.to_owned(),
        json!({
            "description": "Headers of the caller that are forwarded: a list, or a rule.",
            "oneOf": [
                { "type": "array", "items": reference(HEADER_TO_FORWARD) },
                reference(name_of(Section::ForwardHeaders)),
            ],
        }),
    );
    schemas.insert(
        HEADER_TO_FORWARD.to_owned(),
        json!({
            "description": "A header of the caller that is forwarded: its name, or its name with the new one.",
            "oneOf": [{ "type": "string" }, reference(name_of(Section::ForwardedHeader))],
        }),
    );
    schemas
}

/// The members that a gateway's document takes from the Advanced Configuration, by name. A document has no nulls at its top
/// level, and its maps hold strings only.
pub fn gateway_members() -> Map<String, Value> {
    in_section(Section::TopLevel)
        // `transport` is a member of the document itself.
        .filter(|field| {
            field.usage == Usage::Gateway && field.alias_of.is_none() && field.name != "transport"
        })
        .map(|field| (field.name.to_owned(), described(field, value(field))))
        .collect()
}

fn object(section: Section) -> Value {
    let properties: Map<String, Value> =
        in_section(section).map(|field| (field.name.to_owned(), member(field))).collect();
    let required: Vec<&str> =
        in_section(section).filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "description": description_of(section) });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["properties"] = properties.into();
    schema["additionalProperties"] = json!(true);
    schema
}

/// The schema of a member, with its texts.
fn member(field: &Field) -> Value {
    let schema = value(field);
    let schema = if field.required { schema } else { nullable(schema) };
    described(field, schema)
}

fn described(field: &Field, mut schema: Value) -> Value {
    let mut description = match (field.usage, field.alias_of) {
        (Usage::Ignored { reason }, _) => format!("Not used: {reason}."),
        _ => field.help.to_owned(),
    };
    if let Some(default) = field.default {
        description = format!("{description} Default: `{default}`.");
    }
    schema["description"] = json!(description);
    if field.alias_of.is_some() || field.is_ignored() {
        schema["deprecated"] = json!(true);
    }
    // JSON by test.
    if let Ok(example) = serde_json::from_str::<Value>(field.example)
        && !example.is_null()
    {
        schema["examples"] = json!([example]);
    }
    schema
}

/// The schema of a member's value, without null.
fn value(field: &Field) -> Value {
    match field.kind {
        Kind::String => string(field),
        Kind::StringList => json!({ "type": "array", "items": string(field) }),
        Kind::StringOrList => {
            json!({ "oneOf": [string(field), { "type": "array", "items": string(field) }] })
        }
        Kind::StringMap => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Nested(section) => reference(name_of(section)),
        Kind::MapOf(section) => {
            json!({ "type": "object", "additionalProperties": reference(name_of(section)) })
        }
        Kind::HeaderList => json!({ "type": "array", "items": reference(HEADER_TO_FORWARD) }),
        Kind::ForwardHeaders => reference(FORWARD_HEADERS),
        Kind::Object => json!({ "type": "object", "additionalProperties": true }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer(low, high) => {
            json!({ "type": "integer", "format": "int64", "minimum": low, "maximum": high })
        }
        Kind::Any => json!({}),
    }
}

fn string(field: &Field) -> Value {
    let mut schema = json!({ "type": "string" });
    match field.rule {
        Rule::OneOf(words, _) => schema["enum"] = json!(words),
        Rule::Link | Rule::Logo | Rule::Endpoint | Rule::Issuer => schema["format"] = json!("uri"),
        _ if field.secret => schema["format"] = json!("password"),
        _ => {}
    }
    schema
}

fn nullable(mut schema: Value) -> Value {
    if schema.get("$ref").is_some() {
        return json!({ "oneOf": [schema, { "type": "null" }] });
    }
    if let Some(alternatives) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        alternatives.push(json!({ "type": "null" }));
        return schema;
    }
    if let Some(one) = schema["type"].as_str() {
        schema["type"] = json!([one, "null"]);
    }
    if let Some(values) = schema.get_mut("additionalProperties").and_then(Value::as_object_mut)
        && values.get("type") == Some(&json!("string"))
    {
        values.insert("type".to_owned(), json!(["string", "null"]));
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_name_every_member_with_a_description() {
        let schemas = configuration_schemas();
        for section in Section::ALL {
            let schema = &schemas[name_of(section)];
            assert_eq!(schema["additionalProperties"], true, "{section:?}");
            for field in in_section(section) {
                let member = &schema["properties"][field.name];
                assert!(!member["description"].as_str().unwrap_or_default().is_empty(), "{}", field.name);
                assert!(member["default"].is_null(), "{}: a client would send it", field.name);
            }
        }
        let text = Value::Object(schemas.clone()).to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(schemas.contains_key(name), "{name}");
        }
    }

    #[test]
    fn gateway_members_are_those_of_the_table() {
        let names: Vec<_> = gateway_members().into_iter().map(|(name, _)| name).collect();
        let wanted = [
            "headers",
            "passthrough_headers",
            "forward_headers",
            "user_identity_forwarding",
            "jwt_validation",
            "external_auth_config",
            "tools",
        ];
        assert_eq!(names, wanted);
    }
}
