//! Members of a registration answer that are only shown: whatever type they have, the SDKs of gateways read the document.

use super::{Case, Field, begin, case, check, members};
use serde_json::{Value, json};
use support::{Engine, sdk_parsers};

/// Members that a server repeats, and that nothing here depends on.
const SHOWN: [&str; 17] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "scope",
    "contacts",
    "grant_types",
    "response_types",
    "jwks",
    "jwks_uri",
    "software_id",
    "software_version",
    "software_statement",
    "application_type",
    "client_id_issued_at",
    "client_name#fr",
];

fn wrong_values() -> [Value; 9] {
    [
        Value::Null,
        json!(false),
        json!(2),
        json!(""),
        json!("n/a"),
        json!(["read", "write"]),
        json!([null]),
        json!({ "en": "Acme" }),
        json!("2026-11-26T10:00:00Z"),
    ]
}

fn echoes() -> Vec<Case> {
    let mut all: Vec<Case> = SHOWN
        .iter()
        .flat_map(|name| wrong_values().map(|value| (*name, value)))
        .map(|(name, value)| {
            case(format!("{name}: {value}"), move |u| drop(u.answer.insert(name.to_owned(), value.clone())))
        })
        .collect();
    all.push(case("many at once", |u| {
        u.answer.extend(members(json!({
            "scope": ["read", "write"], "client_uri": "acme", "logo_uri": false, "tos_uri": "n/a", "policy_uri": "",
            "contacts": [null], "software_version": 2, "application_type": "service", "jwks": null,
            "client_name": { "en": "Acme" }, "grant_types": ["authorization_code", null],
            "client_id_issued_at": "2026-11-26T10:00:00Z",
        })));
    }));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_echo_is_read_by_both_sdks() {
    let cases = echoes();
    let field = Box::pin(Field::new(Engine::Sqlite)).await;
    let seen = begin(&field, &cases).await;
    let mut failed = Vec::new();
    let mut clients = Vec::new();
    let mut names = Vec::new();
    for (case, (_, seen)) in cases.iter().zip(&seen) {
        let registered = seen.registered().and_then(|()| {
            let known = seen.registration["clients"].as_array().map_or(0, Vec::len);
            check(known == 1, || format!("{known} clients"))
        });
        match registered {
            Ok(()) => {
                names.push(&case.name);
                clients.push(seen.client().clone());
            }
            Err(wrong) => failed.push(format!("{}: {wrong}", case.name)),
        }
    }
    for (sdk, said) in sdk_parsers(&clients).await {
        let wrong = names.iter().zip(said).filter_map(|(name, said)| Some((name, said?)));
        failed.extend(wrong.map(|(name, said)| format!("{name}: the {sdk} SDK says {said}")));
    }
    field.end().await;
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
