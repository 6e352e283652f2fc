//! The API of the open gateway's control plane: the calls that it makes, and what it is told of changes.

use super::{SECRET, configure, header, seed, until};
use registry::{PortkeySettings, PushTarget, Settings};
use registry_core::permission::Role;
use registry_core::secret::Secret;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Client, Engine, FakeOpenGateway, Reply, TestRegistry, TestServer, follow};

/// A request as the gateway sends it: its own credential as `PORTKEY_CLIENT_AUTH`, and the user's.
struct Gateway<'a> {
    anonymous: Client,
    own: &'a str,
    user: &'a str,
}

impl Gateway<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.anonymous.request(method, path);
        if !self.own.is_empty() {
            request = request.header("authorization", self.own);
        }
        if !self.user.is_empty() {
            request = request.header("x-portkey-api-key", self.user);
        }
        Client::send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_the_gateway_is_answered(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    seed(&t.inner).await;
    let text = format!(
        r#"{{"headers":{{"X-Secret":"{SECRET}"}},"forward_headers":["x-a",{{"from":"x-b","to":"x-c"}}]}}"#
    );
    let admin = t.client(Role::Admin, None).await;
    admin.put("/v1/mcp-integrations/linear", &json!({ "auth_type": "headers" })).await.expect(200);
    configure(&t.inner.registry, "linear", &text).await;
    let (own, user) = (t.key(Role::Gateway, None).await, t.key(Role::Viewer, Some("acme")).await);
    let gateway = Gateway { anonymous: t.anonymous(), own: &own, user: &user };
    let server = "/v2/mcp-servers/linear";
    let tools = json!({ "capabilities": [{ "name": "add", "type": "tool" }, { "name": "N", "type": "resource", "uri": "file:///n" }] });
    let ask = async |method: Method, path: &str, body: Option<Value>, status: u16| {
        let reply = gateway.send(method, path, body).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text);
        reply.json()
    };

    // 1
    let details = "/v2/api-keys/self/details?include_organisation=true&include_workspace=true";
    let own_key = ask(Method::GET, details, None, 200).await;
    assert_eq!(own_key["data"]["workspace_details"]["slug"], "acme");
    assert_eq!(own_key["data"]["api_key_details"]["scopes"], json!(["mcp.invoke"]));
    assert!(own_key["data"]["organisation_details"]["organisation_id"].is_string());
    // 2
    let config = ask(Method::GET, &format!("{server}?workspace_id=acme&organisation_id=x"), None, 200).await;
    let details = &config["mcp_integration_details"];
    assert_eq!(details["configurations"]["headers"]["X-Secret"], SECRET);
    assert_eq!(details["configurations"]["forward_headers"], json!(["x-a", "x-b"]));
    assert_eq!((&details["auth_type"], &details["transport"]), (&json!("headers"), &json!("http")));
    // 3
    let check = format!("{server}/user-access/check?workspace_id=acme");
    assert_eq!(ask(Method::GET, &check, None, 200).await["allowed"], true);
    // 4 to 7: this registry keeps no tokens, and the server needs no client.
    ask(Method::GET, &format!("{server}/tokens?workspace_id=acme"), None, 404).await;
    ask(Method::PUT, &format!("{server}/tokens"), Some(json!({ "access_token": "x" })), 501).await;
    assert_eq!(
        ask(Method::DELETE, &format!("{server}/tokens?workspace_id=acme"), None, 200).await["success"],
        true
    );
    ask(Method::GET, &format!("{server}/client-info?workspace_id=acme"), None, 404).await;
    // 9, 10, 8
    ask(Method::POST, &format!("{server}/capabilities/sync?workspace_id=acme"), Some(tools), 200).await;
    let info = json!({ "server_name": "up", "icons": null });
    ask(Method::POST, &format!("{server}/metadata/sync?workspace_id=acme"), Some(info), 200).await;
    let off = json!({ "capabilities": [{ "name": "add", "type": "tool", "enabled": false }] });
    admin.put("/v1/mcp-servers/linear/capabilities", &off).await.expect(200);
    let listed = ask(Method::GET, &format!("{server}/capabilities?workspace_id=acme"), None, 200).await;
    let of = |name: &str| listed["data"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
    assert_eq!(of("add").unwrap()["enabled"], false);
    // Resources are compared by their URI.
    assert_eq!(of("file:///n").unwrap()["enabled"], true);
    // 11 to 15
    for path in ["/v2/oauth/register", "/v2/oauth/token"] {
        ask(Method::POST, path, Some(json!({})), 501).await;
    }
    for path in
        ["/v2/oauth/authorize", "/v2/oauth/linear/authorize", "/v2/oauth/acme/linear/authorize?state=x"]
    {
        ask(Method::GET, path, None, 501).await;
    }
    let token = json!({ "token": "pat_x", "token_type_hint": "access_token" });
    assert_eq!(
        ask(Method::POST, "/v2/oauth/introspect", Some(token.clone()), 200).await,
        json!({ "active": false })
    );
    ask(Method::POST, "/v2/oauth/revoke", Some(token), 200).await;
    // 16
    let log = json!({ "logs": "x".repeat(700_000) });
    ask(Method::POST, "/v1/logs/enterprise/logs?organisation_id=x", Some(log.clone()), 200).await;
    ask(Method::POST, "/v1/analytics/enterprise/analytics", Some(log), 200).await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_go_to_the_gateway_only_and_access_fails_closed(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    t.inner.workspace("beta").await;
    seed(&t.inner).await;
    let (own, user) = (t.key(Role::Gateway, None).await, t.key(Role::Viewer, Some("acme")).await);
    let (outsider, bound) =
        (t.key(Role::Viewer, Some("beta")).await, t.key(Role::Gateway, Some("beta")).await);
    let config = "/v2/mcp-servers/linear?workspace_id=acme";
    let check = "/v2/mcp-servers/linear/user-access/check?workspace_id=acme";
    for (own, user, path, status) in [
        ("", user.as_str(), config, 401),
        ("", user.as_str(), check, 401),
        (user.as_str(), user.as_str(), config, 403),
        (user.as_str(), user.as_str(), check, 403),
        (bound.as_str(), user.as_str(), config, 404),
        (bound.as_str(), user.as_str(), check, 404),
        ("mcpr_wrong", user.as_str(), check, 401),
    ] {
        let gateway = Gateway { anonymous: t.anonymous(), own, user };
        let reply = gateway.send(Method::GET, path, None).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text);
        assert!(!reply.text.contains(SECRET), "{}", reply.text);
    }
    for (user, allowed) in
        [(user.as_str(), true), (outsider.as_str(), false), ("mcpr_wrong", false), ("", false)]
    {
        let gateway = Gateway { anonymous: t.anonymous(), own: &own, user };
        let answer = gateway.send(Method::GET, check, None).await.expect(200).json();
        assert_eq!(answer["allowed"], allowed, "{answer}");
    }
    // A server that needs a client is not handed out without: the gateway would register its own.
    let gateway = Gateway { anonymous: t.anonymous(), own: &own, user: &user };
    let refused = gateway.send(Method::GET, config, None).await.expect(503);
    assert!(refused.json()["detail"].as_str().unwrap().contains("not there yet"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_is_not_there_unless_it_is_switched_on() {
    let t = TestServer::over(TestRegistry::with(Engine::Sqlite, Settings::default()).await);
    let key = t.key(Role::Gateway, None).await;
    let gateway = Gateway { anonymous: t.anonymous(), own: &key, user: &key };
    for path in ["/v2/mcp-servers/linear", "/v2/api-keys/self/details", "/v2/oauth/authorize"] {
        let reply = gateway.send(Method::GET, path, None).await.expect(404);
        assert!(reply.text.contains("gateway.portkey.enabled"), "{path}: {}", reply.text);
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateway_is_told_of_every_change_also_after_it_was_away(#[case] engine: Engine) {
    const PUSH_TIMEOUT: Duration = Duration::from_secs(20);
    let fake = FakeOpenGateway::start();
    let push = vec![PushTarget { url: fake.url.clone(), token: Secret::from("sync-canary-71") }];
    let settings = Settings { portkey: Some(PortkeySettings { push }), ..Settings::default() };
    let t = TestServer::over(TestRegistry::with(engine, settings).await);
    follow(&t.inner.registry, &t.inner.database.url).await;
    seed(&t.inner).await;
    let admin = t.inner.admin();
    // Two processes: one of them tells.
    for name in ["one", "two"] {
        let registry = t.inner.registry.clone();
        tokio::spawn(async move { registry.gateway().push_changes(name, std::future::pending()).await });
    }
    let state = async || t.inner.registry.gateway().push_states(&admin).await.unwrap().remove(0);
    until(PUSH_TIMEOUT, async || state().await.told_at.is_some()).await;
    // A gateway that is new has nothing old.
    assert_eq!(fake.state().servers(), Vec::<String>::new());

    let began = std::time::Instant::now();
    configure(&t.inner.registry, "linear", &header("two")).await;
    until(PUSH_TIMEOUT, async || fake.state().servers() == ["acme/linear"]).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let (credential, body) = fake.state().told[0].clone();
    assert_eq!(credential, "Bearer sync-canary-71");
    assert!(
        body["organisation_id"].is_string() && body["mcpServersV2"][0]["reset_capabilities"] == true,
        "{body}"
    );

    for (refusal, errors) in [(Some(503), 0), (Some(401), 0), (None, 1)] {
        fake.state().told.clear();
        (fake.state().refuses, fake.state().errors) = (refusal, errors);
        configure(&t.inner.registry, "linear", &header("three")).await;
        until(PUSH_TIMEOUT, async || state().await.failing_since.is_some()).await;
        let failing = state().await;
        assert!(failing.behind > 0 && failing.error.is_some(), "{failing:?}");
        assert!(!format!("{failing:?}").contains("sync-canary-71"));
        t.inner.workspace(&format!("later-{}-{errors}", refusal.unwrap_or_default())).await;
        (fake.state().refuses, fake.state().errors) = (None, 0);
        fake.state().told.clear();
        until(PUSH_TIMEOUT, async || {
            t.inner.clock.advance(chrono::Duration::seconds(1));
            state().await.failing_since.is_none()
        })
        .await;
        assert_eq!(fake.state().servers(), ["acme/linear"], "{refusal:?}: told once, with what came since");
        configure(&t.inner.registry, "linear", &header("four")).await;
        until(PUSH_TIMEOUT, async || fake.state().servers().len() == 2).await;
    }

    let other = t.key(Role::Viewer, None).await;
    let keys = t.inner.registry.api_keys().list(
        &admin,
        registry::ApiKeyFilter::default(),
        registry::PageRequest::default(),
    );
    let id = keys.await.unwrap().items[0].id;
    fake.state().told.clear();
    t.inner.registry.api_keys().revoke(&admin, id, false).await.unwrap();
    until(PUSH_TIMEOUT, async || {
        fake.state().told.iter().any(|(_, body)| body["apiKeyIds"].to_string().contains(&id.to_string()))
    })
    .await;
    drop(other);
}
