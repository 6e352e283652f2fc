//! The JSON Schema of the gateway document.

use super::servers::GatewayDocumentView;
use registry_core::metadata::{configuration_schemas, gateway_members};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use utoipa::{PartialSchema, ToSchema};

/// The schema of a document (JSON Schema 2020-12, which OpenAPI 3.1 schemas are). Members may be added; none is
/// removed or changes its meaning.
pub(crate) fn document_schema() -> String {
    let mut named = Vec::new();
    GatewayDocumentView::schemas(&mut named);
    let mut definitions = configuration_schemas();
    definitions.extend(named.into_iter().map(|(name, schema)| (name, json!(schema))));
    let mut schema = json!(GatewayDocumentView::schema());
    type_document(&mut schema);
    let used = used_by(&schema, &definitions);
    definitions.retain(|name, _| used.contains(name));
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".into(), json!("GatewayDocument"));
        members.insert("$defs".into(), Value::Object(definitions));
    }
    schema.to_string().replace("#/components/schemas/", "#/$defs/")
}

/// Types the members that come from the Advanced Configuration.
pub(crate) fn type_document(schema: &mut Value) {
    schema["additionalProperties"] = json!(true);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.extend(gateway_members());
    }
}

/// The names of the definitions that `schema` refers to, also by way of others.
fn used_by(schema: &Value, definitions: &Map<String, Value>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut unread = vec![schema.to_string()];
    while let Some(text) = unread.pop() {
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            if let Some(definition) = definitions.get(name)
                && used.insert(name.to_owned())
            {
                unread.push(definition.to_string());
            }
        }
    }
    used
}
