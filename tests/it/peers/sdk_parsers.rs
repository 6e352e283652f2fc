//! Whatever an authorization server repeats of a registration: both MCP SDKs parse the client that gateways get.

use registry_core::oauth::shown_members;
use serde_json::{Map, Value, json};
use support::sdk_parsers;

/// Members that the parsers of the SDKs know, and some of OpenID Connect.
const MEMBERS: [&str; 27] = [
    "redirect_uris",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
    "software_statement",
    "application_type",
    "token_endpoint_auth_method",
    "client_id_issued_at",
    "client_secret_expires_at",
    "issuer",
    "client_name#de",
    "subject_type",
    "default_max_age",
    "require_auth_time",
    "request_uris",
    "initiate_login_uri",
    "tls_client_certificate_bound_access_tokens",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_odd_echo_is_parsed_by_both_sdks() {
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!(-7),
        json!(1.5),
        json!(1e300),
        json!("text"),
        json!(""),
        json!(" "),
        json!("n/a"),
        json!("https://"),
        json!("https://[::1"),
        json!("https://h.example/a b"),
        json!("//h.example/x"),
        json!("http:h.example"),
        json!("https://h.example:99999/"),
        json!("javascript:alert(1)"),
        json!("https://h.example/x"),
        json!("2026-11-26T10:00:00Z"),
        json!([]),
        json!([null]),
        json!([7]),
        json!([""]),
        json!(["a", null, 7]),
        json!([["a"]]),
        json!(["https://h.example/cb", "no"]),
        json!({}),
        json!({ "en": "x" }),
        json!({ "keys": [] }),
        json!({ "keys": [7] }),
        json!({ "a": { "b": [{}] } }),
    ];
    let documents: Vec<Value> =
        MEMBERS
            .into_iter()
            .flat_map(|name| {
                values.iter().map(move |value| client(Map::from_iter([(name.to_owned(), value.clone())])))
            })
            .chain(values.iter().map(|value| {
                client(MEMBERS.into_iter().map(|name| (name.to_owned(), value.clone())).collect())
            }))
            .collect();
    assert_eq!(documents.len(), (MEMBERS.len() + 1) * values.len());
    for (sdk, said) in sdk_parsers(&documents).await {
        let refused: Vec<_> = documents.iter().zip(said).filter_map(|(one, why)| Some((one, why?))).collect();
        assert!(refused.is_empty(), "{sdk}: {refused:?}");
    }
    // The parsers do judge: without the rule they refuse.
    let odd =
        json!({ "client_id": "c", "redirect_uris": ["https://g.example/cb"], "client_name": { "en": "x" } });
    for (sdk, said) in sdk_parsers(&[odd]).await {
        assert!(said[0].is_some(), "{sdk}");
    }
}

/// What the gateway document's `client` holds of an answer with `members`.
fn client(mut members: Map<String, Value>) -> Value {
    let _ = shown_members(&mut members);
    members.insert("redirect_uris".to_owned(), json!(["https://g.example/oauth/upstream-callback"]));
    members.insert("client_id".to_owned(), json!("c"));
    members.insert("token_endpoint_auth_method".to_owned(), json!("none"));
    members.insert("issuer".to_owned(), json!("https://h.example"));
    Value::Object(members)
}
