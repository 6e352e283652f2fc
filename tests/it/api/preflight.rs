//! Preflight and tests of the connection over REST.

use registration_worker::WorkerOptions;
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use registry_outbound::{Limits, UpstreamClient};
use registry_sandbox::{Options, Quirks, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Engine, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

async fn sandbox(quirks: Quirks) -> Sandbox {
    Sandbox::start(Options { quirks, ..Options::default() }).await.unwrap()
}

/// The integration `linear` of the sandbox with `configurations`; an admin.
async fn integration(t: &TestServer, url: &str, configurations: &Value) -> support::Client {
    let admin = t.client(Role::Admin, None).await;
    t.inner.workspace("acme").await;
    admin.given().integration("linear", url).with("configurations", configurations.clone()).await;
    admin
}

fn codes(preflight: &Value) -> Vec<String> {
    let advice = preflight["advice"].as_array().unwrap();
    advice.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_body_is_sent_afterwards(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let quirks =
        Quirks { scopes_supported: vec!["mcp:read".into(), "offline_access".into()], ..Quirks::default() };
    let sandbox = sandbox(quirks).await;
    let configurations =
        json!({ "oauth_client_metadata": { "client_name": "Acme", "contacts": ["the team@acme.com"] } });
    let admin = integration(&t, &sandbox.mcp_url(), &configurations).await;
    t.inner.server("linear", "acme").await;
    let before = admin.get("/v1/audit-events").await.json()["total"].clone();

    let shown = admin.post("/v1/mcp-integrations/linear/preflight", &json!({})).await.expect(200).json();
    assert_eq!(
        (&shown["object"], &shown["ready"], &shown["method"]),
        (&json!("preflight"), &json!(true), &json!("dcr"))
    );
    assert_eq!((&shown["workspace"], &shown["server"]), (&json!("acme"), &json!("linear")));
    assert_eq!(shown["discovery"]["issuer"], sandbox.issuer());
    assert_eq!(
        (&shown["discovery"]["issuer_match"], &shown["discovery"]["resource_match"]),
        (&json!("exact"), &json!("exact"))
    );
    let steps: Vec<_> = shown["trace"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["step"].as_str().unwrap(), one["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(steps, [("probe", 401), ("protected_resource", 200), ("authorization_server", 200)]);
    assert_eq!(shown["registration"]["request"]["scope"], "mcp:read offline_access");
    assert_eq!(shown["registration"]["adjustments"][0]["member"], "scope");
    assert!(shown["registration"]["adjustments"][0]["why"].is_string());
    assert!(codes(&shown).contains(&"contact_no_email".to_owned()), "{shown:#}");
    assert!(sandbox.registrations().is_empty(), "nothing was registered");
    assert_eq!(admin.get("/v1/audit-events").await.json()["total"], before, "nothing was written");

    let registry = &t.inner.registry;
    let stop = CancellationToken::new();
    let options = WorkerOptions {
        name: "test".into(),
        concurrency: 1,
        poll: Duration::from_millis(50),
        drain: Duration::from_secs(5),
    };
    let guarded = Arc::new(UpstreamClient::new(registry.settings().egress.clone(), Limits::default()));
    let worker = tokio::spawn(registration_worker::run(registry.clone(), guarded, options, stop.clone()));
    assert!(sandbox.wait_for_registration(1, Duration::from_secs(10)).await);
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(sandbox.registrations()[0].body, shown["registration"]["request"]);
    assert_eq!(shown["current_registration"]["state"], "queued");
    let again = admin.post("/v1/mcp-integrations/linear/preflight", &json!({})).await.expect(200).json();
    assert_eq!(
        (&again["current_registration"]["state"], &again["current_registration"]["usable"]),
        (&json!("registered"), &json!(true))
    );
    assert_eq!(again["registration"], shown["registration"], "what is shown is what a new one would be");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_validates_like_a_save_and_changes_nothing(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let sandbox = sandbox(Quirks::default()).await;
    let seed: Value = serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap();
    let admin = integration(&t, "http://127.0.0.1:9/mcp", &seed).await;
    let before = admin.get("/v1/mcp-integrations/linear").await.expect(200);
    let path = "/v1/mcp-integrations/linear/preflight";
    let named = json!({ "oauth_client_metadata": { "client_name": "What if" } });
    let shown = admin
        .post(path, &json!({ "url": sandbox.mcp_url(), "configurations": named, "workspace_id": "acme" }))
        .await
        .expect(200)
        .json();
    assert_eq!(shown["registration"]["request"]["client_name"], "What if");
    let shown = admin
        .post(path, &json!({ "url": sandbox.mcp_url(), "configurations": null, "workspace_id": "acme" }))
        .await
        .expect(200)
        .json();
    assert_eq!(shown["registration"]["request"]["client_name"], "Portkey (acme/linear)");
    let after = admin.get("/v1/mcp-integrations/linear").await.expect(200);
    assert_eq!((before.header("etag"), &before.text), (after.header("etag"), &after.text));

    let wrong = json!({ "configurations": { "oauth_client_metadata": { "contacts": "a@acme.com" } } });
    let refused = admin.post(path, &wrong).await.expect(422);
    assert_eq!(
        refused.errors(),
        [("wrong_type".to_owned(), "/configurations/oauth_client_metadata/contacts".to_owned())]
    );
    let refused = admin.post(path, &json!({ "url": "https://10.0.0.1/mcp" })).await.expect(422);
    assert_eq!(refused.errors(), [("address_not_allowed".to_owned(), "/url".to_owned())]);
    admin.post(path, &json!({ "workspace_id": "nowhere" })).await.expect(404);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_works_before_the_integration_exists(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let sandbox = sandbox(Quirks::default()).await;
    t.inner.workspace("acme").await;
    let manager = t.client(Role::Manager, Some("acme")).await;
    let secret = "canary-initial-access-token";
    let body = json!({
        "name": "New Tool", "url": sandbox.mcp_url(), "auth_type": "oauth_auto", "transport": "http",
        "configurations": { "registration": { "initial_access_token": secret }, "oauth_client_metadata": { "client_nmae": "A" } },
    });
    let shown = manager.post("/v1/mcp-integrations/preflight", &body).await.expect(200);
    assert!(!shown.text.contains("canary") && !shown.text.contains("$sealed"), "{}", shown.text);
    let shown = shown.json();
    assert_eq!(shown["registration"]["with_initial_access_token"], true);
    assert_eq!(shown["registration"]["request"]["client_name"], "Portkey (acme/new-tool)");
    assert_eq!(shown["findings"][0]["pointer"], "/configurations/oauth_client_metadata/client_nmae");
    assert!(!codes(&shown).contains(&"initial_access_token_unknown".to_owned()));
    assert!(sandbox.registrations().is_empty());
    assert_eq!(manager.get("/v1/mcp-integrations").await.expect(200).json()["total"], 0, "nothing was made");

    let mut fixed = body.clone();
    fixed["auth_type"] = json!("headers");
    let shown = manager.post("/v1/mcp-integrations/preflight", &fixed).await.expect(200).json();
    assert_eq!(
        (&shown["method"], &shown["reason"], &shown["trace"]),
        (&Value::Null, &json!("not_needed"), &json!([]))
    );
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_predicts_failures(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let quirks = Quirks {
        no_registration_endpoint: true,
        no_code_challenge_methods: true,
        slash_in_metadata_issuer: true,
        ..Quirks::default()
    };
    let sandbox = sandbox(quirks).await;
    let admin = integration(&t, &sandbox.mcp_url(), &json!({})).await;
    let look =
        async || admin.post("/v1/mcp-integrations/linear/preflight", &json!({})).await.expect(200).json();
    let shown = look().await;
    assert_eq!(
        (&shown["ready"], &shown["method"], &shown["reason"]),
        (&json!(false), &Value::Null, &json!("registration_not_supported"))
    );
    assert!(shown["detail"].as_str().unwrap().contains("client_id"), "it says what to do");
    assert_eq!(shown["registration"], Value::Null);
    assert_eq!(codes(&shown), ["pkce_not_offered", "issuer_spelt_differently"]);
    assert_eq!(shown["discovery"]["warnings"].as_array().unwrap().len(), 1);

    sandbox.set_quirks(Quirks { no_code_challenge_methods: true, ..Quirks::default() });
    let shown = look().await;
    assert_eq!(
        (&shown["ready"], &shown["method"]),
        (&json!(false), &json!("dcr")),
        "it would register, and nobody could sign in"
    );

    sandbox.set_quirks(Quirks {
        auth_methods_supported: Some(vec!["private_key_jwt".into()]),
        ..Quirks::default()
    });
    let shown = look().await;
    assert_eq!((&shown["method"], &shown["reason"]), (&Value::Null, &json!("auth_method_not_supported")));

    sandbox.set_quirks(Quirks { metadata_issuer: Some("https://evil.example".into()), ..Quirks::default() });
    let shown = look().await;
    assert_eq!((&shown["reason"], &shown["discovery"]), (&json!("issuer_mismatch"), &Value::Null));
    assert!(!shown["trace"].as_array().unwrap().is_empty());
    assert!(sandbox.registrations().is_empty());
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_reports_a_token_of_another_origin_and_does_not_send_it(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let first = sandbox(Quirks::default()).await;
    let configurations = json!({ "registration": { "initial_access_token": "canary-token" } });
    let admin = integration(&t, &first.mcp_url(), &configurations).await;
    t.inner.server("linear", "acme").await;
    let registry = &t.inner.registry;
    let stop = CancellationToken::new();
    let options = WorkerOptions {
        name: "test".into(),
        concurrency: 1,
        poll: Duration::from_millis(50),
        drain: Duration::from_secs(5),
    };
    let guarded = Arc::new(UpstreamClient::new(registry.settings().egress.clone(), Limits::default()));
    let worker = tokio::spawn(registration_worker::run(registry.clone(), guarded, options, stop.clone()));
    assert!(first.wait_for_registration(1, Duration::from_secs(10)).await);
    stop.cancel();
    worker.await.unwrap();

    let second = sandbox(Quirks::default()).await;
    let path = "/v1/mcp-integrations/linear/preflight";
    let same = admin.post(path, &json!({})).await.expect(200).json();
    assert!(!codes(&same).contains(&"secret_of_other_issuer".to_owned()));
    let other = admin.post(path, &json!({ "url": second.mcp_url() })).await.expect(200);
    assert!(!other.text.contains("canary"));
    assert_eq!(codes(&other.json())[0], "secret_of_other_issuer");
    assert_eq!(other.json()["ready"], false);
    first.stop().await;
    second.stop().await;
}

/// A server that gives each connection this answer, and what it was sent; without an answer it hangs up.
async fn answering(answer: Option<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 16 * 1024];
            let length = stream.read(&mut bytes).await.unwrap_or(0);
            kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            if let Some(answer) = answer {
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (url, seen)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_reveals_nothing_about_silent_addresses(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let (hangs_up, _) = answering(None).await;
    let admin = integration(&t, "http://127.0.0.1:9/mcp", &json!({})).await;
    let closed = admin.post("/v1/mcp-integrations/linear/preflight", &json!({})).await.expect(200).json();
    let cut = admin
        .post("/v1/mcp-integrations/linear/preflight", &json!({ "url": hangs_up }))
        .await
        .expect(200)
        .json();
    assert_eq!(closed["reason"], "unreachable");
    for member in ["reason", "detail", "advice", "discovery"] {
        assert_eq!(closed[member], cut[member], "{member}");
    }
    assert_eq!(closed["trace"][0]["note"], cut["trace"][0]["note"]);
    assert!(closed["trace"][0].get("status").is_none());

    let test = admin.post("/v1/mcp-integrations/linear/test", &json!({})).await.expect(200).json();
    assert_eq!(
        test,
        json!({ "object": "mcp-integration", "success": false, "url": "http://127.0.0.1:9/mcp", "server_name": "Linear", "error": closed["trace"][0]["note"] })
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_test_connects_like_a_gateway(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let sandbox = sandbox(Quirks::default()).await;
    let admin = integration(&t, &sandbox.mcp_url(), &json!({})).await;
    t.inner.server("linear", "acme").await;
    for (path, object) in [
        ("/v1/mcp-integrations/linear/test", "mcp-integration"),
        ("/v1/mcp-servers/linear/test?workspace_id=acme", "mcp-server"),
    ] {
        let test = admin.post(path, &json!({})).await.expect(200).json();
        assert_eq!(
            (&test["object"], &test["success"], &test["status_code"]),
            (&json!(object), &json!(true), &json!(401)),
            "{test:#}"
        );
        assert!(test["response_time_ms"].is_u64() && test.get("error").is_none());
        assert_eq!(test["url"], sandbox.mcp_url());
    }
    let events = admin.get("/v1/audit-events?action=server.tested").await.expect(200).json();
    assert_eq!(
        (&events["total"], &events["data"][0]["after"]["status"]),
        (&json!(1), &json!(401)),
        "{events:#}"
    );
    admin.put("/v1/mcp-integrations/linear", &json!({ "auth_type": "none" })).await.expect(200);
    let test = admin.post("/v1/mcp-integrations/linear/test", &json!({})).await.expect(200).json();
    assert_eq!((&test["success"], &test["status_code"]), (&json!(false), &json!(401)));
    assert!(test["error"].as_str().unwrap().contains("oauth_auto"), "it says what to choose");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configured_headers_go_only_to_the_integration_url(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let (url, seen) =
        answering(Some("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"))
            .await;
    let admin = t.client(Role::Admin, None).await;
    t.inner.workspace("acme").await;
    let body = json!({
        "name": "Keyed", "slug": "keyed", "url": url, "auth_type": "headers", "transport": "http",
        "configurations": { "headers": { "X-Api-Key": "canary-key", "X-Both": "low" }, "passthrough_headers": { "x-both": "high" } },
    });
    admin.post("/v1/mcp-integrations", &body).await.expect(200);
    let test = admin.post("/v1/mcp-integrations/keyed/test", &json!({})).await.expect(200);
    assert!(!test.text.contains("canary"));
    assert_eq!(test.json()["success"], true, "{}", test.text);
    let sent = seen.lock().unwrap().pop().unwrap().to_lowercase();
    assert!(
        sent.contains("x-api-key: canary-key")
            && sent.contains("x-both: high")
            && !sent.contains("x-both: low"),
        "{sent}"
    );

    // Where a token takes their place they stay here; what every request carries does not.
    admin.put("/v1/mcp-integrations/keyed", &json!({ "auth_type": "oauth_auto" })).await.expect(200);
    admin.post("/v1/mcp-integrations/keyed/test", &json!({})).await.expect(200);
    let sent = seen.lock().unwrap().pop().unwrap().to_lowercase();
    assert!(!sent.contains("canary") && sent.contains("x-both: high"), "{sent}");

    // A preflight sends none, wherever it goes.
    seen.lock().unwrap().clear();
    admin.post("/v1/mcp-integrations/keyed/preflight", &json!({})).await.expect(200);
    assert!(!seen.lock().unwrap().is_empty());
    assert!(seen.lock().unwrap().iter().all(|sent| !sent.to_lowercase().contains("x-both")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_respects_the_issuer_rate_limit() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let settings = support::TestRegistry::new(engine).await.settings;
        let settings =
            registry::Settings { issuer_rate: registry::IssuerRate { burst: 3, per_minute: 10 }, ..settings };
        let t = TestServer::over(support::TestRegistry::with(engine, settings).await);
        let sandbox = sandbox(Quirks::default()).await;
        let admin = integration(&t, &sandbox.mcp_url(), &json!({})).await;
        let path = "/v1/mcp-integrations/linear/preflight";
        for _ in 0..3 {
            admin.post(path, &json!({})).await.expect(200);
        }
        let asked = || {
            let requests = sandbox.requests();
            requests.iter().filter(|one| one.path.contains("oauth-authorization-server")).count()
        };
        let before = asked();
        let refused = admin.post(path, &json!({})).await.expect(429);
        assert_eq!((refused.header("retry-after"), &refused.json()["code"]), ("6", &json!("too_soon")));
        assert_eq!(asked(), before, "it was not asked");
        t.inner.clock.advance(chrono::Duration::seconds(6));
        admin.post(path, &json!({})).await.expect(200);
        sandbox.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_shows_the_document_url() {
    let settings = registry::Settings {
        cimd_public_url: Some("https://id.acme.com".into()),
        gateway_urls: vec!["https://id.acme.com".into()],
        ..support::TestRegistry::new(Engine::Sqlite).await.settings
    };
    let t = TestServer::over(support::TestRegistry::with(Engine::Sqlite, settings).await);
    let sandbox = sandbox(Quirks { cimd_supported: true, ..Quirks::default() }).await;
    let admin = integration(&t, &sandbox.mcp_url(), &json!({})).await;
    let body = json!({ "workspace_id": "acme" });
    let shown = admin.post("/v1/mcp-integrations/linear/preflight", &body).await.expect(200).json();
    assert_eq!((&shown["method"], &shown["registration"]), (&json!("cimd"), &Value::Null));
    assert_eq!(shown["document"]["client_id"], "https://id.acme.com/oauth/clients/{id}.json");
    assert_eq!(shown["document"]["client_name"], "Portkey (acme/linear)");
    assert_eq!(codes(&shown), ["branding_host_differs", "document_is_public", "document_reachable_unknown"]);
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_names_the_known_server(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let sandbox = sandbox(Quirks { issuer_path: "/realms/acme".into(), ..Quirks::default() }).await;
    let admin = integration(&t, &sandbox.mcp_url(), &json!({})).await;
    let path = "/v1/mcp-integrations/linear/preflight";
    let shown = admin.post(path, &json!({})).await.expect(200).json();
    let known = &shown["known_server"];
    assert_eq!((&known["key"], &known["name"]), (&json!("keycloak"), &json!("Keycloak")));
    assert!(known["notes"][0]["text"].as_str().unwrap().contains("initial access token"));
    assert!(known["notes"][0]["sources"][0].as_str().unwrap().starts_with("https://"));
    assert_eq!(
        known["preset"],
        json!({
            "auth_type": "oauth_auto",
            "configurations": { "registration": { "initial_access_token": "<initial_access_token>", "scope": "never" } }
        })
    );
    // Its settings are refused until the placeholders are replaced, in a preflight as in a save.
    let body = json!({ "configurations": known["preset"]["configurations"] });
    let refused = admin.post(path, &body).await.expect(422).json();
    assert_eq!(refused["errors"][0]["code"], "placeholder_left", "{refused:#}");
    assert_eq!(refused["errors"][0]["pointer"], "/configurations/registration/initial_access_token");
    admin.put("/v1/mcp-integrations/linear", &body).await.expect(422);

    sandbox.set_quirks(Quirks::default());
    let shown = admin.post(path, &json!({})).await.expect(200).json();
    assert_eq!(shown["known_server"], Value::Null);
    sandbox.stop().await;
    // The address alone is enough; the server need not answer.
    let new = json!({ "name": "Slack", "url": "https://mcp.slack.com/mcp", "auth_type": "none", "transport": "http" });
    let shown = admin.post("/v1/mcp-integrations/preflight", &new).await.expect(200).json();
    assert_eq!(shown["known_server"]["key"], "slack");
}
