//! The JSON Schema of the Advanced Configuration, made from the table.
//!
//! It refuses nothing that [`crate::metadata::verify`] accepts without repairing it, and says what a schema can say; the rest (secure endpoints,
//! duplicates, markers, rules about several members) only `verify` knows. `doNotSuggest`, `deprecationMessage` and
//! `markdownDescription` are understood by vscode-json-languageservice.

use super::document::{MAX_ITEMS, MAX_MEMBERS};
use super::string_rules::{MAX_HEADER_VALUE, MAX_NAME, MAX_SCOPE};
use super::url_rules::MAX_URL;
use crate::metadata::fields::field::Usage;
use crate::metadata::fields::field::{Field, Kind, Rule, Section};
use crate::metadata::fields::names::ALIAS_WRAPPER;
use crate::metadata::fields::names::CANONICAL_WRAPPER;
use crate::metadata::fields::table::{GRANT_TYPES, RESERVED_PARAMETERS, in_section, omittable};
use serde_json::{Map, Value, json};

/// A BCP 47 language tag by its shape.
const TAG: &str = "([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*|[xXiI](-[A-Za-z0-9]{1,8})+)";
/// Control characters and those that turn the direction of writing, for use inside `[^…]`.
const FORBIDDEN: &str = r"\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069";
const HEADER_NAME: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
const ASCII: &str = r"^(?=[ -~]*[!-~])[ -~]+$";
/// Scheme and authority: printable ASCII without `#`, `/`, `?`, `@`, `\`.
const ORIGIN: &str = r#"^[Hh][Tt][Tt][Pp][Ss]?://[!-"$-.0->A-\[\]-~]+"#;

/// JSON Schema (draft 2020-12) of the Advanced Configuration.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    for section in Section::ALL.into_iter().filter(|section| *section != Section::TopLevel) {
        definitions.insert(section.as_str().to_owned(), object(section).into());
    }
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Advanced Configuration"));
    schema.insert(
        "description".to_owned(),
        json!("Settings of an integration, a workspace or a server for OAuth client metadata, registration and the gateway. null means \"not set here\"."),
    );
    schema.extend(object(Section::TopLevel));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("$defs".to_owned(), definitions.into());
    schema.into()
}

/// The schema of an object of the table. Unknown members are allowed: they are warnings.
fn object(section: Section) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for field in in_section(section) {
        properties.insert(field.name.to_owned(), member(field).into());
        if field.localised {
            let name = field.name;
            let mut variant = value(field);
            variant.insert(
                "description".to_owned(),
                json!(format!("`{name}` in another language (RFC 7591 §2.2).")),
            );
            patterns.insert(format!("^{name}#{TAG}$"), variant.into());
            patterns.insert(
                format!("^{name}#(?!{TAG}$)"),
                misplaced("The part after `#` must be a language tag."),
            );
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!(["object", "null"]));
    match section {
        Section::TopLevel => top_level(&mut properties, &mut patterns, &mut schema),
        Section::ClientMetadata => {
            for wrapper in [CANONICAL_WRAPPER, ALIAS_WRAPPER] {
                properties
                    .insert(wrapper.to_owned(), misplaced("Wrapped twice: its members belong one level up."));
            }
            secret_needs_id(&mut schema);
        }
        Section::ExternalAuthConfig => secret_needs_id(&mut schema),
        Section::JwtValidation => {
            let one = |name: &str| json!({ "required": [name], "properties": { name: { "not": { "type": "null" } } } });
            schema
                .insert("anyOf".to_owned(), json!([one("jwksUri"), one("jwks"), one("introspectEndpoint")]));
        }
        _ => {}
    }
    schema.insert("properties".to_owned(), properties.into());
    if !patterns.is_empty() {
        schema.insert("patternProperties".to_owned(), patterns.into());
    }
    let required: Vec<&str> =
        in_section(section).filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// What is wrong at the top level: client metadata without wrapper, two spellings of one key.
fn top_level(
    properties: &mut Map<String, Value>,
    patterns: &mut Map<String, Value>,
    schema: &mut Map<String, Value>,
) {
    let why = "Client metadata belongs inside `oauth_client_metadata`.";
    for field in in_section(Section::ClientMetadata)
        .filter(|field| !properties.contains_key(field.name))
        .collect::<Vec<_>>()
    {
        properties.insert(field.name.to_owned(), misplaced(why));
        if field.localised {
            patterns.insert(format!("^{}#", field.name), misplaced(why));
        }
    }
    properties.insert(
        "configurations".to_owned(),
        misplaced("This text already is the content of `configurations`."),
    );
    let both: Vec<Value> = in_section(Section::TopLevel)
        .filter_map(|field| {
            let (one, other) = (field.name, field.alias_of?);
            let set = json!({ "not": { "type": "null" } });
            Some(json!({ "not": { "required": [one, other], "properties": { one: set, other: set } } }))
        })
        .collect();
    schema.insert("allOf".to_owned(), both.into());
}

fn misplaced(why: &str) -> Value {
    json!({ "type": "null", "description": why, "errorMessage": why, "doNotSuggest": true })
}

fn secret_needs_id(schema: &mut Map<String, Value>) {
    let set = |name: &str| json!({ "required": [name], "properties": { name: { "type": "string" } } });
    schema.insert("if".to_owned(), set("client_secret"));
    schema.insert(
        "then".to_owned(),
        json!({ "required": ["client_id"], "properties": { "client_id": { "not": { "type": "null" } } } }),
    );
}

/// The schema of a member, with its texts for users.
fn member(field: &Field) -> Map<String, Value> {
    let mut schema = value(field);
    schema.insert("title".to_owned(), json!(field.title));
    schema.insert("description".to_owned(), json!(field.help));
    schema.insert("markdownDescription".to_owned(), json!(field.help));
    // Both are JSON by test.
    if let Ok(example) = serde_json::from_str::<Value>(field.example)
        && !example.is_null()
    {
        schema.insert("examples".to_owned(), json!([example]));
    }
    if let Some(Ok(default)) = field.default.map(serde_json::from_str::<Value>) {
        schema.insert("default".to_owned(), default);
    }
    if field.secret {
        schema.insert("writeOnly".to_owned(), json!(true));
    }
    let deprecated = match (field.usage, field.alias_of) {
        (Usage::Ignored { reason }, _) => Some(format!("`{}` is not used: {reason}.", field.name)),
        (_, Some(canonical)) => Some(format!("Another spelling of `{canonical}`.")),
        _ => None,
    };
    if let Some(why) = deprecated {
        schema.insert("deprecated".to_owned(), json!(true));
        schema.insert("deprecationMessage".to_owned(), json!(why));
    }
    schema
}

/// The schema of a member's value.
fn value(field: &Field) -> Map<String, Value> {
    let nullable_type = |names: &[&str]| {
        let mut names: Vec<&str> = names.to_vec();
        if !field.required {
            names.push("null");
        }
        json!(names)
    };
    let list = |items: Map<String, Value>| {
        let mut schema = Map::new();
        schema.insert("items".to_owned(), items.into());
        schema.insert("maxItems".to_owned(), json!(MAX_ITEMS));
        if field.not_empty {
            schema.insert("minItems".to_owned(), json!(1));
        }
        schema
    };
    let mut schema = match field.kind {
        Kind::String => string(field, !field.required),
        Kind::StringList => list(one_string(field)),
        Kind::StringOrList => {
            let mut schema = list(one_string(field));
            schema.extend(string(field, false));
            schema
        }
        Kind::StringMap => map(field),
        Kind::HeaderList => list(header(field)),
        Kind::ForwardHeaders => {
            let mut schema = list(header(field));
            let object = object(Section::ForwardHeaders);
            schema.extend(object.into_iter().filter(|(keyword, _)| keyword != "type"));
            schema
        }
        Kind::Nested(section) => reference(section),
        Kind::MapOf(section) => {
            let mut schema = Map::new();
            schema.insert("additionalProperties".to_owned(), reference(section).into());
            schema.insert("maxProperties".to_owned(), json!(MAX_MEMBERS));
            schema
        }
        Kind::Integer(low, high) => {
            Map::from_iter([("minimum".to_owned(), json!(low)), ("maximum".to_owned(), json!(high))])
        }
        Kind::Object | Kind::Boolean | Kind::Any => Map::new(),
    };
    let names: &[&str] = match field.kind {
        Kind::String => &["string"],
        Kind::StringList | Kind::HeaderList => &["array"],
        Kind::StringOrList => &["string", "array"],
        Kind::StringMap | Kind::Nested(_) | Kind::MapOf(_) | Kind::Object => &["object"],
        Kind::ForwardHeaders => &["array", "object"],
        Kind::Boolean => &["boolean"],
        Kind::Integer(..) => &["integer"],
        Kind::Any => return schema,
    };
    schema.insert("type".to_owned(), nullable_type(names));
    schema
}

fn reference(section: Section) -> Map<String, Value> {
    Map::from_iter([("$ref".to_owned(), json!(format!("#/$defs/{}", section.as_str())))])
}

/// A list entry or map value.
fn one_string(field: &Field) -> Map<String, Value> {
    let mut schema = string(field, false);
    schema.insert("type".to_owned(), json!("string"));
    schema
}

fn header(field: &Field) -> Map<String, Value> {
    let mut schema = string(field, false);
    let object = object(Section::ForwardedHeader);
    schema.extend(object.into_iter().filter(|(keyword, _)| keyword != "type"));
    schema.insert("type".to_owned(), json!(["string", "object"]));
    schema
}

fn map(field: &Field) -> Map<String, Value> {
    let mut schema = Map::new();
    let mut values = string(field, false);
    values.insert("type".to_owned(), json!(["string", "null"]));
    schema.insert("additionalProperties".to_owned(), values.into());
    schema.insert("maxProperties".to_owned(), json!(MAX_MEMBERS));
    if field.rule == Rule::HeaderMap {
        schema.insert("propertyNames".to_owned(), json!({ "pattern": HEADER_NAME, "maxLength": MAX_NAME }));
    } else {
        schema.insert("propertyNames".to_owned(), json!({ "minLength": 1 }));
        let reserved: Map<String, Value> = RESERVED_PARAMETERS
            .iter()
            .map(|name| ((*name).to_owned(), misplaced("Set by the gateway; it cannot be given here.")))
            .collect();
        schema.insert("properties".to_owned(), reserved.into());
    }
    schema
}

/// What the rule says about one string.
fn string(field: &Field, nullable: bool) -> Map<String, Value> {
    let pattern = |pattern: &str, max: usize| {
        Map::from_iter([
            ("pattern".to_owned(), json!(pattern)),
            ("minLength".to_owned(), json!(1)),
            ("maxLength".to_owned(), json!(max)),
        ])
    };
    let text = |max| pattern(&format!(r"^(?=[^{FORBIDDEN}]*\S)[^{FORBIDDEN}]+$"), max);
    match field.rule {
        Rule::Any => Map::new(),
        Rule::Text(max) | Rule::ComparedIssuer(max) => text(max),
        Rule::Contact => text(MAX_NAME),
        Rule::ParameterMap => text(MAX_HEADER_VALUE),
        Rule::Ascii(max) => pattern(ASCII, max),
        Rule::HeaderMap => pattern(ASCII, MAX_HEADER_VALUE),
        Rule::Link | Rule::Logo => pattern(&format!(r"{ORIGIN}([/?#][!-\[\]-~]*)?$"), MAX_URL),
        Rule::Endpoint => pattern(&format!(r#"{ORIGIN}([/?][!-"$-\[\]-~]*)?$"#), MAX_URL),
        Rule::Issuer => pattern(&format!(r#"{ORIGIN}(/[!-"$->@-\[\]-~]*)?$"#), MAX_URL),
        Rule::Scope => pattern(r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$", MAX_SCOPE),
        Rule::HeaderName => pattern(HEADER_NAME, MAX_NAME),
        Rule::Duration => pattern("^[0-9]+[smhd]$", 10),
        Rule::ResourceUri => pattern(
            &format!(
                r#"({ORIGIN}([/?][!-"$-\[\]-~]*)?$)|(^[A-Za-z0-9_~-]+$)|(^(?![Hh][Tt][Tt][Pp][Ss]?:)[A-Za-z][A-Za-z0-9+-]*:[!-"$-\[\]-~]+$)"#
            ),
            MAX_URL,
        ),
        Rule::SentMember => {
            let names: Vec<&str> = omittable().map(|field| field.name).collect();
            let localised: Vec<&str> =
                omittable().filter(|field| field.localised).map(|field| field.name).collect();
            let variants = format!("^({})#{TAG}$", localised.join("|"));
            Map::from_iter([("anyOf".to_owned(), json!([{ "enum": names }, { "pattern": variants }]))])
        }
        Rule::GrantType => Map::from_iter([(
            "anyOf".to_owned(),
            json!([{ "enum": GRANT_TYPES }, { "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$", "maxLength": MAX_NAME }]),
        )]),
        Rule::OneOf(values, _) => {
            let mut allowed: Vec<Value> = values.iter().map(|value| json!(value)).collect();
            if nullable {
                allowed.push(Value::Null);
            }
            Map::from_iter([("enum".to_owned(), allowed.into())])
        }
    }
}
