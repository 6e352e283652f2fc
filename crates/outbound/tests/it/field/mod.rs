//! What servers really publish: each table is one kind of oddity. What is wrong at one place does not end the search while
//! another place has what is needed, and what was passed over is told.

mod documents;
mod places;

use crate::discovery::{AS, PR};
use crate::upstream::{Reply, Seen, Upstream, guarded};
use registry_core::oauth::{Discovery, Failure};
use registry_outbound::{DiscoverTarget, discover};
use serde_json::{Map, Value, json};

pub(super) fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token", "registration_endpoint": "https://as.example/register",
        "code_challenge_methods_supported": ["S256"],
    })
}

pub(super) fn resource(origin: &str) -> Value {
    json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [origin] })
}

/// A server where everything is as it should be.
pub(super) fn good(origin: &str, seen: &Seen) -> Reply {
    match seen.path.as_str() {
        "/mcp" => Reply::status(401),
        path if path == format!("{PR}/mcp") => Reply::json(200, &resource(origin)),
        AS => Reply::json(200, &metadata(origin)),
        _ => Reply::status(404),
    }
}

/// [`good`], but for what `odd` answers.
pub(super) async fn upstream(odd: impl Fn(&str, &Seen) -> Option<Reply> + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |origin, seen| odd(origin, seen).unwrap_or_else(|| good(origin, seen))).await
}

pub(super) async fn search(
    upstream: &Upstream,
    change: impl FnOnce(&mut DiscoverTarget),
) -> Result<Discovery, Failure> {
    let mut target = DiscoverTarget::at(upstream.url("/mcp"));
    change(&mut target);
    discover(&guarded(), target).await.result
}

pub(super) async fn found(upstream: &Upstream) -> Discovery {
    search(upstream, |_| {}).await.unwrap()
}

pub(super) async fn failure(upstream: &Upstream) -> Failure {
    search(upstream, |_| {}).await.unwrap_err()
}

/// `issuer` and its endpoints, as an admin enters them.
pub(super) fn entered(upstream: &Upstream) -> Map<String, Value> {
    match json!({
        "issuer": upstream.origin, "authorization_endpoint": "https://hand.example/authorize",
        "token_endpoint": "https://hand.example/token",
    }) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(super) fn warns(discovery: &Discovery, words: &[&str]) {
    let warnings = discovery.warnings.join("\n");
    assert!(words.iter().all(|word| warnings.contains(word)), "{words:?} in: {warnings}");
}
