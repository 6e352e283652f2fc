//! Known servers: what the wizard and the pages of an integration show of them, and the button that adds their settings.

use crate::admin::Browser;
use registry_core::permission::Role;
use registry_sandbox::{Options, Quirks, Sandbox};
use reqwest::header::LOCATION;
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::json;
use support::{Engine, Reply, TestServer};

/// The addresses below are known by their text; nothing is sent to them.
const GOOGLE: &str = "https://gmailmcp.googleapis.com/mcp/v1";
const CALENDLY: &str = "https://mcp.calendly.com/mcp";

fn has(page: &Reply, words: &str) {
    assert!(page.text.contains(words), "{words}: {}", page.text);
}

fn lacks(page: &Reply, words: &str) {
    assert!(!page.text.contains(words), "{words}: {}", page.text);
}

fn location(reply: &Reply) -> String {
    reply.headers[LOCATION].to_str().unwrap().to_owned()
}

/// A draft for `url` whose server is not asked; the URL of the draft.
async fn draft(browser: &Browser, url: &str) -> String {
    let saved = browser.post("/ui/integrations/new", &[("url", url), ("intent", "draft")]).await.expect(303);
    let list = browser.get(&location(&saved)).await.expect(200);
    let start = list.text.find("/ui/drafts/").unwrap();
    list.text[start..start + "/ui/drafts/".len() + 36].to_owned()
}

/// The content of the text area.
fn text(page: &Reply) -> String {
    let rest = page.text.split_once("<textarea").unwrap().1.split_once('>').unwrap().1;
    let text = rest.split_once("</textarea>").unwrap().0.trim_start_matches('\n');
    [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&#39;", "'"),
        ("&amp;", "&"),
        ("&#38;", "&"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_a_known_server_are_added_and_checked(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let browser = Browser::sign_in(&t).await;
    let base = draft(&browser, GOOGLE).await;
    let (check, metadata) = (format!("{base}/check"), format!("{base}/metadata"));
    let page = browser.get(&check).await.expect(200);
    for words in [
        "Known server: Google",
        "takes no registrations",
        "Use these settings",
        "https://github.com/openai/codex/issues/40783",
    ] {
        has(&page, words);
    }
    // No approach has to be chosen before: the settings contain a client.
    let to = location(&browser.post(&check, &[("intent", "preset")]).await.expect(303));
    assert_eq!(to, format!("{metadata}?preset=true"));
    let page = browser.get(&to).await.expect(200);
    has(&page, "Added, not saved: <code>client_id</code>");
    has(&page, "Replace the placeholders in <code>client_id</code>, <code>client_secret</code>, then save.");
    has(&page, "still contains a placeholder");
    let inserted: serde_json::Value = serde_json::from_str(&text(&page)).unwrap();
    assert_eq!(inserted["oauth_client_metadata"]["authorization_params"]["access_type"], "offline");
    // Looking at it saved nothing, and the placeholders cannot be saved.
    assert_eq!(text(&browser.get(&metadata).await.expect(200)), "");
    let refused = browser.post(&metadata, &[("configuration", &inserted.to_string())]).await.expect(422);
    has(&refused, "There are 2 problems.");

    // What was typed stays.
    let own = r#"{ "oauth_client_metadata": { "client_id": "abc", "authorization_params": { "prompt": "select_account" } } }"#;
    let page = browser.post(&metadata, &[("configuration", own), ("intent", "preset")]).await.expect(200);
    has(&page, "Left as set before: <code>authorization_params.prompt</code>.");
    let mut merged: serde_json::Value = serde_json::from_str(&text(&page)).unwrap();
    assert_eq!(
        merged["oauth_client_metadata"],
        json!({ "client_id": "abc", "client_secret": "<client_secret>", "authorization_params": { "prompt": "select_account", "access_type": "offline" } })
    );
    merged["oauth_client_metadata"]["client_secret"] = json!("canary-Zq9-secret");
    browser.post(&metadata, &[("configuration", &merged.to_string())]).await.expect(303);
    // The text decided how clients are obtained, and the settings are there.
    let page = browser.get(&check).await.expect(200);
    has(&page, "Client registered by hand");
    has(&page, "All of these settings are in the configuration.");
    lacks(&page, "Use these settings");
    lacks(&page, "canary-Zq9-secret");
    let page = browser.get(&format!("{metadata}?preset=true")).await.expect(200);
    has(&page, "All of these settings are in the configuration.");
    has(&page, "client_secret is sealed");

    // A text that cannot be read stays, with its finding.
    let page =
        browser.post(&metadata, &[("configuration", "{ nonsense"), ("intent", "preset")]).await.expect(200);
    has(&page, "The settings cannot be added to this text.");
    assert_eq!(text(&page), "{ nonsense");
}

#[tokio::test]
async fn settings_follow_the_chosen_approach() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let base = draft(&browser, CALENDLY).await;
    let (check, metadata) = (format!("{base}/check"), format!("{base}/metadata"));
    // These settings leave the approach open: the chosen one is saved.
    let form = [("approach", "register"), ("intent", "preset")];
    let to = location(&browser.post(&check, &form).await.expect(303));
    let page = browser.get(&to).await.expect(200);
    has(&page, "Registered automatically");
    has(&page, "Added, not saved: <code>client_name</code>.");
    lacks(&page, "still contains a placeholder");
    browser.post(&metadata, &[("configuration", &text(&page))]).await.expect(303);
    has(&browser.get(&metadata).await.expect(200), "MCP Gateway");

    // A client entered on the page is saved before the settings are added.
    let base = draft(&browser, GOOGLE).await;
    let check = format!("{base}/check");
    let form =
        [("approach", "register"), ("client_id", "abc"), ("client_secret", "canary"), ("intent", "preset")];
    let to = location(&browser.post(&check, &form).await.expect(303));
    let page = browser.get(&to).await.expect(200);
    has(&page, "client_secret is sealed");
    lacks(&page, "still contains a placeholder");
    lacks(&page, "canary");

    // The button of a server that is not known, or needs no settings, is an ordinary "Continue".
    let base = draft(&browser, "https://mcp.acme.example/mcp").await;
    let check = format!("{base}/check");
    lacks(&browser.get(&check).await.expect(200), "Known server");
    let to =
        location(&browser.post(&check, &[("approach", "register"), ("intent", "preset")]).await.expect(303));
    assert_eq!(to, format!("{base}/metadata"));
    lacks(&browser.get(&format!("{base}/metadata?preset=true")).await.expect(200), "Known server");
    let base = draft(&browser, "https://mcp.vercel.com").await;
    let page = browser.get(&format!("{base}/check")).await.expect(200);
    has(&page, "No setting is needed here.");
    lacks(&page, "Use these settings");
}

#[tokio::test]
async fn issuer_found_by_the_check_is_recognised() {
    let t = TestServer::new(Engine::Sqlite).await;
    let quirks = Quirks { issuer_path: "/realms/acme".to_owned(), ..Quirks::default() };
    let sandbox = Sandbox::start(Options { quirks: quirks.clone(), ..Options::default() }).await.unwrap();
    let browser = Browser::sign_in(&t).await;
    let begun = browser.post("/ui/integrations/new", &[("url", &sandbox.mcp_url())]).await.expect(303);
    has(&browser.get(&location(&begun)).await.expect(200), "Known server: Keycloak");
    // Also when discovery ends at that server.
    sandbox.set_quirks(Quirks { metadata_issuer: Some("https://other.example".to_owned()), ..quirks });
    t.inner.clock.advance(chrono::TimeDelta::seconds(3));
    let again = browser.post(&format!("{}/again", location(&begun)), &[]).await.expect(303);
    has(&browser.get(&location(&again)).await.expect(200), "Known server: Keycloak");
    // And no longer when the server is another one.
    sandbox.set_quirks(Quirks::default());
    t.inner.clock.advance(chrono::TimeDelta::seconds(3));
    let again = browser.post(&format!("{}/again", location(&begun)), &[]).await.expect(303);
    lacks(&browser.get(&location(&again)).await.expect(200), "Known server");
    sandbox.stop().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_added_to_an_integration(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let own = json!({ "oauth_client_metadata": { "contacts": ["a@acme.com"] } });
    admin.given().integration("calendly", CALENDLY).with("configurations", own).await;
    admin.given().integration("other", "https://mcp.acme.example/mcp").await;
    let browser = Browser::sign_in(&t).await;
    has(
        &browser.get("/ui/integrations/calendly").await.expect(200),
        "/ui/integrations/calendly/known-server",
    );
    let page = browser.get("/ui/integrations/calendly/known-server").await.expect(200);
    has(&page, "Known server: Calendly");
    let field = |name: &str| {
        let rest = page.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.replace("&#34;", "\"").replace("&quot;", "\"")
    };
    let (stored, version, base) = (field("configuration"), field("version"), field("base"));
    let form = [
        ("configuration", stored.as_str()),
        ("version", version.as_str()),
        ("base", base.as_str()),
        ("intent", "known:calendly"),
    ];
    let page = browser.post("/ui/integrations/calendly/config", &form).await.expect(200);
    has(&page, "Added, not saved: <code>client_name</code>.");
    let text = text(&page);
    assert!(text.contains("a@acme.com") && text.contains("MCP Gateway"), "{text}");
    let form = [
        ("configuration", text.as_str()),
        ("version", version.as_str()),
        ("base", base.as_str()),
        ("intent", "save"),
    ];
    browser.post("/ui/integrations/calendly/config", &form).await.expect(303);
    let page = browser.get("/ui/integrations/calendly/known-server").await.expect(200);
    has(&page, "All of these settings are in the configuration.");

    let viewer = Browser::invited(&t, "vera@acme.com", Role::Viewer, None).await;
    admin.given().integration("miro", "https://mcp.miro.com").await;
    let page = viewer.get("/ui/integrations/miro/known-server").await.expect(200);
    has(&page, "Settings that help here.");
    lacks(&page, "Use these settings");

    lacks(&browser.get("/ui/integrations/other").await.expect(200), "Known server");
    let page = browser.get("/ui/integrations/other/known-server").await.expect(200);
    has(&page, "Nothing is known of this server.");
    browser.get("/ui/integrations/nothing/known-server").await.expect(404);
    // A key that is not in the table is no button.
    let form = [("configuration", "{}"), ("version", "1"), ("base", "1"), ("intent", "known:nothing")];
    lacks(&browser.post("/ui/integrations/other/config", &form).await.expect(200), "Added");
}

#[tokio::test]
async fn failed_registration_names_the_known_server() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    for (slug, url) in [("calendly", CALENDLY), ("other", "https://mcp.acme.example/mcp")] {
        t.inner.integration(slug, url, None).await;
        t.inner.server(slug, "acme").await;
    }
    let browser = Browser::sign_in(&t).await;
    let admin = t.client(Role::Admin, None).await;
    let registrations = admin.get("/v1/registrations").await.expect(200).json();
    let ids: Vec<String> = ["calendly", "other"]
        .into_iter()
        .map(|slug| {
            let all = registrations["data"].as_array().unwrap();
            let one = all.iter().find(|one| one.to_string().contains(&format!("\"{slug}\""))).unwrap();
            one["id"].as_str().unwrap().to_owned()
        })
        .collect();
    // Nothing is wrong yet.
    let pages = |id: &String| format!("/ui/registrations/{id}");
    lacks(&browser.get(&pages(&ids[0])).await.expect(200), "Known server");
    let db = t.inner.database.connect().await;
    db.execute_unprepared("UPDATE registration SET state = 'failed', reason = 'invalid_client_metadata'")
        .await
        .unwrap();
    let page = browser.get(&pages(&ids[0])).await.expect(200);
    has(&page, "what is known of Calendly, and its settings");
    has(&page, "/ui/integrations/calendly/known-server");
    lacks(&browser.get(&pages(&ids[1])).await.expect(200), "Known server");
    has(&browser.get("/ui/integrations/calendly").await.expect(200), "what is known may explain the failure");
}
