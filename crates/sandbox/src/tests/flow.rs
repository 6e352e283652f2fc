//! From the challenge to a tool call, and what authorize and token refuse.

use super::*;

#[tokio::test]
async fn client_completes_the_authorization_flow() {
    let peer = Peer::with(Quirks::default()).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});

    let refused = peer.mcp(None, &list).await;
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    let document = peer.url("/.well-known/oauth-protected-resource/mcp");
    assert_eq!(challenge, format!("Bearer resource_metadata=\"{document}\", scope=\"mcp:read\""));

    let (_, resource) = read(peer.get("/.well-known/oauth-protected-resource/mcp").await).await;
    assert_eq!(resource["resource"], peer.sandbox.mcp_url());
    assert_eq!(resource["authorization_servers"], json!([peer.sandbox.issuer()]));
    let (_, server) = read(peer.get("/.well-known/oauth-authorization-server").await).await;
    assert_eq!(server["issuer"], peer.sandbox.issuer());
    assert_eq!(server["registration_endpoint"], peer.url("/register"));

    let answer = peer.registering(&metadata()).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let (status, registered) = read(answer).await;
    assert_eq!(status, 201);
    for (name, asked) in metadata().as_object().unwrap() {
        assert_eq!(&registered[name], asked, "{name}");
    }
    assert!(registered.get("client_secret").is_none());
    assert!(peer.sandbox.wait_for_registration(1, TEST_TIMEOUT).await);
    let received = &peer.sandbox.registrations()[0];
    assert_eq!(received.body.to_string(), metadata().to_string());
    assert_eq!(received.client_id.as_deref(), Some(id(&registered)));
    assert!(!received.authorization);

    let back = peer.decide(id(&registered), "approve").await;
    assert_eq!(value(&back, "state").as_deref(), Some("st&1"));
    assert_eq!(value(&back, "iss"), Some(peer.sandbox.issuer()));
    let code = value(&back, "code").unwrap();
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", id(&registered)),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let (status, tokens) = peer.token(&redeem).await;
    assert_eq!(
        (status, &tokens["token_type"], &tokens["scope"]),
        (200, &json!("Bearer"), &json!("mcp:read mcp:write"))
    );
    assert_eq!(peer.token(&redeem).await.1["error"], "invalid_grant");

    let access = tokens["access_token"].as_str();
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}});
    let (_, initialized) = read(peer.mcp(access, &initialize).await).await;
    assert_eq!(initialized["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(
        peer.mcp(access, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await.status(),
        202
    );
    let (_, tools) = read(peer.mcp(access, &list).await).await;
    assert_eq!(tools["result"]["tools"][0]["name"], "whoami");
    let call = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "whoami"}});
    let (_, called) = read(peer.mcp(access, &call).await).await;
    assert!(called["result"]["content"][0]["text"].as_str().unwrap().contains("Acme Corp MCP Gateway"));
    let (_, ping) = read(peer.mcp(access, &json!({"jsonrpc": "2.0", "id": 3, "method": "ping"})).await).await;
    assert_eq!(ping["result"], json!({}));
    let (_, unknown) =
        read(peer.mcp(access, &json!({"jsonrpc": "2.0", "id": 4, "method": "server/discover"})).await).await;
    assert_eq!(unknown["error"]["code"], -32601);
    assert_eq!(peer.get("/mcp").await.status(), 405);

    let refresh = tokens["refresh_token"].as_str().unwrap();
    let renew = [("grant_type", "refresh_token"), ("client_id", id(&registered)), ("refresh_token", refresh)];
    let (status, renewed) = peer.token(&renew).await;
    assert_eq!(status, 200);
    assert_eq!(peer.token(&renew).await.1["error"], "invalid_grant", "refresh tokens rotate");
    let access = renewed["access_token"].as_str().unwrap();
    let ended =
        peer.posting("/revoke", &[("client_id", id(&registered)), ("token", access)]).send().await.unwrap();
    assert_eq!(ended.status(), 200);
    let refused = peer.mcp(Some(access), &list).await;
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().contains("error=\"invalid_token\""));

    assert!(
        peer.sandbox
            .requests()
            .iter()
            .any(|one| (one.method.as_str(), one.path.as_str(), one.status) == ("POST", "/register", 201))
    );
    peer.sandbox.stop().await;
}

#[tokio::test]
async fn user_may_deny_consent() {
    let peer = Peer::with(Quirks::default()).await;
    let (_, registered) = peer.register(&metadata()).await;
    let back = peer.decide(id(&registered), "deny").await;
    assert_eq!(value(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(value(&back, "iss"), Some(peer.sandbox.issuer()));
    assert_eq!(peer.posting("/authorize", &[("request", "none")]).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn authorization_requests_are_validated() {
    let peer = Peer::with(Quirks::default()).await;
    let (_, registered) = peer.register(&metadata()).await;
    let client = id(&registered);
    assert_eq!(peer.get(&peer.authorize_path("nobody", &[])).await.status(), 400);
    let foreign = [("redirect_uri", "http://localhost:8787/oauth/upstream-callback/")];
    assert_eq!(peer.get(&peer.authorize_path(client, &foreign)).await.status(), 400);
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("resource", "https://elsewhere.example/mcp"), "invalid_target"),
        (("scope", "mcp:read mcp:admin"), "invalid_scope"),
    ] {
        let back = sent_back(&peer.get(&peer.authorize_path(client, &[change])).await);
        assert_eq!(value(&back, "error").as_deref(), Some(error), "{change:?}");
    }
}

#[tokio::test]
async fn token_requests_are_validated() {
    let peer = Peer::with(Quirks::default()).await;
    let (_, one) = peer.register(&metadata()).await;
    let (_, other) = peer.register(&metadata_with(&json!({"grant_types": ["authorization_code"]}))).await;
    let code = peer.code(id(&one)).await;
    let redeem = |client: &str, code: &str, verifier: &str| {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("code_verifier", verifier),
        ];
        peer.posting("/token", &pairs)
    };
    let (status, body) = read(redeem(id(&other), &code, VERIFIER).send().await.unwrap()).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    let code = peer.code(id(&one)).await;
    assert_eq!(
        read(redeem(id(&one), &code, "wrong").send().await.unwrap()).await.1["error"],
        "invalid_grant"
    );
    let code = peer.code(id(&other)).await;
    let (status, body) = read(redeem(id(&other), &code, VERIFIER).send().await.unwrap()).await;
    assert_eq!((status, body.get("refresh_token")), (200, None));
    let refresh = [("grant_type", "refresh_token"), ("client_id", id(&other)), ("refresh_token", "x")];
    assert_eq!(peer.token(&refresh).await.1["error"], "unauthorized_client");
    let password = [("grant_type", "password"), ("client_id", id(&one))];
    assert_eq!(peer.token(&password).await.1["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn secrets_are_shown_as_registered() {
    let peer = Peer::with(Quirks::default()).await;
    for (method, basic) in [("client_secret_post", false), ("client_secret_basic", true)] {
        let (_, client) = peer.register(&metadata_with(&json!({"token_endpoint_auth_method": method}))).await;
        let secret = client["client_secret"].as_str().unwrap();
        assert_eq!(client["client_secret_expires_at"], 0);
        assert!(!format!("{:?}", peer.sandbox.client(id(&client)).unwrap()).contains(secret));
        let code = peer.code(id(&client)).await;
        let mut pairs =
            vec![("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER)];
        if !basic {
            pairs.extend([("client_id", id(&client)), ("client_secret", "wrong")]);
            let (status, body) = peer.token(&pairs).await;
            assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
            pairs.retain(|(name, _)| *name != "client_secret");
            pairs.push(("client_secret", secret));
        }
        let request = peer.posting("/token", &pairs);
        let request = if basic { request.basic_auth(id(&client), Some(secret)) } else { request };
        assert_eq!(request.send().await.unwrap().status(), 200, "{method}");
    }
    let missing = [("grant_type", "refresh_token"), ("client_id", "nobody")];
    assert_eq!(
        peer.token(&missing).await,
        (401, json!({"error": "invalid_client", "error_description": "the client is not registered"}))
    );
}

#[tokio::test]
async fn forgotten_clients_are_deleted() {
    let peer = Peer::with(Quirks::default()).await;
    let (_, client) = peer.register(&metadata()).await;
    assert!(peer.sandbox.client(id(&client)).is_some());
    assert!(peer.sandbox.forget(id(&client)));
    assert!(!peer.sandbox.forget(id(&client)));
    assert_eq!(peer.get(&peer.authorize_path(id(&client), &[])).await.status(), 400);
    assert!(peer.sandbox.clients().is_empty());
}

#[tokio::test]
async fn only_loopback_is_served() {
    let options = Options { host: "192.0.2.1".to_owned(), ..Options::default() };
    assert_eq!(
        Sandbox::start(options).await.err().map(|error| error.kind()),
        Some(std::io::ErrorKind::InvalidInput)
    );
    let options = Options { host: "127.0.0.2".to_owned(), ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    assert!(sandbox.origin().starts_with("http://127.0.0.2:"));
    let port = sandbox.origin().rsplit(':').next().unwrap().parse().unwrap();
    let taken = Sandbox::start(Options { host: "127.0.0.2".to_owned(), port, ..Options::default() }).await;
    assert!(taken.is_err());
    drop(sandbox);
    let again = Sandbox::start(Options { host: "127.0.0.2".to_owned(), port, ..Options::default() }).await;
    assert!(again.is_ok(), "dropping frees the port");
}

#[test]
fn sandbox_runs_inside_an_actix_system() {
    actix_web::rt::System::new().block_on(async {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        assert!(!sandbox.wait_for_registration(1, Duration::from_millis(1)).await);
        sandbox.stop().await;
    });
}
