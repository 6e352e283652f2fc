//! Signing in by an identity provider: a real one, and one that misbehaves.

use super::Browser;
use chrono::Duration;
use registry::{PageRequest, ProviderSettings, Registry, SealingRing, Settings, User};
use registry_core::permission::Role;
use registry_core::secret::Secret;
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use support::{Engine, FakeProvider, Peer, Reply, TestRegistry, TestServer, walk};
use url::Url;

const CALLBACK: &str = "/ui/sign-in/provider/callback";

fn settings(issuer: &str, base: &str) -> ProviderSettings {
    ProviderSettings {
        issuer: issuer.to_owned(),
        client_id: "mcp-registry".to_owned(),
        client_secret: None,
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        redirect_uri: format!("{base}{CALLBACK}"),
        algorithms: vec!["EdDSA".to_owned(), "RS256".to_owned()],
        groups_claim: "groups".to_owned(),
        groups: BTreeMap::from([
            ("platform".to_owned(), (Role::Admin, None)),
            ("readers".to_owned(), (Role::Viewer, None)),
            ("team-acme".to_owned(), (Role::Manager, Some("acme".to_owned()))),
            ("team-gone".to_owned(), (Role::Manager, Some("gone".to_owned()))),
        ]),
        default_role: None,
        trust_email: false,
        label: "Acme login".to_owned(),
        leeway: std::time::Duration::from_secs(5),
    }
}

async fn server(change: impl FnOnce(&str) -> ProviderSettings) -> TestServer {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let provider = change(&format!("http://127.0.0.1:{port}"));
    let settings = Settings { provider: Some(provider), ..Settings::default() };
    let t = TestServer::over_at(TestRegistry::with(Engine::Sqlite, settings).await, port);
    t.inner.workspace("acme").await;
    t
}

/// Goes to the provider: what the browser keeps, and where it goes.
async fn begin_login(t: &TestServer) -> (Browser, Url) {
    let browser = Browser::nobody(t);
    let reply = browser.get("/ui/sign-in/provider?next=/ui/account").await.expect(303);
    let url = Url::parse(reply.headers[LOCATION].to_str().unwrap()).unwrap();
    (browser.after(&reply), url)
}

fn query(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned()
}

/// Goes there and comes back, as far as a provider is concerned that says what the test wants.
async fn sign_in(t: &TestServer, provider: &FakeProvider, claims: Value) -> (Browser, Reply) {
    let (browser, url) = begin_login(t).await;
    let mut claims = claims;
    if claims.get("nonce").is_none() {
        claims["nonce"] = json!(query(&url, "nonce"));
    }
    provider.does().claims = claims;
    let reply = browser.get(&format!("{CALLBACK}?code=c&state={}", query(&url, "state"))).await;
    (browser, reply)
}

async fn signed_in(t: &TestServer, provider: &FakeProvider, claims: Value) -> Browser {
    let (browser, reply) = sign_in(t, provider, claims).await;
    let reply = reply.expect(303);
    assert_eq!(reply.headers[LOCATION], "/ui/account");
    browser.after(&reply)
}

async fn refused(t: &TestServer, provider: &FakeProvider, claims: Value, words: &str) {
    let shown = claims.to_string();
    let reply = sign_in(t, provider, claims).await.1.expect(422);
    assert!(reply.text.contains(words) && reply.text.contains("<title>Problem: "), "{shown}: {}", reply.text);
}

async fn people(t: &TestServer) -> Vec<User> {
    t.inner.registry.users().list(&t.inner.admin(), PageRequest::default()).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_real_provider_sign_in_with_the_roles_of_their_groups() {
    for (secret, id_token_claims) in [(None, "0"), (Some("a secret: with/odd+signs"), "1")] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let redirect = format!("{base}{CALLBACK}");
        let mut environment = vec![
            ("REDIRECT_URI", redirect.as_str()),
            ("GROUPS", "team-acme,readers"),
            ("ID_TOKEN_CLAIMS", id_token_claims),
        ];
        environment.extend(secret.map(|secret| ("CLIENT_SECRET", secret)));
        let peer = Peer::start("identity-provider.mjs", &environment).await;
        let provider = ProviderSettings {
            client_secret: secret.map(Secret::new),
            ..settings(peer.text("issuer"), &base)
        };
        let registry =
            TestRegistry::with(Engine::Sqlite, Settings { provider: Some(provider), ..Settings::default() })
                .await;
        let t = TestServer::over_at(registry, Url::parse(&base).unwrap().port().unwrap());
        t.inner.workspace("acme").await;

        let page = Browser::nobody(&t).get("/ui/sign-in").await.expect(200);
        assert!(page.text.contains("Sign in with Acme login"), "{}", page.text);
        let (browser, url) = begin_login(&t).await;
        let back = walk(url.as_str(), &redirect).await;
        let reply = browser.get(&back[base.len()..]).await.expect(303);
        assert_eq!(reply.headers[LOCATION], "/ui/account");
        let browser = browser.after(&reply);
        let account = browser.get("/ui/account").await.expect(200);
        assert!(
            account.text.contains("grace@acme.com, viewer") && account.text.contains("acme (manager)"),
            "{}",
            account.text
        );
        let all = people(&t).await;
        assert_eq!((all.len(), all[0].name.as_str(), all[0].from_provider), (1, "Grace Hopper", true));

        // The code is good once.
        browser.get(&back[base.len()..]).await.expect(422);
    }
}

#[tokio::test]
async fn callback_of_another_login_is_refused() {
    let provider = FakeProvider::start();
    let t = server(|base| settings(&provider.issuer, base)).await;
    let (browser, url) = begin_login(&t).await;
    assert_eq!(
        (query(&url, "response_type").as_str(), query(&url, "code_challenge_method").as_str()),
        ("code", "S256")
    );
    assert_eq!(query(&url, "scope"), "openid email profile");

    // Another browser's answer, no browser's answer, the provider's refusal, another issuer's answer.
    let state = query(&url, "state");
    let other = begin_login(&t).await.0;
    for (who, path) in [
        (&other, format!("{CALLBACK}?code=c&state={state}")),
        (&Browser::nobody(&t), format!("{CALLBACK}?code=c&state={state}")),
        (&browser, format!("{CALLBACK}?code=c")),
        (&browser, format!("{CALLBACK}?state={state}&error=access_denied&error_description=%3Cscript%3E")),
        (&browser, format!("{CALLBACK}?code=c&state={state}&iss=https%3A%2F%2Fevil.example")),
        (&browser, CALLBACK.to_owned()),
    ] {
        let reply = who.get(&path).await.expect(422);
        assert!(!reply.text.contains("<script>") && !reply.text.contains("evil"), "{}", reply.text);
        assert!(!reply.headers["set-cookie"].to_str().unwrap().contains("session"), "{path}");
    }

    let past = jsonwebtoken::get_current_timestamp() - 60;
    let failed = "did not work";
    for claims in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "somebody-else" }),
        json!({ "aud": ["mcp-registry", "other"] }),
        json!({ "aud": ["mcp-registry", "other"], "azp": "other" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "exp": past }),
        json!({ "sub": "" }),
        json!({ "sub": " \t" }),
        json!({ "sub": "ann\u{202e}" }),
        json!({ "sub": "s".repeat(256) }),
        json!({ "sub": 7 }),
        json!({ "sub": null }),
    ] {
        refused(&t, &provider, claims, failed).await;
    }
    // With a critical header parameter, which is not supported.
    provider.does().critical = vec!["exp".into()];
    refused(&t, &provider, json!({}), failed).await;
    provider.does().critical.clear();
    // Signed by a key that the provider does not publish.
    provider.does().key = 1;
    refused(&t, &provider, json!({}), failed).await;
    provider.does().key = 0;
    refused(&t, &provider, json!({ "email": null }), "no e-mail address").await;
    refused(&t, &provider, json!({ "groups": ["unmapped"] }), "gives you a role").await;
    refused(&t, &provider, json!({ "groups": ["team-gone"] }), "gives you a role").await;
    refused(&t, &provider, json!({ "email_verified": false }), "vouch").await;
    assert!(people(&t).await.is_empty(), "nobody was made known");

    // The verifier went along, and it is the one of the challenge.
    let (_, reply) = sign_in(&t, &provider, json!({})).await;
    reply.expect(303);
    assert_eq!(provider.does().redeemed["code_verifier"].len(), 64);
}

#[tokio::test]
async fn roles_follow_the_provider_groups() {
    let provider = FakeProvider::start();
    let t = server(|base| settings(&provider.issuer, base)).await;
    let grace = signed_in(&t, &provider, json!({ "groups": ["team-acme", "team-gone"] })).await;
    assert!(grace.get("/ui/account").await.text.contains("manager in acme"));
    signed_in(&t, &provider, json!({ "groups": ["platform", "readers"] })).await;
    let all = people(&t).await;
    assert_eq!((all.len(), all[0].role, all[0].workspaces.len()), (1, Some(Role::Admin), 0));
    // No other admin could fix it.
    signed_in(&t, &provider, json!({ "groups": [] })).await;
    assert_eq!(people(&t).await[0].role, Some(Role::Admin), "the last admin stays one");
    let eve = json!({ "sub": "user-9", "email": "eve@acme.com", "groups": ["platform"] });
    signed_in(&t, &provider, eve).await;
    refused(&t, &provider, json!({ "groups": [] }), "gives you a role").await;
    // The session that is open is out with its next request: nothing is left to do here.
    grace.get("/ui/account").await.expect(303);

    // Another provider user with the same address is not the same user.
    refused(&t, &provider, json!({ "sub": "user-2" }), "Another user").await;
    // A new address of hers is still her.
    signed_in(&t, &provider, json!({ "email": "hopper@acme.com" })).await;
    let all = people(&t).await;
    assert_eq!(all.len(), 2);
    let id = all.iter().find(|one| one.email != "eve@acme.com").unwrap().id;
    t.inner.registry.users().deactivate(&t.inner.admin(), id).await.unwrap();
    refused(&t, &provider, json!({}), "account is deactivated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provider_users_cannot_sign_in_by_password_or_link() {
    let provider = FakeProvider::start();
    let t = server(|base| settings(&provider.issuer, base)).await;
    let grace = signed_in(&t, &provider, json!({})).await;
    let typed = [("current", ""), ("password", "correct horse battery")];
    let refused = grace.post("/ui/account/password", &typed).await;
    assert!([409, 422].contains(&refused.status.as_u16()), "{}", refused.status);
    assert!(!people(&t).await[0].has_password);
    // They must sign in again every twelve hours, however active they are.
    for _ in 0..11 {
        t.inner.clock.advance(Duration::hours(1));
        grace.get("/ui/account").await.expect(200);
    }
    t.inner.clock.advance(Duration::hours(1));
    grace.get("/ui/account").await.expect(303);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_site_requests_do_not_count_as_login_attempts() {
    let provider = FakeProvider::start();
    let t = server(|base| settings(&provider.issuer, base)).await;
    for _ in 0..70 {
        Browser::nobody(&t).get(CALLBACK).await.expect(422);
    }
    signed_in(&t, &provider, json!({})).await;
}

#[tokio::test]
async fn invited_user_is_linked_only_when_the_provider_verified_the_email() {
    let provider = FakeProvider::start();
    let t =
        server(|base| ProviderSettings { groups: BTreeMap::new(), ..settings(&provider.issuer, base) }).await;
    Browser::invited(&t, "Grace@Acme.com", Role::Manager, Some("acme")).await;
    refused(&t, &provider, json!({ "email_verified": null }), "vouch").await;
    // Groups are not mapped to roles: what administrators gave stays.
    let grace = signed_in(&t, &provider, json!({})).await;
    assert!(grace.get("/ui/account").await.text.contains("manager in acme"));
    let all = people(&t).await;
    assert_eq!((all.len(), all[0].from_provider), (1, true));
    refused(&t, &provider, json!({ "sub": "user-3", "email": "nobody@acme.com" }), "gives you a role").await;
}

#[tokio::test]
async fn provider_key_rotation_and_outages_are_survived() {
    let provider = FakeProvider::start();
    let t = server(|base| settings(&provider.issuer, base)).await;
    provider.does().down = true;
    let page = Browser::nobody(&t).get("/ui/sign-in/provider").await.expect(503);
    assert!(page.text.contains("identity provider cannot be used now"), "{}", page.text);
    provider.does().down = false;
    // The provider was requested recently; it is not requested again so soon.
    Browser::nobody(&t).get("/ui/sign-in/provider").await.expect(503);
    t.inner.clock.advance(Duration::seconds(5));
    signed_in(&t, &provider, json!({})).await;

    // A new key: asked for when it is met, but seldom, however many tokens name it.
    {
        let mut does = provider.does();
        (does.key, does.published) = (1, vec![0, 1]);
    }
    refused(&t, &provider, json!({}), "did not work").await;
    t.inner.clock.advance(Duration::seconds(31));
    signed_in(&t, &provider, json!({})).await;
    assert_eq!(provider.does().key_set_fetched, 2);
    // The provider's metadata are old, and it is away: what is known serves as far as it goes.
    t.inner.clock.advance(Duration::hours(2));
    let (browser, url) = begin_login(&t).await;
    provider.does().down = true;
    begin_login(&t).await;
    browser.get(&format!("{CALLBACK}?code=c&state={}", query(&url, "state"))).await.expect(422);
    provider.does().down = false;
    provider.does().metadata = json!({ "issuer": "https://evil.example" });
    t.inner.clock.advance(Duration::hours(2));
    let (_, url) = begin_login(&t).await;
    assert!(url.as_str().starts_with(&provider.issuer), "metadata of another issuer change nothing: {url}");
}

#[tokio::test]
async fn unsupported_algorithms_are_refused_at_startup() {
    let t = TestRegistry::new(Engine::Sqlite).await;
    for algorithms in [vec!["HS256".to_owned()], vec!["none".to_owned()], Vec::new()] {
        let provider =
            ProviderSettings { algorithms, ..settings("https://login.example", "http://127.0.0.1:1") };
        let settings = Settings { provider: Some(provider), ..Settings::default() };
        let outside = support::outside(&settings);
        let ring = SealingRing::new(vec![t.key.clone()]).unwrap();
        let opened = Registry::open(&t.database.url, settings, ring, t.clock.clone(), outside).await;
        let refused = opened.err().unwrap().to_string();
        assert!(refused.contains("auth.oidc.algorithms"), "{refused}");
    }
}

#[tokio::test]
async fn password_form_is_absent_when_passwords_are_disabled() {
    let provider = FakeProvider::start();
    let provider = settings(&provider.issuer, "http://127.0.0.1:1");
    let settings = Settings { provider: Some(provider), passwords: false, ..Settings::default() };
    let t = TestServer::over(TestRegistry::with(Engine::Sqlite, settings).await);
    let page = Browser::nobody(&t).get("/ui/sign-in").await.expect(200);
    assert!(!page.text.contains("type=\"password\""), "{}", page.text);
    let form = [("email", "ann@acme.com"), ("password", "correct horse battery")];
    let reply = Browser::nobody(&t).post("/ui/sign-in", &form).await.expect(422);
    assert!(reply.text.contains("Passwords are disabled here"), "{}", reply.text);
    // One-time links of the operator work on.
    let ann = Browser::sign_in(&t).await;
    assert!(!ann.get("/ui/account").await.expect(200).text.contains("New password"));
}
