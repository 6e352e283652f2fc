//! Each switch at least once.

use super::*;
use crate::{MetadataForm, Refusal, ResourceMetadata, ScopeHandling};

#[test]
fn quirks_are_data() {
    let quirks: Quirks =
        serde_json::from_value(json!({"success_status": 200, "resource_metadata": "header_only"})).unwrap();
    assert_eq!(quirks.resource_metadata, ResourceMetadata::HeaderOnly);
    assert_eq!(
        Quirks { success_status: 200, resource_metadata: ResourceMetadata::HeaderOnly, ..Quirks::default() },
        quirks
    );
    assert!(serde_json::from_value::<Quirks>(json!({"sucess_status": 200})).is_err());
    let secret = Quirks { initial_access_token: Some("hush-hush".into()), ..Quirks::default() };
    assert!(!format!("{secret:?}").contains("hush-hush"));
}

#[tokio::test]
async fn resource_metadata_moves() {
    let peer = Peer::with(Quirks::default()).await;
    let well_known = ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];
    for (place, expected) in [
        (ResourceMetadata::Path, [200, 404]),
        (ResourceMetadata::Root, [404, 200]),
        (ResourceMetadata::HeaderOnly, [404, 404]),
        (ResourceMetadata::None, [404, 404]),
    ] {
        peer.sandbox.set_quirks(Quirks { resource_metadata: place, ..Quirks::default() });
        for (path, status) in well_known.iter().zip(expected) {
            assert_eq!(peer.get(path).await.status(), status, "{place:?} {path}");
        }
        let refused = peer.mcp(None, &json!({})).await;
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        let hint = challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(hint.is_none(), place == ResourceMetadata::None, "{challenge}");
        if let Some(hint) = hint {
            assert_eq!(peer.http.get(hint).send().await.unwrap().status(), 200);
        }
    }
}

#[tokio::test]
async fn challenge_varies_by_quirk() {
    let quirks = Quirks {
        no_resource_metadata_hint: true,
        challenge_scope: Some("a b".to_owned()),
        open_initialize: true,
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    let refused = peer.mcp(None, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer scope=\"a b\"");
    let open =
        peer.mcp(None, &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})).await;
    assert_eq!(open.status(), 200);
    peer.sandbox.set_quirks(Quirks {
        scopes_supported: vec![],
        resource_metadata: ResourceMetadata::None,
        ..Quirks::default()
    });
    assert_eq!(peer.mcp(None, &json!({})).await.headers()["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn resource_and_issuer_disagree() {
    let quirks = Quirks {
        resource: Some("https://elsewhere.example/mcp".to_owned()),
        slash_in_resource_issuer: true,
        metadata_issuer: Some("https://evil.example".to_owned()),
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    let (_, resource) = read(peer.get("/.well-known/oauth-protected-resource/mcp").await).await;
    assert_eq!(resource["resource"], "https://elsewhere.example/mcp");
    assert_eq!(resource["authorization_servers"], json!([peer.url("/")]));
    let (_, server) = read(peer.get("/.well-known/oauth-authorization-server").await).await;
    assert_eq!(server["issuer"], "https://evil.example");
    let others = vec!["https://other.example".to_owned()];
    peer.sandbox.set_quirks(Quirks {
        authorization_servers: Some(others),
        slash_in_metadata_issuer: true,
        ..Quirks::default()
    });
    let (_, resource) = read(peer.get("/.well-known/oauth-protected-resource/mcp").await).await;
    assert_eq!(resource["authorization_servers"], json!(["https://other.example"]));
    assert_eq!(peer.sandbox.issuer(), peer.url("/"));
}

#[tokio::test]
async fn metadata_is_at_the_configured_url() {
    let peer = Peer::with(Quirks::default()).await;
    let paths = [
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ];
    for (at, form) in
        [MetadataForm::Oauth, MetadataForm::OidcInserted, MetadataForm::OidcAppended].into_iter().enumerate()
    {
        let quirks =
            Quirks { issuer_path: "/tenant".to_owned(), metadata_forms: vec![form], ..Quirks::default() };
        peer.sandbox.set_quirks(quirks);
        for (number, path) in paths.iter().enumerate() {
            let (status, body) = read(peer.get(path).await).await;
            assert_eq!(status == 200, number == at, "{form:?} {path}");
            assert!(number != at || body["issuer"] == peer.url("/tenant"));
        }
        assert_eq!(peer.get("/.well-known/oauth-authorization-server").await.status(), 404);
    }
}

#[tokio::test]
async fn metadata_omits_configured_members() {
    let quirks = Quirks {
        no_registration_endpoint: true,
        auth_methods_supported: None,
        scopes_supported: vec![],
        no_code_challenge_methods: true,
        cimd_supported: true,
        no_iss: true,
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    let (_, body) = read(peer.get("/.well-known/oauth-authorization-server").await).await;
    for absent in [
        "registration_endpoint",
        "token_endpoint_auth_methods_supported",
        "scopes_supported",
        "code_challenge_methods_supported",
        "authorization_response_iss_parameter_supported",
    ] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    assert_eq!(body["client_id_metadata_document_supported"], true);
    assert_eq!(peer.register(&metadata()).await.0, 404);

    let elsewhere = "https://other.example/register".to_owned();
    let quirks = Quirks {
        registration_endpoint: Some(elsewhere.clone()),
        unavailable_metadata_requests: 1,
        ..Quirks::default()
    };
    peer.sandbox.set_quirks(quirks);
    assert_eq!(peer.get("/.well-known/oauth-authorization-server").await.status(), 503);
    let (_, body) = read(peer.get("/.well-known/oauth-authorization-server").await).await;
    assert_eq!(body["registration_endpoint"], elsewhere);
}

#[tokio::test]
async fn registration_is_delayed() {
    let quirks = Quirks {
        rate_limited_requests: 2,
        unavailable_requests: 1,
        retry_after: Some("7".to_owned()),
        ..Quirks::default()
    };
    let peer = Peer::with(quirks).await;
    for expected in [429, 429, 503, 201] {
        let answer = peer.registering(&metadata()).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        assert_eq!(answer.headers().contains_key("retry-after"), expected != 201);
    }
    assert_eq!(peer.sandbox.quirks().rate_limited_requests, 0);
    assert_eq!(peer.sandbox.registrations().len(), 4);
}

#[tokio::test]
async fn registration_hangs_after_reading_the_body() {
    let peer = Peer::with(Quirks { hang_seconds: 3600, ..Quirks::default() }).await;
    let request = tokio::spawn(peer.registering(&metadata()).send());
    assert!(peer.sandbox.wait_for_request(1, TEST_TIMEOUT).await);
    assert_eq!(peer.sandbox.registrations()[0].client_id, None);
    peer.sandbox.stop().await;
    assert!(request.await.unwrap().is_err(), "stopping does not wait for the end of a hang");
}

#[tokio::test]
async fn answer_is_lost_after_storing() {
    let peer = Peer::with(Quirks { lost_answers: 1, ..Quirks::default() }).await;
    assert!(peer.registering(&metadata()).send().await.is_err());
    assert!(peer.sandbox.wait_for_registration(1, TEST_TIMEOUT).await);
    let orphan = peer.sandbox.registrations()[0].client_id.clone().unwrap();
    assert!(peer.sandbox.client(&orphan).is_some());
    assert_eq!(peer.register(&metadata()).await.0, 201);
}

#[tokio::test]
async fn registration_is_refused() {
    let peer = Peer::with(Quirks::default()).await;
    let forbidden = Quirks { registration_refusal: Some(Refusal::forbidden()), ..Quirks::default() };
    let named = Quirks { required_client_name: Some("Approved".to_owned()), ..Quirks::default() };
    let strict = Quirks { refuse_unknown_members: true, ..Quirks::default() };
    let hosts = Quirks { redirect_hosts: Some(vec!["approved.example".to_owned()]), ..Quirks::default() };
    let methods =
        Quirks { accepted_auth_methods: Some(vec!["client_secret_post".to_owned()]), ..Quirks::default() };
    let scope = Quirks { scope_policy: ScopeHandling::Refuse, ..Quirks::default() };
    let known = Quirks {
        scope_policy: ScopeHandling::KnownOnly,
        scopes_supported: vec!["a".to_owned()],
        ..Quirks::default()
    };
    let unknown = metadata_with(&json!({"client_name#fr": "Acme"}));
    for (quirks, body, status, error) in [
        (forbidden, metadata(), 403, json!("access_denied")),
        (named, metadata(), 403, Value::Null),
        (strict, unknown, 400, json!("invalid_client_metadata")),
        (hosts, metadata(), 400, json!("invalid_redirect_uri")),
        (methods, metadata(), 400, json!("invalid_client_metadata")),
        (scope, metadata(), 403, json!("insufficient_scope")),
        (known, metadata(), 400, json!("invalid_client_metadata")),
    ] {
        peer.sandbox.set_quirks(quirks);
        let (answered, body) = peer.register(&body).await;
        assert_eq!((answered, &body["error"]), (status, &error));
    }
    assert!(peer.sandbox.clients().is_empty());
    peer.sandbox.set_quirks(Quirks {
        required_client_name: Some("Acme Corp MCP Gateway".to_owned()),
        ..Quirks::default()
    });
    assert_eq!(peer.register(&metadata()).await.0, 201);
}

#[tokio::test]
async fn bad_requests_are_named() {
    let peer = Peer::with(Quirks::default()).await;
    for (changes, error) in [
        (json!({"redirect_uris": null}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["/relative"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https://gw.example/cb#x"]}), "invalid_redirect_uri"),
        (json!({"contacts": "a@b.example"}), "invalid_client_metadata"),
        (json!({"client_name": ""}), "invalid_client_metadata"),
        (json!({"logo_uri": "data:image/png;base64,"}), "invalid_client_metadata"),
        (json!({"grant_types": ["refresh_token"]}), "invalid_client_metadata"),
        (json!({"application_type": "spa"}), "invalid_client_metadata"),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), "invalid_client_metadata"),
    ] {
        let (status, body) = peer.register(&metadata_with(&changes)).await;
        assert_eq!((status, &body["error"]), (400, &json!(error)), "{changes}");
    }
    let broken =
        peer.http.post(peer.url("/register")).header("content-type", "application/json").body("{").send();
    assert_eq!(broken.await.unwrap().status(), 400);
    let unlabelled = peer.http.post(peer.url("/register")).body(metadata().to_string()).send();
    assert_eq!(unlabelled.await.unwrap().status(), 400);
    let (_, ignored) =
        peer.register(&metadata_with(&json!({"resource": "x", "client_name#fr": "Acme"}))).await;
    assert!(ignored.get("resource").is_none(), "unknown members are ignored (RFC 7591 §2)");
    assert_eq!(ignored["client_name#fr"], "Acme");
    let (_, defaults) = peer.register(&json!({"redirect_uris": [CALLBACK]})).await;
    assert_eq!(defaults["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(defaults["grant_types"], json!(["authorization_code"]));
}

#[tokio::test]
async fn initial_access_token_allows_registration() {
    let peer =
        Peer::with(Quirks { initial_access_token: Some("door-key".into()), ..Quirks::default() }).await;
    let refused = peer.registering(&metadata()).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("www-authenticate"));
    assert_eq!(peer.registering(&metadata()).bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(peer.registering(&metadata()).bearer_auth("door-key").send().await.unwrap().status(), 201);
    let received = peer.sandbox.registrations();
    assert_eq!(received.iter().map(|one| one.authorization).collect::<Vec<_>>(), [false, true, true]);
    assert!(!format!("{received:?}").contains("door-key"));
}

#[tokio::test]
async fn answers_are_irregular_by_quirk() {
    let peer = Peer::with(Quirks { success_status: 200, ..Quirks::default() }).await;
    assert_eq!(peer.register(&metadata()).await.0, 200);

    peer.sandbox.set_quirks(Quirks { registration_html: true, ..Quirks::default() });
    let page = peer.registering(&metadata()).send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));

    peer.sandbox
        .set_quirks(Quirks { registration_redirect: Some(peer.url("/elsewhere")), ..Quirks::default() });
    assert_eq!(peer.register(&metadata()).await.0, 307);

    peer.sandbox.set_quirks(Quirks { registration_body: Some(json!({"client_id": 7})), ..Quirks::default() });
    assert_eq!(peer.register(&metadata()).await, (201, json!({"client_id": 7})));

    peer.sandbox.set_quirks(Quirks {
        omit_members: vec!["client_id".to_owned()],
        padding_bytes: 100_000,
        ..Quirks::default()
    });
    let (_, body) = peer.register(&metadata()).await;
    assert!(body.get("client_id").is_none());
    assert_eq!(body["padding"].as_str().unwrap().len(), 100_000);

    peer.sandbox.set_quirks(Quirks { echo_empties: true, ..Quirks::default() });
    let (_, body) = peer.register(&metadata_with(&json!({"contacts": null, "tos_uri": null}))).await;
    assert_eq!((&body["contacts"], &body["tos_uri"]), (&Value::Null, &json!("")));
    assert!(body.as_object().unwrap().contains_key("contacts"));
}

#[tokio::test]
async fn registered_metadata_differs_by_quirk() {
    let mut quirks =
        Quirks { ignore_redirect_uris: true, scope_policy: ScopeHandling::Ignore, ..Quirks::default() };
    quirks.replace_members.insert("application_type".to_owned(), json!("web"));
    let peer = Peer::with(quirks).await;
    let (_, client) = peer.register(&metadata()).await;
    assert_ne!(client["redirect_uris"], json!([CALLBACK]));
    assert_eq!(client["application_type"], "web");
    assert!(client.get("scope").is_none());
    assert_eq!(
        peer.get(&peer.authorize_path(id(&client), &[])).await.status(),
        400,
        "the redirect URI is not honoured"
    );
}

#[tokio::test]
async fn secrets_are_issued_without_request_and_expire() {
    let peer = Peer::with(Quirks { unasked_secret: true, ..Quirks::default() }).await;
    let (_, client) = peer.register(&metadata()).await;
    assert_eq!(client["token_endpoint_auth_method"], "none");
    let secret = client["client_secret"].as_str().unwrap();
    let code = peer.code(id(&client)).await;
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("client_id", id(&client)),
    ];
    assert_eq!(peer.token(&pairs).await.0, 401, "the secret is demanded");
    pairs.push(("client_secret", secret));
    assert_eq!(peer.token(&pairs).await.0, 200);

    peer.sandbox.set_quirks(Quirks {
        secret_expires_in: Some(-1),
        unknown_client_status: 400,
        ..Quirks::default()
    });
    let (_, client) =
        peer.register(&metadata_with(&json!({"token_endpoint_auth_method": "client_secret_post"}))).await;
    assert!(client["client_secret_expires_at"].as_i64().unwrap() > 0);
    let secret = client["client_secret"].as_str().unwrap();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", id(&client)),
        ("client_secret", secret),
        ("refresh_token", "x"),
    ];
    let (status, body) = peer.token(&pairs).await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    assert_eq!(peer.token(&[("client_id", "nobody")]).await.0, 400);
}

#[tokio::test]
async fn authorization_answers_vary() {
    let peer = Peer::with(Quirks { no_iss: true, access_token_seconds: -1, ..Quirks::default() }).await;
    let (_, client) = peer.register(&metadata()).await;
    let back = peer.decide(id(&client), "approve").await;
    assert_eq!(value(&back, "iss"), None);
    let code = value(&back, "code").unwrap();
    let (_, tokens) = peer
        .token(&[
            ("grant_type", "authorization_code"),
            ("client_id", id(&client)),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ])
        .await;
    let token = tokens["access_token"].as_str();
    assert_eq!(
        peer.mcp(token, &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).await.status(),
        401,
        "expired"
    );
}
