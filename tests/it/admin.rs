//! Pages as a browser without script uses them.

mod audit;
pub(crate) mod authorization;
mod capabilities;
mod choices;
mod consent;
mod drafts;
mod failures;
mod integrations;
mod keys;
mod known_servers;
mod largest;
mod list_costs;
mod nul;
mod palette;
mod people;
mod provider;
mod reregister;
mod roles;
mod saving;
mod sessions;
mod statements;
mod upstreams;
mod user_access;

use registry::{Channel, NewUser, RequestContext, Roles};
use registry_core::examples::ENTERPRISE_COMPLIANCE;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use registry_sandbox::{Options, Quirks, Sandbox};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use support::{Client, Engine, Reply, TestServer};

/// A browser with a session cookie.
pub(crate) struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    /// Signs in through a one-time link.
    pub(crate) async fn sign_in(t: &TestServer) -> Self {
        let registry = &t.inner.registry;
        let token = registry
            .users()
            .create_sign_in_link("ann@acme.com", RequestContext::new(Channel::Cli))
            .await
            .unwrap();
        let browser = Self::nobody(t);
        let shown = browser.get(&format!("/ui/sign-in/link?token={token}")).await.expect(200);
        assert!(shown.text.contains("Sign in"), "opening the link does not use it up");
        Self::with_link(t, &token).await
    }

    /// A browser without a session.
    pub(crate) fn nobody(t: &TestServer) -> Self {
        Self::at(t.anonymous())
    }

    /// The same, at a server that runs elsewhere.
    pub(crate) fn at(client: Client) -> Self {
        Self { client, cookie: String::new() }
    }

    /// Uses a one-time link.
    pub(crate) async fn with_link(t: &TestServer, token: &str) -> Self {
        let reply = Self::nobody(t).post("/ui/sign-in/link", &[("token", token)]).await.expect(303);
        Self::nobody(t).after(&reply)
    }

    /// A user of this role, invited by the operator.
    pub(crate) async fn invited(t: &TestServer, email: &str, role: Role, workspace: Option<&str>) -> Self {
        let workspace = workspace.map(Reference::parse);
        let new =
            NewUser { email: email.to_owned(), name: String::new(), roles: Roles::one(role, workspace) };
        let invited = t.inner.registry.users().invite(&t.inner.admin(), new).await.unwrap();
        Self::with_link(t, &invited.token).await
    }

    /// The same browser, with the session that an answer gave it.
    pub(crate) fn after(mut self, reply: &Reply) -> Self {
        let cookie = reply.headers[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
        self
    }

    /// The same browser and session at a copy of its server.
    pub(crate) fn at_copy(&self, t: &TestServer) -> Self {
        Self { client: t.anonymous(), cookie: self.cookie.clone() }
    }

    /// The same with a session's cookie, `name=value`.
    pub(crate) fn with_cookie(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).header(COOKIE, &self.cookie)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Client::send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        Client::send(self.request(Method::POST, path).header("sec-fetch-site", "same-origin").form(form))
            .await
    }
}

#[tokio::test]
async fn pages_require_a_session_and_return_to_the_requested_page() {
    let t = TestServer::new(Engine::Sqlite).await;
    let nobody = t.anonymous();
    let away = nobody.get("/ui/registrations?state=failed").await.expect(303);
    assert_eq!(away.headers[LOCATION], "/ui/sign-in?next=%2Fui%2Fregistrations%3Fstate%3Dfailed");
    let form = nobody.get("/ui/sign-in?next=https://evil.example").await.expect(200);
    assert!(!form.text.contains("evil.example"), "one comes back to our own pages only");
    let refused = nobody.request(Method::POST, "/ui/sign-in").header("sec-fetch-site", "same-origin");
    let refused = Client::send(refused.form(&[("email", "a@b.c"), ("password", "wrong")])).await.expect(422);
    assert!(refused.text.contains("role=\"alert\""));
}

#[tokio::test]
async fn cross_site_forms_are_refused() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    // Our own host, with another scheme.
    let (https, script) = (t.url.replace("http://", "https://"), t.url.replace("http://", "javascript://"));
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", https.as_str()),
        ("origin", script.as_str()),
        ("x-nothing", ""),
    ] {
        let forged =
            browser.request(Method::POST, "/ui/workspaces").header(name, value).form(&[("name", "Forged")]);
        Client::send(forged).await.expect(403);
    }
    assert!(!browser.get("/ui/workspaces").await.expect(200).text.contains("Forged"));
    let ours = browser.request(Method::POST, "/ui/workspaces/new").header("origin", &t.url);
    Client::send(ours.form(&[("name", "Ours")])).await.expect(303);
    browser.post("/ui/sign-out", &[]).await.expect(303);
    browser.get("/ui/workspaces").await.expect(303);
}

#[tokio::test]
async fn invite_link_ignores_the_host_header() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    for (number, (name, value)) in [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-proto", "https"),
        ("host", "evil.example"),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{number}@acme.com");
        let form = [("email", email.as_str()), ("role", "viewer"), ("workspace", "")];
        let request =
            browser.request(Method::POST, "/ui/settings/people/new").header("sec-fetch-site", "same-origin");
        let shown = Client::send(request.header(name, value).form(&form)).await.expect(200);
        assert!(shown.text.contains(&format!("{}/ui/sign-in/link?token=", t.url)), "{name}: {}", shown.text);
        assert!(!shown.text.contains("evil.example"), "{name}");
    }
}

#[tokio::test]
async fn every_page_has_the_security_headers() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    for path in [
        "/ui/integrations",
        "/ui/registrations",
        "/ui/workspaces",
        "/ui/api-keys",
        "/ui/audit",
        "/ui/audit.csv",
        "/ui/account",
        "/ui/settings",
        "/ui/settings/organisation",
        "/ui/settings/people",
        "/ui/sign-in",
        "/ui/sign-in/link?token=x",
        "/ui/integrations/new",
        "/ui/nothing",
        "/ui/integrations/nothing",
    ] {
        let page = browser.get(path).await;
        assert_hardened(&page, path);
        assert_eq!(page.header("strict-transport-security"), "", "{path}: only where it is set");
    }
    // What another user sends, and what no user may see, too.
    assert_hardened(&Client::send(browser.request(Method::POST, "/ui/theme")).await.expect(403), "foreign");
    assert_hardened(&t.anonymous().get("/ui/audit").await.expect(303), "signed out");
    let page = browser.get("/ui/integrations").await;
    let css =
        page.text.split("href=\"").find(|part| part.contains("app.css")).unwrap().split('"').next().unwrap();
    let asset = browser.get(css).await.expect(200);
    assert!(asset.header("cache-control").contains("immutable"));
}

/// What INV-60 asks of every answer.
fn assert_hardened(page: &Reply, what: &str) {
    let policy = page.header("content-security-policy");
    let parts: Vec<&str> = policy.split("; ").collect();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(parts.contains(&part), "{what}: {part}: {policy}");
    }
    assert_eq!(parts.len(), 9, "{what}: nothing beyond that: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), value, "{what}: {name}");
    }
}

#[tokio::test]
async fn session_cookie_is_secure_and_host_only_behind_tls() {
    let t = TestServer::secure(Engine::Sqlite).await;
    let token = t
        .inner
        .registry
        .users()
        .create_sign_in_link("ann@acme.com", RequestContext::new(Channel::Cli))
        .await
        .unwrap();
    let reply = Browser::nobody(&t).post("/ui/sign-in/link", &[("token", &token)]).await.expect(303);
    let cookie = reply.headers[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-mcp_registry_session="), "{cookie}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.split("; ").any(|one| one == part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let page = Browser::nobody(&t).after(&reply).get("/ui/account").await.expect(200);
    assert_eq!(page.header("strict-transport-security"), "max-age=63072000");
    assert!(!page.text.contains("This connection is not encrypted"));
}

#[tokio::test]
async fn configuration_is_checked_saved_and_kept_when_refused() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.inner.server("linear", "acme").await;
    let browser = Browser::sign_in(&t).await;
    let path = "/ui/integrations/linear/config";
    let page = browser.get(path).await.expect(200);
    assert!(page.text.contains("Portkey (acme/linear)"), "what is sent by default");

    // What was typed comes back, escaped, with the line of the problem.
    let typed = "{\n  \"oauth_client_metadata\": { \"scope\": [\"</textarea><script>\"] }\n}";
    let refused = browser
        .post(path, &[("configuration", typed), ("version", "1"), ("intent", "save")])
        .await
        .expect(422);
    assert!(refused.text.contains("Line 2") && refused.text.contains("role=\"alert\""), "{}", refused.text);
    assert!(!refused.text.contains("<script>"));
    assert!(
        refused.text.contains("&#60;/textarea&#62;") || refused.text.contains("&lt;/textarea&gt;"),
        "{}",
        refused.text
    );

    let checked = browser
        .post(path, &[("configuration", ENTERPRISE_COMPLIANCE), ("version", "1"), ("intent", "check")])
        .await
        .expect(200);
    assert!(checked.text.contains("Checked, not saved. 1 server gets its first client."), "{}", checked.text);
    assert!(
        t.inner
            .registry
            .integrations()
            .get(&t.inner.admin(), &"linear".into())
            .await
            .unwrap()
            .configuration
            .is_none()
    );

    let saved = browser
        .post(path, &[("configuration", ENTERPRISE_COMPLIANCE), ("version", "1"), ("intent", "save")])
        .await
        .expect(303);
    let page = browser.get(saved.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(page.text.contains("Saved as v1. 1 registration queued."));
    let conflict = browser
        .post(path, &[("configuration", "{}"), ("version", "1"), ("intent", "save")])
        .await
        .expect(409);
    assert!(conflict.text.contains("Save mine as v2"));
    let stored = t.inner.registry.integrations().get(&t.inner.admin(), &"linear".into()).await.unwrap();
    assert_eq!(stored.configuration.as_deref(), Some(ENTERPRISE_COMPLIANCE));
}

#[tokio::test]
async fn connection_is_tested_before_anything_is_registered() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    t.inner.workspace("acme").await;
    let configuration =
        r#"{"oauth_client_metadata":{"client_name":"A <b>name</b>","contacts":["The team"]}}"#;
    t.inner.integration("linear", &sandbox.mcp_url(), Some(configuration)).await;
    t.inner.server("linear", "acme").await;
    let browser = Browser::sign_in(&t).await;
    let shown = browser.get("/ui/integrations/linear").await.expect(200);
    assert!(shown.text.contains(r#"action="/ui/integrations/linear/check""#));
    let checked = browser.post("/ui/integrations/linear/check", &[]).await.expect(200);
    for words in [
        "A client can be obtained",
        "acme / linear",
        "contact_no_email",
        "/.well-known/oauth-protected-resource/mcp",
        "A &#60;b&#62;name",
        "Dynamic registration",
    ] {
        assert!(checked.text.contains(words), "{words}: {}", checked.text);
    }
    assert!(sandbox.registrations().is_empty());

    sandbox.set_quirks(Quirks { no_registration_endpoint: true, ..Quirks::default() });
    let checked = browser.post("/ui/integrations/linear/check", &[]).await.expect(200);
    assert!(
        checked.text.contains("offers no dynamic registration") && !checked.text.contains("<h2 id=\"body\">")
    );
    browser.get("/ui/integrations/linear/check").await.expect(404);
    browser.post("/ui/integrations/nothing/check", &[]).await.expect(404);
    sandbox.stop().await;
}
