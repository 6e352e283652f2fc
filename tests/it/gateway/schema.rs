//! Documents that are really served agree with their published schemas.

use crate::worker::{Working, registration_in, upstream};
use registry_core::metadata::{FIELDS, Section, Usage};
use registry_core::permission::Role;
use registry_core::registration::State;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use support::{Engine, TestRegistry, TestServer};

/// Configurations that give documents of every form.
fn configurations() -> Vec<Value> {
    let mut rows = vec![
        json!({}),
        json!({ "headers": { "X-A": "secret" }, "passthrough_headers": { "X-T": "acme", "X-None": null } }),
        json!({ "custom_headers": { "X-A": "secret" }, "passthrough_header": { "X-T": "acme" } }),
        json!({ "forward_headers": ["X-Request-Id"] }),
        json!({ "forward_headers": [{ "from": "X-Tenant", "to": "X-Upstream-Tenant" }] }),
        json!({ "forward_headers": ["X-Request-Id", { "from": "X-Tenant", "to": "X-Upstream-Tenant" }] }),
        json!({ "forward_headers": { "mode": "all-except", "headers": ["Cookie"] } }),
        json!({ "forward_headers": { "mode": "allowlist", "headers": [{ "from": "X-A", "to": "X-B" }, "X-C"] } }),
        json!({ "tools": { "allowed": null, "blocked": ["delete_everything"], "rateLimit": null } }),
        json!({ "tools": null, "forward_headers": null, "headers": null }),
        json!({ "transport": { "preferred": "sse" } }),
        json!({ "oauth_client_metadata": { "client_id": "a", "client_secret": "s" }, "somebody_elses": { "a": 1 } }),
        json!({ "jwt_validation": { "jwks": { "keys": [] }, "claimValues": { "tenant": { "values": ["acme", "beta"] } } } }),
    ];
    // The example of every member for gateways, and an object of all examples of each section.
    let example = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for field in
        FIELDS.iter().filter(|field| field.section == Section::TopLevel && field.usage == Usage::Gateway)
    {
        rows.push(json!({ field.name: example(field.example) }));
    }
    for (member, section) in [
        ("user_identity_forwarding", Section::UserIdentityForwarding),
        ("jwt_validation", Section::JwtValidation),
        ("external_auth_config", Section::ExternalAuthConfig),
        ("tools", Section::Tools),
    ] {
        let members = FIELDS.iter().filter(|field| field.section == section);
        let all: Map<String, Value> =
            members.map(|field| (field.name.to_owned(), example(field.example))).collect();
        rows.push(json!({ member: all }));
    }
    rows
}

/// The schema of a document as `/docs/gateway-document.schema.json` has it, and as the OpenAPI document has it.
async fn schemas(t: &TestServer) -> Vec<Value> {
    let published = t.anonymous().get("/docs/gateway-document.schema.json").await.expect(200).json();
    let document = registry_api::document();
    let mut in_openapi = document["components"]["schemas"]["GatewayDocument"].clone();
    in_openapi["components"] = document["components"].clone();
    vec![published, in_openapi]
}

fn check(schemas: &[Value], document: &Value, what: &Value) {
    for schema in schemas {
        let validator = jsonschema::draft202012::new(schema).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what} gives {document}: {errors:?}");
        let known: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().collect();
        let unknown: Vec<_> =
            document.as_object().unwrap().keys().filter(|name| !known.contains(name)).collect();
        assert!(
            unknown.is_empty() || unknown == ["somebody_elses"],
            "{what}: not in the schema: {unknown:?}"
        );
    }
}

#[tokio::test]
async fn served_documents_of_many_configurations_agree_with_their_schemas() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    let schemas = schemas(&t).await;
    let gateway = t.inner.actor(Role::Gateway, None).await;
    let admin = t.client(Role::Admin, None).await;
    for (number, configuration) in configurations().iter().enumerate() {
        let slug = format!("row-{number}");
        t.inner.integration(&slug, "https://mcp.linear.app/mcp", Some(&configuration.to_string())).await;
        t.inner.server(&slug, "acme").await;
        let document = t.inner.registry.gateway().document(&gateway, "acme", &slug).await.unwrap();
        check(&schemas, &serde_json::from_slice(&document.body).unwrap(), configuration);
    }
    let disable = json!({ "status": "disabled" });
    admin.put("/v1/mcp-integrations/row-1", &disable).await.expect(200);
    let document = t.inner.registry.gateway().document(&gateway, "acme", "row-1").await.unwrap();
    check(&schemas, &serde_json::from_slice(&document.body).unwrap(), &disable);
    // A document of another form is refused.
    let wrong = json!({ "forward_headers": ["X-Request-Id", 1] });
    assert!(!jsonschema::draft202012::new(&schemas[0]).unwrap().is_valid(&wrong));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn served_document_with_a_client_agrees_with_its_schemas() {
    let t = TestRegistry::new(Engine::Sqlite).await;
    let text =
        json!({ "oauth_client_metadata": { "authorization_params": { "prompt": "consent" } } }).to_string();
    let sandbox = upstream(&t, Quirks::default(), Some(&text)).await;
    let worker = Working::start(&t.registry, Limits::default());
    registration_in(&t, State::Registered).await;
    let gateway = t.actor(Role::Gateway, None).await;
    let document = t.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    assert!(
        document["client"]["client_id"].is_string() && document["authorization_params"]["prompt"].is_string()
    );
    check(&schemas(&TestServer::over(t)).await, &document, &json!(text));
    worker.stop().await;
    sandbox.stop().await;
}
