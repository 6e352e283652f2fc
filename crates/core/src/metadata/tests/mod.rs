//! Tests of the metadata rules: the documented examples quoted, bad input by example, resolution, schema against validator, properties.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod edits;
mod pasted;
mod properties;
mod resolution;
mod schema;
mod secrets;
mod seed;

use super::*;
use crate::finding::Findings;
use serde_json::Value;

/// `(code, severity, pointer)` of all findings of a text in which no marker is known.
fn found(text: &str) -> Vec<(String, &'static str, String)> {
    triples(&verify(text, &KnownSecrets::default()).findings)
}

fn triples(findings: &Findings) -> Vec<(String, &'static str, String)> {
    findings.iter().map(|f| (f.code.to_string(), f.severity.as_str(), f.pointer.clone())).collect()
}

/// A configuration whose client metadata is `metadata` (JSON text).
fn configuration(metadata: &str) -> AdvancedConfiguration {
    AdvancedConfiguration::from_stored(&format!("{{\"oauth_client_metadata\": {metadata}}}")).unwrap()
}

/// Resolved for workspace `acme`, server `linear`, gateway `https://g.example`, with the shipped defaults.
fn resolved(layers: &[(Level, &AdvancedConfiguration)]) -> Resolution {
    let layers: Vec<Layer<'_>> =
        layers.iter().map(|(level, configuration)| Layer { level: *level, configuration }).collect();
    let callbacks = ["https://g.example/oauth/upstream-callback".to_owned()];
    let context = ResolveContext { workspace: "acme", server: "linear", callbacks: &callbacks };
    resolve(&Branding::default(), &layers, &context)
}

fn sent(resolution: &Resolution) -> Value {
    Value::Object(resolution.effective.client_metadata.clone())
}
