//! Tests of what `configure` mounts, on an in-memory database.

use crate::configure;
use crate::state::ApiState;
use crate::state::Limits;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, IF_MATCH};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, http::StatusCode};
use futures_util::future::BoxFuture;
use registry::{
    BeforeRequest, Discovered, FetchedLogo, HttpRequest, HttpResponse, Look, NewApiKey, ProbeTarget, Probed,
    Registry, SealingKey, SealingRing, SecretStore, SecretText, Settings, TrustedHttpClient, Upstream,
};
use registry_core::clock::{Clock, Timestamp};
use registry_core::oauth::Exchange;
use registry_core::permission::Role;
use registry_core::registration::Desired;
use serde_json::{Value, json};
use std::sync::Arc;
use tracing_actix_web::TracingLogger;

struct Still;

/// External services that are never called: no test here sends an upstream request.
struct Closed;

impl TrustedHttpClient for Closed {
    fn ask<'a>(&'a self, _: HttpRequest<'a>) -> BoxFuture<'a, Result<HttpResponse, String>> {
        unreachable!("nothing here asks an identity provider")
    }
}

impl SecretStore for Closed {
    fn read_secret<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<SecretText, String>> {
        unreachable!("nothing here reads a secret")
    }
}

impl Upstream for Closed {
    fn discover<'a>(&'a self, _: &'a Desired, _: &'a BeforeRequest<'a>) -> BoxFuture<'a, Discovered> {
        unreachable!("nothing here asks an upstream")
    }

    fn probe(&self, _: ProbeTarget) -> BoxFuture<'_, Probed> {
        unreachable!("nothing here asks an upstream")
    }

    fn look(&self, _: ProbeTarget) -> BoxFuture<'_, Look> {
        unreachable!("nothing here asks an upstream")
    }

    fn fetch_logo<'a>(&'a self, _: &'a str) -> BoxFuture<'a, FetchedLogo> {
        unreachable!("nothing here asks an upstream")
    }

    fn reach<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Exchange> {
        unreachable!("nothing here asks an upstream")
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        crate::examples::moment()
    }
}

/// An empty registry, and keys of an admin, a viewer and a gateway.
async fn registry() -> (ApiState, [String; 3]) {
    let ring = SealingRing::new(vec![SealingKey::generate().unwrap()]).unwrap();
    let registry =
        Registry::open("sqlite::memory:", Settings::default(), ring, Arc::new(Still), Arc::new(Closed))
            .await
            .unwrap();
    registry.deployment().migrate().await.unwrap();
    let mut keys = Vec::new();
    for role in [Role::Admin, Role::Viewer, Role::Gateway] {
        let new = NewApiKey {
            name: role.as_str().to_owned(),
            role,
            scopes: Vec::new(),
            workspace: None,
            expires_at: None,
            reason: None,
        };
        keys.push(registry.api_keys().create(&registry.operator(), new).await.unwrap().key);
    }
    let state = ApiState { registry, metrics: Arc::new(String::new), limits: Limits { body: 10_000 } };
    (state, keys.try_into().unwrap())
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

async fn reply(response: ServiceResponse) -> Reply {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = read_body(response).await;
    Reply { status: status.as_u16(), headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// The app of `configure`; requests are sent with `$send(method, path, key, body)`.
macro_rules! app {
    ($state:expr, $send:ident) => {
        let app = init_service(
            App::new().wrap(TracingLogger::default()).configure(|config| configure(config, $state.clone())),
        )
        .await;
        let $send = async |method: &str, path: &str, key: &str, body: &str, extra: &[(&str, &str)]| {
            let mut request = TestRequest::with_uri(path).method(method.parse().unwrap());
            if !key.is_empty() {
                request = request.insert_header(("x-portkey-api-key", key));
            }
            if !body.is_empty() {
                request =
                    request.insert_header(("content-type", "application/json")).set_payload(body.to_owned());
            }
            for (name, value) in extra {
                request = request.insert_header((*name, *value));
            }
            reply(call_service(&app, request.to_request()).await.map_into_boxed_body()).await
        };
    };
}

#[actix_web::test]
async fn integration_is_created_changed_and_deleted() {
    let (state, [admin, viewer, gateway]) = registry().await;
    app!(state, send);
    let configuration =
        "{ \"oauth_client_metadata\": {\n  \"client_name\": \"Acme\",\n  \"client_nmae\": \"x\" } }";
    let body = format!(
        "{{\"name\": \"Linear\", \"url\": \"https://mcp.linear.app/mcp\", \"auth_type\": \"oauth_auto\", \"transport\": \"http\", \"configurations\": {configuration}}}"
    );
    let made = send("POST", "/v1/mcp-integrations", &admin, &body, &[]).await;
    assert_eq!((made.status, made.header("etag")), (200, "\"1\""), "{}", made.body);
    assert_eq!(made.body["slug"], "linear");
    let finding = &made.body["findings"][0];
    assert_eq!(finding["pointer"], "/configurations/oauth_client_metadata/client_nmae");
    assert_eq!((&finding["code"], &finding["suggestion"]), (&json!("unknown_member"), &json!("client_name")));
    assert_eq!((&finding["line"], &finding["column"]), (&json!(3), &json!(18)));

    for name in ["linear", made.body["id"].as_str().unwrap()] {
        let read = send("GET", &format!("/v1/mcp-integrations/{name}"), &viewer, "", &[]).await;
        assert_eq!((read.status, read.header("etag")), (200, "\"1\""));
        assert_eq!(read.body["configurations"], serde_json::from_str::<Value>(configuration).unwrap());
        assert_eq!(read.body["updated_at"], read.body["last_updated_at"]);
    }
    let listed = send("GET", "/v1/mcp-integrations?search=LIN&page_size=1", &viewer, "", &[]).await;
    assert_eq!((&listed.body["object"], &listed.body["total"]), (&json!("list"), &json!(1)));
    assert_eq!(listed.body["has_more"], false);

    let taken = send(
        "POST",
        "/v1/mcp-integrations",
        &admin,
        &body.replace("\"name\"", "\"slug\": \"linear\", \"name\""),
        &[],
    )
    .await;
    assert_eq!((taken.status, &taken.body["code"]), (409, &json!("slug_taken")));
    assert_eq!(taken.body["data"]["errorCode"], "AB07");
    assert_eq!(
        (&taken.body["errors"][0]["pointer"], &taken.body["errors"][0]["line"]),
        (&json!("/slug"), &json!(1))
    );

    let path = "/v1/mcp-integrations/linear";
    let stale = send("PUT", path, &admin, "{\"name\": \"A\"}", &[(IF_MATCH.as_str(), "\"7\"")]).await;
    assert_eq!((stale.status, &stale.body["code"]), (412, &json!("stale_version")));
    let saved =
        send("PUT", path, &admin, "{\"configurations\": null}", &[(IF_MATCH.as_str(), "\"1\"")]).await;
    assert_eq!((saved.status, saved.header("etag")), (200, "\"2\""), "{}", saved.body);
    let read = send("GET", path, &viewer, "", &[]).await;
    assert_eq!(read.body["configurations"], Value::Null);
    let revisions = send("GET", &format!("{path}/revisions"), &viewer, "", &[]).await;
    assert_eq!(revisions.body["total"], 2, "{}", revisions.body);
    let reverted = send("POST", &format!("{path}/revisions/1/revert"), &admin, "", &[]).await;
    assert_eq!(reverted.status, 200, "{}", reverted.body);

    let refused = send(
        "PUT",
        path,
        &admin,
        "{\"configurations\": {\"oauth_client_metadata\": {\"contacts\": \"a@b\"}}}",
        &[],
    )
    .await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/configurations/oauth_client_metadata/contacts");
    assert!(refused.body["errors"][0]["column"].is_number());

    // A caller without write permission is refused before the body is read.
    assert_eq!(send("POST", "/v1/mcp-integrations", &viewer, "{", &[]).await.status, 403);
    assert_eq!(send("GET", path, &gateway, "", &[]).await.status, 403);
    assert_eq!(send("DELETE", path, &admin, "", &[]).await.status, 200);
    let gone = send("GET", path, &admin, "", &[]).await;
    assert_eq!((gone.status, &gone.body["success"]), (404, &json!(false)));
}

#[actix_web::test]
async fn server_metadata_is_shown_and_fetched_by_gateways() {
    let (state, [admin, viewer, gateway]) = registry().await;
    app!(state, send);
    let made = send("POST", "/v1/workspaces", &admin, "{\"name\": \"Acme\", \"slug\": \"acme\"}", &[]).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let body = "{\"name\": \"Linear\", \"url\": \"https://mcp.linear.app/mcp\", \"auth_type\": \"oauth_auto\", \"transport\": \"http\"}";
    assert_eq!(send("POST", "/v1/mcp-integrations", &admin, body, &[]).await.status, 200);
    let body = "{\"name\": \"Linear\", \"mcp_integration_id\": \"linear\", \"workspace_id\": \"acme\", \"organisation_id\": \"x\"}";
    let server = send("POST", "/v1/mcp-servers", &admin, body, &[]).await;
    assert_eq!(
        (server.status, &server.body["registration"]["state"]),
        (200, &json!("queued")),
        "{}",
        server.body
    );

    let sent = send("GET", "/v1/mcp-servers/linear/client-metadata", &viewer, "", &[]).await;
    assert_eq!(sent.body["metadata"]["client_name"], "Portkey (acme/linear)", "{}", sent.body);
    assert_eq!(sent.body["origins"]["client_name"], "default");
    let checked = send(
        "POST",
        "/v1/advanced-configuration/check",
        &viewer,
        "{\"text\": \"{\\\"oauth_client_metadata\\\": {\\\"client_name\\\": \\\"Acme\\\"}}\", \"mcp_integration_id\": \"linear\"}",
        &[],
    )
    .await;
    assert_eq!((checked.status, &checked.body["valid"]), (200, &json!(true)), "{}", checked.body);
    assert_eq!(checked.body["preview"]["metadata"]["client_name"], "Acme");
    assert_eq!(checked.body["affected"]["servers"], 1);

    let listed =
        send("GET", "/v1/registrations?state=queued,failed&workspace_id=acme", &viewer, "", &[]).await;
    let id = listed.body["data"][0]["id"].as_str().unwrap().to_owned();
    let one = send("GET", &format!("/v1/registrations/{id}"), &viewer, "", &[]).await;
    assert_eq!((one.status, &one.body["clients"]), (200, &json!([])), "{}", one.body);
    assert_eq!(send("POST", &format!("/v1/registrations/{id}/retry"), &admin, "", &[]).await.status, 200);
    assert_eq!(send("GET", "/v1/registrations?state=broken", &viewer, "", &[]).await.status, 400);

    let path = "/v1/gateway/servers/acme/linear";
    let document = send("GET", path, &gateway, "", &[]).await;
    assert_eq!((document.status, &document.body["workspace"]), (200, &json!("acme")), "{}", document.body);
    assert_eq!(document.header("cache-control"), "private, no-cache");
    assert_eq!(document.header("vary"), "Authorization, x-portkey-api-key, Accept-Encoding");
    let known = send("GET", path, &gateway, "", &[("if-none-match", document.header("etag"))]).await;
    assert_eq!((known.status, known.header("etag")), (304, document.header("etag")));
    assert_eq!(send("GET", path, &admin, "", &[]).await.status, 403);

    let access = send("GET", "/v1/mcp-integrations/linear/workspaces", &viewer, "", &[]).await;
    assert_eq!(access.body["workspaces"][0]["slug"], "acme", "{}", access.body);
    let layer = "{\"workspaces\": [{\"id\": \"acme\", \"configurations\": {\"oauth_client_metadata\": {\"client_name\": \"W\"}}}]}";
    let saved = send("PUT", "/v1/mcp-integrations/linear/workspaces", &admin, layer, &[]).await;
    assert_eq!((saved.status, &saved.body["affected"]["servers"]), (200, &json!(1)), "{}", saved.body);
    let sent =
        send("GET", "/v1/mcp-servers/linear/client-metadata?workspace_id=acme", &viewer, "", &[]).await;
    assert_eq!(sent.body["origins"]["client_name"], "workspace");

    let organisation = send(
        "PUT",
        "/v1/organisation/configuration",
        &admin,
        "{\"configurations\": {\"oauth_client_metadata\": {\"scope\": \"\u{e9}\"}}}",
        &[],
    )
    .await;
    assert_eq!(organisation.status, 422);
    assert_eq!(organisation.body["errors"][0]["pointer"], "/configurations/oauth_client_metadata/scope");
    for path in [
        "/v1/organisation/configuration",
        "/v1/api-keys",
        "/v1/audit-events",
        "/v1/schemas/advanced-configuration",
        "/v1/mcp-servers/linear",
    ] {
        let read = send("GET", path, &admin, "", &[]).await;
        assert_eq!(read.status, 200, "{path}: {}", read.body);
    }
}

#[actix_web::test]
async fn invalid_requests_get_problem_documents() {
    let (state, [admin, ..]) = registry().await;
    app!(state, send);
    let nobody = send("GET", "/v1/workspaces", "", "", &[]).await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(nobody.header("content-type"), "application/problem+json");
    assert_eq!(nobody.body["request_id"], nobody.header("x-request-id"));
    assert_eq!(nobody.header("x-request-id"), nobody.header("x-portkey-request-id"));
    assert_eq!(nobody.body["instance"], "/v1/workspaces");
    for name in ["x-content-type-options", "cache-control", "content-security-policy", "referrer-policy"] {
        assert!(!nobody.header(name).is_empty(), "{name}");
    }
    // A body is not read before the caller is authenticated.
    assert_eq!(send("POST", "/v1/workspaces", "", "{", &[]).await.status, 401);

    let lost = send("GET", "/v1/nothing", &admin, "", &[]).await;
    assert_eq!((lost.status, &lost.body["code"]), (404, &json!("unknown_path")));
    for (method, path, allow) in [
        ("PATCH", "/v1/workspaces", "GET, POST"),
        ("POST", "/v1/gateway/servers/a/b", "GET"),
        ("GET", "/v1/advanced-configuration/check", "POST"),
    ] {
        let refused = send(method, path, &admin, "", &[]).await;
        assert_eq!((refused.status, refused.header("allow")), (405, allow), "{method} {path}");
    }

    let broken = send("POST", "/v1/workspaces", &admin, "{\n  \"name\" 5}", &[]).await;
    assert_eq!((broken.status, &broken.body["errors"][0]["line"]), (400, &json!(2)), "{}", broken.body);
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(11_000));
    assert_eq!(send("POST", "/v1/workspaces", &admin, &large, &[]).await.status, 413);
    let form = send("POST", "/v1/workspaces", &admin, "{}", &[("content-type", "text/plain")]).await;
    assert_eq!(form.status, 415);
    assert_eq!(send("PUT", "/v1/workspaces/acme", &admin, "", &[]).await.status, 422);
    let later = send("PUT", "/v1/mcp-servers/any/tokens", &admin, "{}", &[]).await;
    assert_eq!((later.status, &later.body["code"]), (501, &json!("not_implemented")));
    assert_eq!(send("GET", "/v1/workspaces?page_size=x", &admin, "", &[]).await.status, 400);
    assert_eq!(send("GET", "/v1/workspaces/%ff", &admin, "", &[]).await.status, 404);
}

#[actix_web::test]
async fn probes_and_reference_need_no_credential() {
    let (state, _) = registry().await;
    app!(state, send);
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs/",
        "/docs/problems",
        "/docs/swagger-ui-bundle.js",
    ] {
        let read = send("GET", path, "", "", &[]).await;
        assert_eq!((read.status, read.header("x-content-type-options")), (200, "nosniff"), "{path}");
    }
    let moved = send("GET", "/docs", "", "", &[]).await;
    assert_eq!((moved.status, moved.header("location")), (308, "/docs/"));
    assert_eq!(send("GET", "/openapi.json", "", "", &[]).await.body["openapi"], "3.1.0");
    assert_eq!(
        StatusCode::OK.as_u16(),
        send("GET", "/readyz", "", "", &[("accept-encoding", "gzip")]).await.status
    );
}
