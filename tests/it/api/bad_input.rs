//! Bad input gets an answer that says where, what, and what to do; nothing is saved of it.

use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Client, Engine, TestServer};

fn integration(configurations: &Value) -> Value {
    json!({ "name": "Linear", "slug": "linear", "url": "https://mcp.linear.app/mcp", "auth_type": "oauth_auto",
        "transport": "http", "configurations": configurations })
}

fn metadata(members: &Value) -> Value {
    json!({ "oauth_client_metadata": members })
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_errors_have_a_pointer(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let wrapper = "/configurations/oauth_client_metadata";
    for (configurations, code, pointer) in [
        (metadata(&json!({ "contacts": "a@b" })), "wrong_type", format!("{wrapper}/contacts")),
        (metadata(&json!({ "client_name": "" })), "empty_value", format!("{wrapper}/client_name")),
        (
            metadata(&json!({ "tos_uri": "javascript:alert(1)" })),
            "scheme_not_allowed",
            format!("{wrapper}/tos_uri"),
        ),
        (
            metadata(&json!({ "logo_uri": "data:image/png;base64,AA" })),
            "scheme_not_allowed",
            format!("{wrapper}/logo_uri"),
        ),
        (metadata(&json!({ "scope": "a\"b" })), "invalid_scope", format!("{wrapper}/scope")),
        (
            metadata(&json!({ "grant_types": ["client_credentials"] })),
            "grant_response_mismatch",
            format!("{wrapper}/grant_types"),
        ),
        (
            metadata(&metadata(&json!({ "client_name": "A" }))),
            "doubled_wrapper",
            format!("{wrapper}/oauth_client_metadata"),
        ),
        (json!({ "client_name": "A" }), "missing_wrapper", "/configurations/client_name".to_owned()),
        (
            json!({ "oauth_client_metadata": {}, "oauth_metadata": {} }),
            "both_spellings",
            "/configurations/oauth_metadata".to_owned(),
        ),
        (
            metadata(&json!({ "client_secret": "s3cret" })),
            "secret_without_id",
            format!("{wrapper}/client_secret"),
        ),
    ] {
        let refused = admin.post("/v1/mcp-integrations", &integration(&configurations)).await.expect(422);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let errors = refused.errors();
        assert!(errors.contains(&(code.to_owned(), pointer.clone())), "{code} {pointer}: {}", refused.text);
        assert!(!refused.text.contains("s3cret"), "no secret in an error");
        assert_eq!(refused.json()["success"], false);
    }
    assert_eq!(admin.get("/v1/mcp-integrations").await.expect(200).json()["total"], 0, "nothing was saved");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusual_configuration_is_saved_with_findings(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let odd = metadata(&json!({ "client_nmae": "A", "redirect_uris": ["https://evil.example"], "jwks": {} }));
    let saved = admin.post("/v1/mcp-integrations", &integration(&odd)).await.expect(200).json();
    let findings = saved["findings"].as_array().unwrap();
    let of = |pointer: &str| {
        findings.iter().find(|one| one["pointer"].as_str().unwrap().ends_with(pointer)).unwrap()
    };
    assert_eq!(of("/client_nmae")["severity"], "warning");
    assert_eq!(of("/client_nmae")["suggestion"], "client_name");
    assert_eq!(of("/redirect_uris")["severity"], "notice");
    assert_eq!(of("/jwks")["severity"], "notice");
    admin.given().workspace("acme").server_of("linear", "linear").await;
    let sent = admin.get("/v1/mcp-servers/linear/client-metadata").await.expect(200).json();
    assert_eq!(sent["metadata"]["redirect_uris"], json!(["http://localhost:8787/oauth/upstream-callback"]));
    assert!(sent["metadata"].get("jwks").is_none());
    assert!(
        sent["ignored"].as_array().unwrap().iter().any(|one| one["member"] == "redirect_uris"),
        "{sent:#}"
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_urls_are_validated(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    for (url, code) in [
        ("https://user:pw@mcp.example.com/mcp", "userinfo_not_allowed"),
        ("https://10.0.0.8/mcp", "address_not_allowed"),
        ("https://169.254.169.254/", "address_not_allowed"),
        ("https://mcp.example.com/mcp#x", "fragment_not_allowed"),
        ("ftp://mcp.example.com/mcp", "scheme_not_allowed"),
    ] {
        let mut body = integration(&Value::Null);
        body["url"] = json!(url);
        let refused = admin.post("/v1/mcp-integrations", &body).await.expect(422);
        assert_eq!(refused.errors(), [(code.to_owned(), "/url".to_owned())], "{url}");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_requests_name_the_place(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let post = |body: String| {
        let request =
            admin.request(Method::POST, "/v1/mcp-integrations").header("content-type", "application/json");
        Client::send(request.body(body))
    };
    let broken = post("{\n  \"name\": \"A\",\n  oops\n}".to_owned()).await.expect(400);
    assert_eq!(
        (&broken.json()["errors"][0]["line"], &broken.json()["errors"][0]["code"]),
        (&json!(3), &json!("invalid_json"))
    );
    assert!(broken.json()["errors"][0]["column"].is_u64(), "{}", broken.text);
    post(format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20))).await.expect(413);
    let wrong = post(
        json!({ "name": 7, "url": "https://h.example/mcp", "auth_type": "oauth_auto", "transport": "http" })
            .to_string(),
    )
    .await
    .expect(422);
    assert_eq!(wrong.errors()[0].1, "/name");
    let missing = post("{}".to_owned()).await.expect(422);
    let pointers: Vec<_> = missing.errors().into_iter().map(|error| error.1).collect();
    for pointer in ["/name", "/url", "/auth_type", "/transport"] {
        assert!(pointers.iter().any(|one| one == pointer), "{pointer} in {}", missing.text);
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_foreign_taken_and_stale_objects_have_different_errors(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    for slug in ["acme", "beta"] {
        admin.given().workspace(slug).await;
    }
    let made = integration(&serde_json::from_str(ENTERPRISE_COMPLIANCE).unwrap());
    admin.post("/v1/mcp-integrations", &made).await.expect(200);
    let taken = admin.post("/v1/mcp-integrations", &made).await.expect(409);
    assert_eq!(taken.json()["code"], "slug_taken");
    assert_eq!(taken.json()["data"]["errorCode"], "AB07");
    admin.get("/v1/mcp-integrations/nothing").await.expect(404);
    let server =
        json!({ "name": "L", "slug": "linear", "mcp_integration_id": "linear", "workspace_id": "beta" });
    admin.post("/v1/mcp-servers", &server).await.expect(200);
    let other = t.client(Role::Manager, Some("acme")).await;
    other.get("/v1/mcp-servers/linear").await.expect(404);
    other.get("/v1/workspaces/beta").await.expect(404);
    other.get("/v1/mcp-integrations/linear").await.expect(404);

    let read = admin.get("/v1/mcp-integrations/linear").await.expect(200);
    let version = read.header("etag").to_owned();
    assert!(!version.is_empty());
    let change = json!({ "name": "Linear 2" });
    let put = || {
        admin.request(Method::PUT, "/v1/mcp-integrations/linear").header("if-match", &version).json(&change)
    };
    Client::send(put()).await.expect(200);
    let stale = Client::send(put().json(&json!({ "name": "Linear 3" }))).await.expect(412);
    assert_eq!(stale.header("content-type"), "application/problem+json");
    assert_eq!(admin.get("/v1/mcp-integrations/linear").await.json()["name"], "Linear 2");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_must_be_entered_again_for_another_url(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let secret = json!({ "oauth_client_metadata": { "client_id": "a", "client_secret": "s3cret" } });
    admin.post("/v1/mcp-integrations", &integration(&secret)).await.expect(200);
    let moved = admin
        .put("/v1/mcp-integrations/linear", &json!({ "url": "https://other.example/mcp" }))
        .await
        .expect(422);
    let pointer = "/configurations/oauth_client_metadata/client_secret".to_owned();
    assert_eq!(moved.errors(), [("secret_reentry_required".to_owned(), pointer.clone())]);
    let again = json!({ "url": "https://other.example/mcp", "configurations": secret });
    admin.put("/v1/mcp-integrations/linear", &again).await.expect(200);
    let read = admin.get("/v1/mcp-integrations/linear").await.expect(200);
    let marker = read.json()["configurations"]["oauth_client_metadata"]["client_secret"].clone();
    assert!(marker.as_str().unwrap().starts_with("$sealed:"), "{}", read.text);
    let elsewhere = json!({ "configurations": { "headers": { "X": marker } } });
    let refused = admin.put("/v1/mcp-integrations/linear", &elsewhere).await.expect(422);
    assert_eq!(refused.errors()[0].1, "/configurations/headers/X");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_and_wrong_methods_are_problems_too(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    assert_eq!(admin.get("/v1/nothing").await.expect(404).header("content-type"), "application/problem+json");
    let wrong = Client::send(admin.request(Method::PATCH, "/v1/workspaces")).await.expect(405);
    assert!(wrong.header("allow").contains("POST") && wrong.header("allow").contains("GET"));
    for path in ["/healthz", "/readyz", "/metrics", "/oauth/clients/unknown.json"] {
        let wrong = Client::send(t.anonymous().request(Method::DELETE, path)).await.expect(405);
        assert_eq!(
            (wrong.header("allow"), wrong.header("content-type")),
            ("GET", "application/problem+json")
        );
    }
    let unknown = t.anonymous().get("/oauth/clients/unknown.json").await.expect(404);
    assert_eq!(unknown.header("x-request-id"), unknown.json()["request_id"]);
    assert_eq!((unknown.header("cache-control"), unknown.header("x-frame-options")), ("no-store", "DENY"));
    admin.put("/v1/mcp-servers/linear/tokens", &json!({})).await.expect(501);
    let nobody = t.anonymous().get("/v1/workspaces").await.expect(401);
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));
    assert_eq!(nobody.json()["data"]["errorCode"], "AB05");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_outside_the_openapi_schema_is_refused(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    // A key that was to end some day must not live for ever because its end was left empty.
    let key = json!({ "name": "k", "role": "viewer", "expires_at": "" });
    let refused = admin.post("/v1/api-keys", &key).await.expect(422);
    assert_eq!(refused.errors(), [("invalid_value".to_owned(), "/expires_at".to_owned())]);
    let mut new = integration(&json!({}));
    new["slug"] = json!("×÷");
    let refused = admin.post("/v1/mcp-integrations/preflight", &new).await.expect(422);
    assert_eq!(refused.errors(), [("invalid_slug".to_owned(), "/slug".to_owned())]);
    let person = json!({ "email": "grace@acme.com", "role": "viewer" });
    let person = admin.post("/v1/users", &person).await.expect(200).json();
    let path = format!("/v1/users/{}", person["id"].as_str().unwrap());
    let refused = admin.put(&path, &json!({})).await.expect(422);
    assert_eq!(refused.errors(), [("nothing_to_change".to_owned(), String::new())]);

    let gateway = t.client(Role::Gateway, None).await;
    gateway.get("/v1/gateway/servers/acme/linear?at_least=-1").await.expect(400);
    let wrong = [("/v1/gateway/changes?since=-1&wait=0", "0"), ("/v1/gateway/changes?wait=0", "-1")];
    for (path, event) in wrong {
        let request = gateway.request(Method::GET, path).header("last-event-id", event);
        Client::send(request).await.expect(400);
    }
}

/// Slugs are unique in the organisation: a workspace cannot be kept from learning that one is taken, but from asking often.
#[tokio::test]
async fn taken_slug_answers_are_rate_limited_per_workspace() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = t.client(Role::Admin, None).await;
    for slug in ["acme", "beta"] {
        admin.given().workspace(slug).await;
    }
    let mut foreign = integration(&Value::Null);
    foreign["workspace_id"] = json!("beta");
    admin.post("/v1/mcp-integrations", &foreign).await.expect(200);
    let bound = t.client(Role::Manager, Some("acme")).await;
    bound.get("/v1/mcp-integrations/linear").await.expect(404);
    let mut guess = integration(&Value::Null);
    guess["workspace_id"] = json!("acme");
    let mut told = 0;
    let refused = loop {
        let reply = bound.post("/v1/mcp-integrations", &guess).await;
        if reply.status != 409 {
            break reply.expect(429);
        }
        told += 1;
        assert!(told <= 60, "no limit");
    };
    assert!((50..=51).contains(&told), "{told}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 1);
    // Neither by many in one import, nor by names.
    let one = json!({ "name": "Linear", "url": "https://mcp.linear.app/mcp", "auth_type": "none", "transport": "http" });
    bound.post("/v1/mcp-integrations/import", &json!({ "integrations": [one] })).await.expect(429);
    guess["slug"] = Value::Null;
    bound.post("/v1/mcp-integrations", &guess).await.expect(429);
    // What is free is made, and who sees the whole organisation is not held up.
    guess["name"] = json!("Notes");
    bound.post("/v1/mcp-integrations", &guess).await.expect(200);
    admin.post("/v1/mcp-integrations", &foreign).await.expect(409);
}

/// A pasted address is stored as the page shows it: without what was pasted around it.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_addresses_are_stored_trimmed(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let url = "https://mcp.linear.example/mcp";
    for (index, pasted) in [
        format!(" {url}"),
        format!("{url}\n"),
        format!("\t {url} \r\n"),
        format!("\u{a0}{url}\u{a0}"),
        format!("\u{feff}{url}"),
        format!("{url}\u{200b}"),
        format!("<{url}>"),
        format!("\"{url}\""),
        format!("\u{201c}{url}\u{201d}"),
        format!(" '{url}' "),
        format!("`{url}`"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = integration(&Value::Null);
        body["slug"] = json!(format!("linear-{index}"));
        body["url"] = json!(pasted);
        let saved = admin.post("/v1/mcp-integrations", &body).await.expect(200).json();
        let path = format!("/v1/mcp-integrations/{}", saved["id"].as_str().unwrap());
        assert_eq!(admin.get(&path).await.expect(200).json()["url"], url, "{pasted:?}");
        admin.put(&path, &json!({ "url": pasted.replace(".example/mcp", ".example/sse") })).await.expect(200);
        assert_eq!(
            admin.get(&path).await.expect(200).json()["url"],
            "https://mcp.linear.example/sse",
            "{pasted:?}"
        );
    }
    for wrong in ["https://mcp.linear.example/m cp", " ", "\"\"", "<>", "mcp.linear.example"] {
        let mut body = integration(&Value::Null);
        body["url"] = json!(wrong);
        let refused = admin.post("/v1/mcp-integrations", &body).await.expect(422);
        assert_eq!(refused.errors()[0].1, "/url", "{wrong:?}");
    }
}

/// The saved configuration is the repaired one, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_values_are_stored_repaired() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = t.client(Role::Admin, None).await;
    let body = integration(&metadata(
        &json!({ "client_id": " app-1 ", "client_secret": "s3cret\n", "scope": "a\n b" }),
    ));
    let saved = admin.post("/v1/mcp-integrations", &body).await.expect(200).json();
    let codes: Vec<&str> =
        saved["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["trimmed"; 3], "{saved:#}");
    let path = format!("/v1/mcp-integrations/{}", saved["id"].as_str().unwrap());
    let shown = admin.get(&path).await.expect(200).json();
    let metadata = &shown["configurations"]["oauth_client_metadata"];
    assert_eq!((&metadata["client_id"], &metadata["scope"]), (&json!("app-1"), &json!("a b")), "{shown:#}");
    // Sent again with the marker of its secret it is the same.
    let again =
        admin.put(&path, &json!({ "configurations": shown["configurations"] })).await.expect(200).json();
    assert_eq!(again["findings"], json!([]), "{again:#}");
}
