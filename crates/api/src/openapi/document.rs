//! The OpenAPI 3.1 document, generated from the operations.

use crate::http::fallback::DocumentedPaths;
use crate::http::query;
use crate::http::responses;
use crate::openapi::refine::refine;
use crate::routes::mount;
use actix_web::App;
use actix_web::web::Data;
use serde_json::Value;
use std::sync::LazyLock;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ArrayBuilder, LicenseBuilder, OpenApi, PathItem, Ref, RefOr, Required, Schema};
use utoipa_actix_web::AppExt;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "MCP Registry",
        description = "The control plane for the OAuth client identity of MCP gateways.\n\nPaths, bodies and list envelopes are those of the hosted product's public API, so that its SDK works by changing the base URL; this API is a superset. Wherever an id is taken, the slug is taken too. Answers with an `ETag` can be changed safely by sending it back in `If-Match`. Problems are RFC 9457 documents whose `errors` name members by JSON Pointer. A query parameter that is empty counts as absent, one that is not known is ignored.",
    ),
    servers((url = "/", description = "This deployment")),
    components(schemas(crate::http::problem::Problem, crate::http::problem::ProblemData, registry_core::finding::Finding, registry_core::finding::Severity)),
    tags(
        (name = "workspaces", description = "Teams inside the organisation."),
        (name = "integrations", description = "Upstream MCP servers: address, authentication, Advanced Configuration."),
        (name = "servers", description = "Integrations made available in one workspace: what gateways and users see."),
        (name = "configuration", description = "The organisation's Advanced Configuration, checking one, and its schema."),
        (name = "registrations", description = "Registrations: each is reconciled until a valid OAuth client exists for its server."),
        (name = "rollouts", description = "Rollouts: changes of a layer with more than 100 servers, on their way to these servers in batches."),
        (name = "orphans", description = "Orphaned clients: they may exist at an authorization server and are not used by this deployment."),
        (name = "keys", description = "API keys of users, automation and gateways."),
        (name = "users", description = "Users: who may sign in, their roles, their sessions."),
        (name = "audit", description = "The audit log: who changed what, when, and from which source."),
        (name = "gateway", description = "The gateway API. Only for the role `gateway`."),
        (name = "capabilities", description = "What upstream servers offer and say about themselves, and what may be offered of it."),
        (name = "user access", description = "Which users may use a server."),
        (name = "connections", description = "Clients and connections of servers. Gateways keep the tokens of users."),
        (name = "open gateway", description = "The control plane API of the open gateway (`Portkey-AI/gateway`). Served where `gateway.portkey.enabled` is true; the gateway's own credential is an API key of the role `gateway` in `x-client-id-mcp-gateway` or `Authorization`."),
        (name = "hosted paths", description = "Paths of the hosted product beside MCP, for its SDKs and its Terraform provider. Each is another way to what the other operations have."),
        (name = "not built yet", description = "Operations of the hosted product that this version answers with 501."),
        (name = "operation", description = "Probes and metrics."),
    )
)]
struct Base;

/// Operations whose body is optional, because every member is.
const BODY_OPTIONAL: [&str; 6] = [
    "ensure_gateway_server",
    "preflight_integration",
    "reregister_integration",
    "resolve_orphan",
    "sync_gateway_metadata",
    "sync_server_metadata",
];

/// The OpenAPI document of everything that [`crate::configure`] mounts. Needs neither a database nor a running server.
pub fn document() -> Value {
    // A document of strings, lists and maps has a value.
    let mut document = serde_json::to_value(operations_document()).unwrap_or_default();
    refine(&mut document);
    document
}

/// The document as the operations describe themselves.
fn operations_document() -> OpenApi {
    let mut base = Base::openapi();
    base.info.license = Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build());
    let (_, mut document) = App::new().into_utoipa_app().openapi(base).configure(mount).split_for_parts();
    let components = document.components.get_or_insert_default();
    components.responses = responses::components();
    for (name, schema) in &mut components.schemas {
        if let Some(item) = name.strip_prefix("Listed_") {
            refer_to_items(schema, item);
        }
    }
    components.add_security_scheme(
        "api_key",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "x-portkey-api-key",
            "An API key (`mcpr_…`), or `Bearer` and a token of the configured identity provider.",
        ))),
    );
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API key, or a JWT of the configured identity provider."))
                .build(),
        ),
    );
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            operation.parameters.iter_mut().flatten().for_each(limit_text);
            let optional = operation.operation_id.as_deref().is_some_and(|id| BODY_OPTIONAL.contains(&id));
            if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| optional) {
                body.required = Some(Required::False);
            }
        }
    }
    document
}

/// The paths of the document, as app data.
pub(crate) fn paths() -> Data<DocumentedPaths> {
    static PATHS: LazyLock<Data<DocumentedPaths>> =
        LazyLock::new(|| Data::new(DocumentedPaths::of(&operations_document())));
    PATHS.clone()
}

/// Replaces the inlined schema of list items by a reference.
fn refer_to_items(list: &mut RefOr<Schema>, item: &str) {
    if let RefOr::T(Schema::Object(list)) = list {
        let items = ArrayBuilder::new()
            .items(Ref::from_schema_name(item))
            .description(Some("The items of this page."))
            .build();
        list.properties.insert("data".to_owned(), Schema::Array(items).into());
    }
}

/// Adds the maximum length to a query parameter.
fn limit_text(parameter: &mut RefOr<Parameter>) {
    if let RefOr::T(parameter) = parameter
        && parameter.parameter_in == ParameterIn::Query
        && let Some(schema) = &mut parameter.schema
        && let Ok(mut value) = serde_json::to_value(&*schema)
    {
        query::document_limit(&mut value);
        if let Ok(limited) = serde_json::from_value(value) {
            *schema = limited;
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::openapi::refine::UNCHECKED;
    use std::collections::BTreeSet;

    fn every_operation() -> Vec<(String, Value)> {
        let document = document();
        let mut found = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation.is_object() {
                    found.push((format!("{} {path}", method.to_uppercase()), operation.clone()));
                }
            }
        }
        found
    }

    #[test]
    fn every_operation_is_described() {
        let mut ids = BTreeSet::new();
        let operations = every_operation();
        assert!(operations.len() > 50, "{}", operations.len());
        for (name, operation) in operations {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{name}: operationId twice"
            );
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name}: no summary");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}: one tag");
            let public =
                ["GET /healthz", "GET /readyz", "GET /metrics", "GET /oauth/clients/{document}.json"]
                    .contains(&name.as_str());
            // The others have the one of the document.
            assert_eq!(operation["security"] == serde_json::json!([]), public, "{name}: security");
            assert_eq!(operation.get("security").is_some(), public, "{name}: security");
            if let Some(body) = operation.get("requestBody") {
                let content = body["content"]["application/json"].as_object().unwrap();
                assert!(
                    content.contains_key("example") || content.contains_key("examples"),
                    "{name}: body example"
                );
                let optional = BODY_OPTIONAL.contains(&operation["operationId"].as_str().unwrap());
                assert_eq!(body["required"], !optional, "{name}: body required");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{name}: {}", parameter["name"]);
            }
        }
    }

    #[test]
    fn every_response_has_a_description_and_an_example() {
        let document = document();
        for (name, operation) in every_operation() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let shared = response["$ref"].as_str().and_then(|path| path.rsplit('/').next());
                let response = shared.map_or(response, |name| &document["components"]["responses"][name]);
                assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{name} {status}");
                if status == "304" {
                    continue;
                }
                let (media_type, content) = response["content"].as_object().unwrap().iter().next().unwrap();
                let examples = content.get("example").or_else(|| content.get("examples"));
                assert!(examples.is_some(), "{name} {status}: no example");
                let problem = status.parse::<u16>().unwrap() >= 400;
                assert_eq!(
                    media_type == "application/problem+json",
                    problem,
                    "{name} {status}: {media_type}"
                );
            }
        }
    }

    #[test]
    fn schemas_are_flat_and_complete() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let schemes: BTreeSet<_> =
            document["components"]["securitySchemes"].as_object().unwrap().keys().collect();
        let named =
            document["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys());
        assert_eq!(named.collect::<BTreeSet<_>>(), schemes, "one security for all operations");
        let text = document.to_string();
        assert!(!text.contains("\"allOf\""));
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name} is not there");
        }
    }

    /// Every schema in `value` with its place.
    fn schemas<'a>(place: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(members) => {
                found.push((place.to_owned(), value));
                for (name, member) in members.iter().filter(|(name, _)| !name.starts_with("example")) {
                    schemas(&format!("{place}/{name}"), member, found);
                }
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, item)| schemas(&format!("{place}/{index}"), item, found)),
            _ => {}
        }
    }

    #[test]
    fn schemas_can_be_generated_from() {
        let document = document();
        let components = &document["components"]["schemas"];
        let mut found = Vec::new();
        schemas("", components, &mut found);
        assert!(found.len() > 1000, "{}", found.len());
        for (place, schema) in found {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let said = property["description"].as_str().unwrap_or_default();
                assert!(!said.is_empty(), "{place}/{name} has no description");
            }
            let is_object = schema["type"] == "object" || schema["type"][0] == "object";
            let is_closed =
                schema.get("properties").is_none() && schema.get("additionalProperties").is_none();
            assert!(!(is_object && is_closed), "{place}: generators read this as an object without members");
        }
        for (name, schema) in components.as_object().unwrap() {
            assert!(name.chars().all(char::is_alphanumeric), "{name}: generators change such a name");
            assert!(schema["description"].is_string(), "{name} has no description");
            if let Some(configurations) = schema["properties"].get("configurations")
                && name != UNCHECKED
            {
                let text = configurations.to_string();
                assert!(text.contains("#/components/schemas/AdvancedConfiguration"), "{name}: {text}");
            }
        }
        // A type of this name is part of the client libraries that openapi-generator writes.
        assert!(components.get("Configuration").is_none());
        let text = document.to_string();
        for internal in [".md", ".rs", "INV-"] {
            assert!(!text.contains(internal), "the document names an internal file: {internal}");
        }
        for (path, schema) in
            [("/v1/gateway/changes", "GatewayEvent"), ("/v1/rollouts/{rollout}/events", "RolloutEvent")]
        {
            let stream = &document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"];
            let reference = format!("#/components/schemas/{schema}");
            assert_eq!(stream["schema"]["contentSchema"]["items"]["$ref"], reference, "{path}");
        }
    }

    #[test]
    fn paths_have_the_prefix_of_their_scope() {
        let names: Vec<_> = every_operation().into_iter().map(|(name, _)| name).collect();
        for wanted in [
            "POST /v1/mcp-integrations",
            "PUT /v1/mcp-servers/{server}",
            "GET /v1/gateway/servers/{workspace}/{server}",
            "POST /v1/advanced-configuration/check",
            "POST /v1/registrations/{registration}/re-register",
        ] {
            assert!(names.iter().any(|name| name == wanted), "{wanted}: {names:?}");
        }
    }
}
