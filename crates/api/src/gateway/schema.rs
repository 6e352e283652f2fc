//! The JSON Schema of the gateway document.

use super::servers::GatewayDocumentView;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a document (JSON Schema 2020-12, which OpenAPI 3.1 schemas are). Members may be added; none is
/// removed or changes its meaning.
pub(crate) fn document_schema() -> String {
    let mut named = Vec::new();
    GatewayDocumentView::schemas(&mut named);
    let definitions: Map<String, Value> =
        named.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    let mut schema = json!(GatewayDocumentView::schema());
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".into(), json!("GatewayDocument"));
        members.insert("$defs".into(), Value::Object(definitions));
    }
    schema.to_string().replace("#/components/schemas/", "#/$defs/")
}
