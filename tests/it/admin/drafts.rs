//! The wizard "Add integration" as a browser without script uses it.

use crate::admin::Browser;
use registry_core::permission::Role;
use registry_sandbox::{Options, Quirks, Sandbox};
use reqwest::Method;
use reqwest::header::{COOKIE, LOCATION};
use support::{Client, Engine, Reply, TestServer};

const CANARY: &str = "canary-Zq9-secret";

/// The page that an answer leads to.
async fn follow(browser: &Browser, reply: Reply) -> (String, Reply) {
    let to = reply.expect(303).headers[LOCATION].to_str().unwrap().to_owned();
    let page = browser.get(&to).await.expect(200);
    (to, page)
}

/// Begins a draft for `url`; the address of its check step.
async fn begin(browser: &Browser, url: &str) -> (String, Reply) {
    follow(browser, browser.post("/ui/integrations/new", &[("url", url)]).await).await
}

fn has(page: &Reply, words: &str) {
    assert!(page.text.contains(words), "{words}: {}", page.text);
}

/// The value of the first field of this name behind `after`.
fn value(page: &Reply, after: &str) -> String {
    let rest = page.text.split_once(after).unwrap_or_else(|| panic!("{after}: {}", page.text)).1;
    rest.split_once("value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn five_steps_lead_to_registered_clients() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for slug in ["acme", "beta", "gamma"] {
        t.inner.workspace(slug).await;
    }
    let browser = Browser::sign_in(&t).await;
    let (check, found) = begin(&browser, &sandbox.mcp_url()).await;
    for words in
        ["What we found at 127.0.0.1", "matches the URL", "Proposed", "Registration endpoint, S256 PKCE"]
    {
        has(&found, words);
    }
    has(&found, r#"value="register" checked"#);
    has(&found, r#"value="publish" disabled"#);
    // Nothing chosen is refused, with the page as it was.
    let refused = browser.post(&check, &[("intent", "go")]).await.expect(422);
    has(&refused, "<title>Problem: Add integration");
    has(&refused, r##"href="#approach""##);

    let (metadata, page) = follow(&browser, browser.post(&check, &[("approach", "register")]).await).await;
    assert!(metadata.ends_with("/metadata"));
    has(&page, "Portkey (workspace/server-at-127-0-0-1)");
    let inserted =
        browser.post(&metadata, &[("configuration", ""), ("intent", "insert-scopes")]).await.expect(200);
    has(&inserted, "read:projects");
    let typed = "{\"oauth_client_metadata\": {\"scope\": [\"</textarea><script>\"]}}";
    let refused = browser.post(&metadata, &[("configuration", typed)]).await.expect(422);
    has(&refused, "Line 1");
    assert!(!refused.text.contains("<script>"));
    let good = r#"{ "oauth_client_metadata": { "client_name": "Acme" } }"#;
    let (workspaces, page) =
        follow(&browser, browser.post(&metadata, &[("configuration", good)]).await).await;

    // A search keeps what is chosen.
    let gamma = value(&page, r#"name="workspaces""#);
    let shown: Vec<String> = page
        .text
        .split(r#"name="shown" value=""#)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!((shown.len(), &gamma), (3, &shown[0]));
    let mut form: Vec<(&str, &str)> = shown.iter().map(|id| ("shown", id.as_str())).collect();
    form.extend([("workspaces", shown[0].as_str()), ("q", "beta"), ("intent", "search")]);
    let (searched, page) = follow(&browser, browser.post(&workspaces, &form).await).await;
    assert!(searched.ends_with("?q=beta"));
    has(&page, "1 chosen");
    assert!(!page.text.contains("acme</span>") && page.text.contains("beta</span>"));
    // Enter in the search field searches, elsewhere it continues.
    let form = [("shown", shown[1].as_str()), ("searched", "beta"), ("q", "gamma"), ("intent", "enter")];
    let (searched, _) = follow(&browser, browser.post(&workspaces, &form).await).await;
    assert!(searched.ends_with("?q=gamma"), "{searched}");
    let form = [("shown", shown[1].as_str()), ("q", "beta"), ("intent", "all")];
    let (_, page) = follow(&browser, browser.post(&workspaces, &form).await).await;
    has(&page, "2 chosen");
    let (register, page) = follow(&browser, browser.post(&workspaces, &[("intent", "enter")]).await).await;
    for words in [
        "Register now",
        "What will be sent for <span class=\"mono\">acme / server-at",
        "acme, beta",
        "1 field",
    ] {
        has(&page, words);
    }
    assert!(sandbox.registrations().is_empty());

    let (same, page) = follow(&browser, browser.post(&register, &[]).await).await;
    assert_eq!(same, register, "reload and Back are safe");
    for words in
        ["is added", "data-live", "http://localhost:8787/acme/server-at-127-0-0-1/mcp", "0 of 2 registered"]
    {
        has(&page, words);
    }
    browser.post(&register, &[]).await.expect(303);
    browser.post(&check, &[("approach", "nothing")]).await.expect(303);
    let list = browser.get("/ui/integrations").await.expect(200);
    has(&list, "/ui/integrations/server-at-127-0-0-1");
    assert!(!list.text.contains("server-at-127-0-0-1-2"), "once");
    assert!(!browser.get("/ui/integrations/new").await.expect(200).text.contains("Your drafts"));
    sandbox.stop().await;
}

#[tokio::test]
async fn refused_first_step_keeps_what_was_typed() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    let browser = Browser::sign_in(&t).await;
    let prefilled =
        browser.get("/ui/integrations/new?url=https%3A%2F%2Fmcp.asana.com%2Fmcp").await.expect(200);
    for words in [r#"value="https://mcp.asana.com/mcp""#, "<b>Asana</b>", "<code>asana</code>"] {
        has(&prefilled, words);
    }
    for (url, words) in [
        ("no address", "this is not an absolute URL"),
        ("ftp://h.example", "<code>ftp</code> is not allowed here"),
        ("https://10.0.0.1/mcp", "private or reserved"),
    ] {
        let refused =
            browser.post("/ui/integrations/new", &[("url", url), ("name", "My <name>")]).await.expect(422);
        has(&refused, words);
        has(&refused, "My &#60;name&#62;");
        has(&refused, r##"href="#url""##);
    }
    let form = [("url", "https://mcp.asana.com/mcp"), ("slug", "Linear")];
    let refused = browser.post("/ui/integrations/new", &form).await.expect(422);
    has(&refused, r#"<a href="/ui/integrations/linear">Open the integration that has it</a>"#);
    assert!(!refused.text.contains("Your drafts"), "nothing was made");
}

#[tokio::test]
async fn secrets_of_a_draft_are_never_shown_again() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let browser = Browser::sign_in(&t).await;
    let (check, _) = begin(&browser, &sandbox.mcp_url()).await;
    let refused =
        browser.post(&check, &[("approach", "by_hand"), ("client_secret", CANARY)]).await.expect(422);
    has(&refused, CANARY);
    has(&refused, r##"href="#client_id""##);
    let form = [("approach", "by_hand"), ("client_id", "abc"), ("client_secret", CANARY)];
    let (metadata, page) = follow(&browser, browser.post(&check, &form).await).await;
    has(&page, "client_secret is sealed");
    for path in [&check, &metadata, &check.replace("/check", "/register")] {
        assert!(!browser.get(path).await.expect(200).text.contains(CANARY), "{path}");
    }
    has(&browser.get(&check).await, "One is stored, sealed.");
    // Saving again without typing it keeps it.
    browser.post(&check, &[("approach", "by_hand"), ("client_id", "abc")]).await.expect(303);
    has(&browser.get(&check).await, "One is stored, sealed.");
    // Headers take its place.
    let form = [
        ("approach", "headers"),
        ("header_name", "X-Key"),
        ("header_value", CANARY),
        ("header_name", ""),
        ("header_value", ""),
    ];
    browser.post(&check, &form).await.expect(303);
    let page = browser.get(&check).await.expect(200);
    has(&page, r#"value="X-Key""#);
    has(&page, "(stored, sealed; empty keeps it)");
    assert!(!page.text.contains(CANARY) && !page.text.contains("One is stored"));
    // Another address ends them.
    let form = [("url", "https://mcp.example.com/mcp"), ("intent", "draft")];
    browser.post(&check.replace("/check", "/url"), &form).await.expect(303);
    assert!(!browser.get(&check).await.expect(200).text.contains("empty keeps it"));
    sandbox.stop().await;
}

#[tokio::test]
async fn discovered_values_can_be_corrected() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let browser = Browser::sign_in(&t).await;
    let right = sandbox.mcp_url();
    let (check, page) = begin(&browser, &format!("{right}?wrong")).await;
    // The resource that is named is more than the address.
    has(&page, &format!("Use <span class=\"mono\">{right}</span> instead"));
    let form = [("url", right.as_str()), ("intent", "use")];
    let (same, page) = follow(&browser, browser.post(&check.replace("/check", "/url"), &form).await).await;
    assert_eq!(same, check);
    has(&page, "matches the URL");

    sandbox.set_quirks(Quirks {
        no_registration_endpoint: true,
        no_code_challenge_methods: true,
        ..Quirks::default()
    });
    t.inner.clock.advance(chrono::TimeDelta::seconds(3));
    let (_, page) = follow(&browser, browser.post(&format!("{check}/again"), &[]).await).await;
    for words in [
        "No registration endpoint",
        "No PKCE with S256",
        r#"value="register" disabled"#,
        r#"value="by_hand" checked"#,
    ] {
        has(&page, words);
    }
    let refused = browser.post(&check, &[("approach", "register")]).await.expect(422);
    has(&refused, "offers no dynamic registration");
    sandbox.stop().await;
    t.inner.clock.advance(chrono::TimeDelta::seconds(3));
    let (_, page) = follow(&browser, browser.post(&format!("{check}/again"), &[]).await).await;
    has(&page, "The server could not be reached.");
    assert!(!page.text.contains(r#"value="register" disabled"#), "one may go on");
}

#[tokio::test]
async fn drafts_are_kept_until_discarded() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let form = [("url", "https://mcp.linear.app/mcp"), ("intent", "draft")];
    let (_, list) = follow(&browser, browser.post("/ui/integrations/new", &form).await).await;
    has(&list, "Saved as a draft.");
    let start = list.text.find("/ui/drafts/").unwrap();
    let base = &list.text[start..start + "/ui/drafts/".len() + 36];
    has(&browser.get(&format!("{base}/check")).await.expect(200), "was not checked yet");
    assert_eq!(browser.get(base).await.expect(303).header("location"), format!("{base}/check"));

    // The browser of another user finds nothing.
    let key = t.key(Role::Manager, None).await;
    let other = Client::send(t.with_token(&key).request(Method::GET, &format!("{base}/check"))).await;
    assert_eq!(other.status.as_u16(), 303, "pages know no keys");
    let nobody =
        Client::send(t.anonymous().request(Method::GET, &format!("{base}/check")).header(COOKIE, "x=y"))
            .await;
    nobody.expect(303);
    browser.get("/ui/drafts/0190f2a4-0000-7000-8000-000000000000/check").await.expect(404);
    browser.get("/ui/drafts/nonsense/check").await.expect(404);

    has(&browser.get(&format!("{base}/discard")).await.expect(200), "cannot be undone");
    let (_, list) = follow(&browser, browser.post(&format!("{base}/discard"), &[]).await).await;
    has(&list, "The draft is discarded.");
    browser.get(&format!("{base}/check")).await.expect(404);
}
