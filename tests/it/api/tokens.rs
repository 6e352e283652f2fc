//! Bearer tokens of an identity provider.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use registry::{JwtSettings, KeySource, Settings};
use registry_core::permission::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{Client, Engine, FakeProvider, TestRegistry, TestServer};

/// An Ed25519 key made for these tests.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
/// Its public half (RFC 8037 appendix A.2 publishes this very pair).
const KEY_SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","use":"sig","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

async fn server() -> TestServer {
    let jwt = JwtSettings {
        issuer: "https://idp.example".into(),
        audience: vec!["mcp-registry".into()],
        algorithms: vec!["EdDSA".into()],
        key_set: KeySource::Text(KEY_SET.into()),
        role_claim: "groups".into(),
        roles: BTreeMap::from([
            ("mcp-admins".to_owned(), Role::Admin),
            ("mcp-readers".to_owned(), Role::Viewer),
        ]),
        workspace_claim: "workspace".into(),
        scope_claim: "mcp_registry_scope".into(),
        leeway: Duration::from_secs(5),
    };
    let settings = Settings { jwt: Some(jwt), ..Settings::default() };
    TestServer::over(TestRegistry::with(Engine::Sqlite, settings).await)
}

fn claims(change: &Value) -> Value {
    let hour = jsonwebtoken::get_current_timestamp() + 3600;
    let mut claims = json!({ "iss": "https://idp.example", "aud": "mcp-registry", "sub": "ann", "exp": hour, "groups": ["mcp-admins"] });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn sign(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap()).unwrap()
}

fn header() -> Header {
    Header { kid: Some("k1".into()), ..Header::new(Algorithm::EdDSA) }
}

#[tokio::test]
async fn valid_token_authenticates_in_every_header_form() {
    let t = server().await;
    let token = sign(&header(), &claims(&json!({})));
    let nobody = t.anonymous();
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("x-portkey-api-key", format!("Bearer {token}")),
        ("x-portkey-api-key", token.clone()),
    ] {
        let request =
            nobody.request(Method::POST, "/v1/workspaces").header(name, value).json(&json!({ "name": "W" }));
        Client::send(request).await.expect(200);
    }
    let reader = t.with_token(&sign(&header(), &claims(&json!({ "groups": "mcp-readers" }))));
    reader.get("/v1/workspaces").await.expect(200);
    reader.post("/v1/workspaces", &json!({ "name": "W" })).await.expect(403);
    let all = reader.get("/v1/workspaces").await.json();
    let slug = &all["data"][0]["slug"];
    let bound = t.with_token(&sign(&header(), &claims(&json!({ "workspace": slug }))));
    assert_eq!(
        (all["total"].as_u64(), bound.get("/v1/workspaces").await.json()["total"].as_u64()),
        (Some(3), Some(1))
    );
}

#[tokio::test]
async fn invalid_token_is_refused() {
    let t = server().await;
    let past = jsonwebtoken::get_current_timestamp() - 3600;
    let future = jsonwebtoken::get_current_timestamp() + 1800;
    for (what, change) in [
        ("expired", json!({ "exp": past })),
        ("not yet", json!({ "nbf": future })),
        ("another issuer", json!({ "iss": "https://other.example" })),
        ("another audience", json!({ "aud": "other" })),
        ("no role", json!({ "groups": ["unmapped"] })),
        ("role by its own name though mapped", json!({ "groups": ["admin"] })),
        ("a scope claim that is no text", json!({ "mcp_registry_scope": { "mcp_servers.read": true } })),
        ("a scope claim with something else in it", json!({ "mcp_registry_scope": ["workspaces.read", 1] })),
        ("an empty `sub`", json!({ "sub": "" })),
        ("a blank `sub`", json!({ "sub": " \n\t" })),
        ("an invisible `sub`", json!({ "sub": "\u{200b}" })),
        ("a `sub` with a direction mark", json!({ "sub": "ann\u{202e}" })),
        ("a `sub` that is too long", json!({ "sub": "s".repeat(256) })),
        ("a `sub` that is no text", json!({ "sub": 7 })),
        ("no `sub`", json!({ "sub": null })),
        ("an empty scope claim", json!({ "mcp_registry_scope": "" })),
        ("an empty list of scopes", json!({ "mcp_registry_scope": [] })),
        ("a workspace that does not exist", json!({ "workspace": "nowhere" })),
    ] {
        let token = sign(&header(), &claims(&change));
        let refused = t.with_token(&token).get("/v1/workspaces").await;
        assert_eq!(refused.status.as_u16(), 401, "{what}: {}", refused.text);
        assert!(!refused.text.contains(&token), "the token is not echoed");
    }
    // Without expiry; unsigned; signed with the public key as a shared secret.
    let mut eternal = claims(&json!({}));
    eternal.as_object_mut().unwrap().remove("exp");
    let confused = encode(
        &Header::new(Algorithm::HS256),
        &claims(&json!({})),
        &EncodingKey::from_secret(KEY_SET.as_bytes()),
    )
    .unwrap();
    let good = sign(&header(), &claims(&json!({})));
    let (head, body) = (good.split('.').next().unwrap(), good.split('.').nth(1).unwrap());
    let unknown_key = Header { kid: Some("other".into()), ..header() };
    for token in [
        sign(&header(), &eternal),
        confused,
        format!("{head}.{body}."),
        format!("{head}.{body}.AAAA"),
        sign(&unknown_key, &claims(&json!({}))),
    ] {
        t.with_token(&token).get("/v1/workspaces").await.expect(401);
    }
}

#[tokio::test]
async fn token_with_a_critical_header_is_refused() {
    let t = server().await;
    for critical in [vec!["x".to_owned()], vec!["exp".to_owned()], vec!["b64".to_owned()], Vec::new()] {
        let header = Header { crit: Some(critical), ..header() };
        let refused =
            t.with_token(&sign(&header, &claims(&json!({})))).get("/v1/workspaces").await.expect(401);
        assert!(refused.text.contains("`crit`"), "{}", refused.text);
    }
    t.with_token(&sign(&header(), &claims(&json!({})))).get("/v1/workspaces").await.expect(200);
}

#[tokio::test]
async fn api_key_made_with_a_token_expires_with_it() {
    let t = server().await;
    let exp = jsonwebtoken::get_current_timestamp() + 3600;
    let admin = t.with_token(&sign(&header(), &claims(&json!({ "exp": exp, "email": "ann@acme.com" }))));
    let body = |end: Option<u64>| {
        let end = end.map(|end| chrono::DateTime::from_timestamp(end.cast_signed(), 0).unwrap().to_rfc3339());
        json!({ "name": "k", "role": "admin", "expires_at": end })
    };
    let mut bare = body(None);
    bare.as_object_mut().unwrap().remove("expires_at");
    let made = admin.post("/v1/api-keys", &bare).await.expect(200).json();
    let end = chrono::DateTime::parse_from_rfc3339(made["expires_at"].as_str().unwrap()).unwrap();
    assert_eq!(end.timestamp(), exp.cast_signed());
    assert_eq!(
        (&made["findings"][0]["code"], &made["findings"][0]["pointer"]),
        (&json!("ends_with_maker"), &json!("/expires_at"))
    );
    assert_eq!((&made["created_by"], &made["made_by"]), (&json!("ann@acme.com"), &json!(null)));
    // Written with a fraction it is an end all the same.
    let fraction = claims(&json!({ "exp": f64::from(u32::try_from(exp).unwrap()) + 0.5 }));
    let fraction =
        t.with_token(&sign(&header(), &fraction)).post("/v1/api-keys", &bare).await.expect(200).json();
    assert_eq!(fraction["expires_at"], made["expires_at"]);
    let refused = admin.post("/v1/api-keys", &body(Some(exp + 60))).await.expect(422);
    assert_eq!(refused.errors(), [("outlives_maker".to_owned(), "/expires_at".to_owned())]);
    let sooner = admin.post("/v1/api-keys", &body(Some(exp - 60))).await.expect(200).json();
    assert_eq!(sooner["findings"], json!([]));

    // What it made makes another: shown, and revoked together.
    let child = t.with_token(made["key"].as_str().unwrap());
    let grandchild = child.post("/v1/api-keys", &bare).await.expect(200).json();
    assert_eq!((&grandchild["made_by"], &grandchild["expires_at"]), (&made["id"], &made["expires_at"]));
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    admin.delete(&format!("{path}?with=everything")).await.expect(400);
    let revoked = admin.delete(&format!("{path}?with=made")).await.expect(200).json();
    assert_eq!(revoked["revoked"], 2);
    t.with_token(grandchild["key"].as_str().unwrap()).get("/v1/workspaces").await.expect(401);
}

#[tokio::test]
async fn jwks_is_refreshed_rarely_and_kept_through_an_outage() {
    let provider = FakeProvider::start();
    let jwt = JwtSettings {
        issuer: provider.issuer.clone(),
        audience: vec!["mcp-registry".into()],
        algorithms: vec!["EdDSA".into()],
        key_set: KeySource::Url(format!("{}/keys", provider.issuer)),
        role_claim: "groups".into(),
        roles: BTreeMap::from([("mcp-readers".to_owned(), Role::Viewer)]),
        workspace_claim: "workspace".into(),
        scope_claim: "mcp_registry_scope".into(),
        leeway: Duration::from_secs(5),
    };
    let settings = Settings { jwt: Some(jwt), ..Settings::default() };
    let t = TestServer::over(TestRegistry::with(Engine::Sqlite, settings).await);
    let issuer = provider.issuer.clone();
    let good = || provider.sign(&claims(&json!({ "iss": issuer, "groups": ["mcp-readers"] })));
    let read = async |token: &str| t.with_token(token).get("/v1/workspaces").await.status.as_u16();

    // Unreachable at first: every token is refused, and the key set is not requested with every request.
    provider.does().down = true;
    for _ in 0..5 {
        assert_eq!(read(&good()).await, 401);
    }
    provider.does().down = false;
    assert_eq!(read(&good()).await, 401, "asked a moment ago");
    t.inner.clock.advance(chrono::Duration::seconds(31));
    let old = good();
    assert_eq!(read(&old).await, 200);
    assert_eq!(provider.does().key_set_fetched, 1);
    for _ in 0..20 {
        assert_eq!(read(&old).await, 200);
    }

    // Rotated: the new key is met, asked for once, and the old one is still in the set.
    {
        let mut does = provider.does();
        (does.key, does.published) = (1, vec![0, 1]);
    }
    t.inner.clock.advance(chrono::Duration::seconds(31));
    let new = good();
    for _ in 0..20 {
        assert_eq!((read(&new).await, read(&old).await), (200, 200));
    }
    assert_eq!(provider.does().key_set_fetched, 2);

    // Unknown keys cause at most one request per half minute.
    let unknown = Header { kid: Some("other".into()), ..header() };
    for _ in 0..20 {
        assert_eq!(read(&sign(&unknown, &claims(&json!({ "iss": issuer })))).await, 401);
    }
    assert_eq!(provider.does().key_set_fetched, 2);

    // Away for long: what is known stays good.
    provider.does().down = true;
    t.inner.clock.advance(chrono::Duration::hours(5));
    assert_eq!(read(&new).await, 200);
    // The old key was taken out, because it was stolen: after at most ten minutes it is refused.
    provider.does().down = false;
    provider.does().published = vec![1];
    t.inner.clock.advance(chrono::Duration::minutes(11));
    assert_eq!((read(&old).await, read(&new).await), (401, 200));
}
