//! Names contain no invisible characters, in every operation.

use registry_core::permission::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::{Client, Engine, TestServer};

const URL: &str = "https://mcp.linear.app/mcp";

/// Every operation whose body has a member `name`, as `METHOD path`, with the body it needs beside it.
fn table(user: &str, key: &str) -> Vec<(&'static str, String, Value)> {
    let integration = json!({ "url": URL, "auth_type": "none", "transport": "http" });
    vec![
        ("post /v1/api-keys", "/v1/api-keys".into(), json!({ "role": "viewer" })),
        ("post /v1/mcp-integrations", "/v1/mcp-integrations".into(), integration.clone()),
        ("post /v1/mcp-integrations/preflight", "/v1/mcp-integrations/preflight".into(), integration),
        ("put /v1/mcp-integrations/{integration}", "/v1/mcp-integrations/linear".into(), json!({})),
        (
            "post /v1/mcp-integrations/{integration}/duplicate",
            "/v1/mcp-integrations/linear/duplicate".into(),
            json!({}),
        ),
        (
            "post /v1/mcp-servers",
            "/v1/mcp-servers".into(),
            json!({ "mcp_integration_id": "linear", "workspace_id": "acme", "slug": "other" }),
        ),
        ("put /v1/mcp-servers/{server}", "/v1/mcp-servers/linear?workspace_id=acme".into(), json!({})),
        ("post /v1/users", "/v1/users".into(), json!({ "email": "new@acme.com", "role": "viewer" })),
        ("put /v1/users/{user}", format!("/v1/users/{user}"), json!({})),
        ("post /v1/workspaces", "/v1/workspaces".into(), json!({})),
        ("post /v1/admin/workspaces", "/v1/admin/workspaces".into(), json!({})),
        ("put /v1/admin/workspaces/{workspace}", "/v1/admin/workspaces/acme".into(), json!({})),
        (
            "post /v1/api-keys/{type}/{sub_type}",
            "/v1/api-keys/organisation/service".into(),
            json!({ "scopes": ["mcp.invoke"] }),
        ),
        ("put /v1/api-keys/{key}", format!("/v1/api-keys/{key}"), json!({})),
        ("put /v1/workspaces/{workspace}", "/v1/workspaces/acme".into(), json!({})),
    ]
}

/// The operations of the OpenAPI document whose body has a member `name`.
fn documented() -> BTreeSet<String> {
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let resolved = |schema: &Value| match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    };
    let mut found = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if resolved(schema)["properties"].get("name").is_some() {
                found.insert(format!("{method} {path}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn invisible_character_in_a_name_is_refused_by_every_operation() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", URL, None).await;
    t.inner.server("linear", "acme").await;
    let admin = t.client(Role::Admin, None).await;
    let ann = json!({ "email": "ann@acme.com", "name": "Ann", "role": "viewer" });
    let ann = admin.post("/v1/users", &ann).await.expect(200).json()["id"].as_str().unwrap().to_owned();
    let key = json!({ "name": "k", "role": "viewer" });
    let key = admin.post("/v1/api-keys", &key).await.expect(200).json()["id"].as_str().unwrap().to_owned();
    let table = table(&ann, &key);
    let listed: BTreeSet<_> = table.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(listed, documented(), "operations with a name, and rows");

    // All such characters: `registry_core::names`.
    let names = ['\0', '\n', '\u{200b}', '\u{200f}', '\u{202e}', '\u{2069}'];
    let mut wrong = Vec::new();
    for (operation, path, body) in &table {
        let method: Method = operation.split(' ').next().unwrap().to_uppercase().parse().unwrap();
        for character in names {
            let mut body = body.clone();
            body["name"] = json!(format!("Ac{character}me"));
            let answer = Client::send(admin.request(method.clone(), path).json(&body)).await;
            if answer.status != 422 || !answer.errors().iter().any(|(_, pointer)| pointer == "/name") {
                wrong.push(format!("{operation} with {character:?}: {} {}", answer.status, answer.text));
            }
        }
        let mut visible = body.clone();
        visible["name"] = json!("Łódź, 東京 & Ünïcödé ❤\u{fe0f}");
        let answer = Client::send(admin.request(method, path).json(&visible)).await;
        if !answer.status.is_success() && !operation.ends_with("preflight") {
            wrong.push(format!("{operation} refuses a good name: {}", answer.text));
        }
    }
    let import = json!({ "integrations": [{ "name": "A\u{202e}b", "url": URL, "auth_type": "none", "transport": "http" }] });
    let refused = admin.post("/v1/mcp-integrations/import", &import).await.expect(422);
    assert!(
        refused.errors().iter().any(|(_, pointer)| pointer == "/integrations/0/name"),
        "{}",
        refused.text
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
